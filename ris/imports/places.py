"""Rooms, hours, closures and what else belongs to a site as files: the lines are the sheets that the pages of places edit."""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork
from ris.imports.kind import Column, Kind, Line, TakeOne
from ris.scheduling.administration import queries, service
from ris.scheduling.administration.field import Field, Wrong
from ris.scheduling.administration.service import HitsAppointments, version
from ris.scheduling.administration.sheet import Sheet, Texts
from ris.scheduling.administration.sheets import SHEETS
from ris.staff.permission import Permission
from ris.staff.queries import Rights, rights_of

WHY = "taken in from a file"
MOST_LINES = 2_000
FILED = ("room", "room-hours", "closure", "special", "reserved", "resource", "resource-hours")
"""The kinds of which there are so many that somebody wants a file."""


def kind_of(sheet: Sheet) -> Kind:
    """The kind of file that holds such sheets; what the file does not name stays as it is."""
    return Kind(
        sheet.name,
        sheet.plural,
        f"{sheet.meaning} A line finds what it is about by {' and '.join(sheet.identity)}. Nothing is taken away by a file.".strip(),
        Permission.PLACE_MANAGE,
        tuple(Column(field.name, _told(field), field.help, field.name in sheet.identity and field.required) for field in sheet.fields),
        sheet.identity,
        lambda uow, _lines: _begin(uow, sheet),
        at_once=100,
        most_lines=MOST_LINES,
    )


def export(session: Session, sheet: Sheet, site_ids: frozenset[int]) -> Iterator[Sequence[str]]:
    """A row for each thing of the sites, in the order of the columns."""
    for key in queries.keys(session, sheet.name, site_ids):
        texts = sheet.read(session, key)
        if texts is not None:
            yield [texts[field.name] for field in sheet.fields]


def _begin(uow: UnitOfWork, sheet: Sheet) -> TakeOne:
    rights = rights_of(uow.session, uow.actor.id)

    def take(line: Line) -> None:
        try:
            with uow.savepoint():
                _take(uow, sheet, rights, line)
        except Wrong as wrong:
            for name, what in wrong.errors.items():
                line.wrong(name, what, "put it right, or take the line out")
        except HitsAppointments as hit:
            fix = "change it on the page Places: the appointments are listed there before anything is changed"
            (line.undecided if hit.may_go_on else line.wrong)("", hit.message, fix)

    return take


def _take(uow: UnitOfWork, sheet: Sheet, rights: Rights, line: Line) -> None:
    key = sheet.find(uow.session, dict(line.cells))
    stored = sheet.read(uow.session, key) if key is not None else None
    if stored is None and not sheet.is_added:
        raise Wrong({sheet.identity[0]: f"there is no {sheet.identity[0]} {line.cell(sheet.identity[0]) or '(empty)'}"})
    texts = (stored or {field.name: field.default for field in sheet.fields}) | dict(line.cells)
    site_id = sheet.site_of(uow.session, texts)
    if site_id is not None and not rights.may(Permission.PLACE_MANAGE, site_id):
        raise Wrong({sheet.identity[0]: "it belongs to a site at which you manage no places"})
    if key is None or stored is None:
        service.add(uow, sheet.name, texts, why=WHY)
        line.new()
        return
    service.change(uow, sheet.name, key, texts, known=version(stored), why=WHY)
    line.saved(*_differences(stored, sheet.read(uow.session, key) or {}))


def _differences(before: Mapping[str, str], after: Texts) -> tuple[Texts, Texts]:
    names = [name for name, text in after.items() if before.get(name) != text]
    return {name: before.get(name, "") for name in names}, {name: after[name] for name in names}


def _told(field: Field) -> str:
    choices = getattr(field, "choices", None)
    return f"{field.label}: {', '.join(choices)}" if choices else field.label


PLACES = tuple(kind_of(SHEETS[name]) for name in FILED)
