"""Reference data as files: a line for each, under the names of the fields."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork
from ris.catalog.records import service
from ris.catalog.records.field import Known, Wrong
from ris.catalog.records.record import Record, Rejected
from ris.imports.kind import Column, Kind, Line, TakeOne
from ris.staff.permission import Permission


def kind_of(record: Record) -> Kind:
    """The kind of file that holds such reference data."""
    return Kind(
        record.name,
        record.title,
        record.meaning,
        Permission.CATALOG_MANAGE,
        tuple(Column(f.name, f.told, f.help, f.name in record.key and not f.default) for f in record.fields),
        record.key,
        lambda uow, lines: _begin(uow, record, lines),
        lambda session: _export(session, record),
    )


def _begin(uow: UnitOfWork, record: Record, lines: Sequence[Line]) -> TakeOne:
    known = Known(uow.session)
    found = record.matching(uow.session, _firsts(known, record, lines))

    def take(line: Line) -> None:
        try:
            row, values = _row_and_values(known, record, found, line.cells)
        except Rejected as rejected:
            for problem in rejected.problems:
                line.wrong(problem.field, problem.what, problem.fix)
            return
        if row is None:
            found[record.key_of(values)] = service.insert(uow, known, record, values)
            line.new()
        else:
            line.saved(*service.update(uow, known, record, row, values))

    return take


def _firsts(known: Known, record: Record, lines: Sequence[Line]) -> set[Any]:
    """The first part of each line's key, of those that have a right one."""
    field = record.field(record.key[0])
    firsts = set()
    for text in {line.cell(field.name) for line in lines}:
        try:
            firsts.add(field.take(known, text))
        except Wrong:
            continue
    return firsts


def _row_and_values(known: Known, record: Record, found: Mapping[tuple[Any, ...], Any], cells: Mapping[str, str]) -> tuple[Any, Any]:
    """What a line is about, None where it is new, and what it says; of what it does not say the row keeps what it has."""
    said = record.defaults() | dict(cells)
    try:
        row = found.get(record.key_in(known, said))
    except Rejected:
        row = None  # and all that is wrong with the line is named below
    return row, record.values(known, said if row is None else record.texts(known, row) | dict(cells))


def _export(session: Session, record: Record) -> Iterator[Sequence[str]]:
    known = Known(session)
    for row in record.rows(session):
        texts = record.texts(known, row)
        yield [texts[field.name] for field in record.fields]
