"""Rooms, hours, closures and what else belongs to a site as files: the lines are the sheets that the pages of places edit."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

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
SHEETS_FILED = ("room", "room-hours", "closure", "special", "reserved", "resource", "resource-hours", "policy")
HOLIDAY = "holiday"
FILED = (*SHEETS_FILED, HOLIDAY)
"""The kinds of which there are so many, or at so many sites, that somebody wants a file."""
HOLIDAY_COLUMNS = (
    Column("site", "Its code", required=True),
    Column("holiday", "As the calendar of the site calls it", required=True),
    Column("choice", "closed, open, the hours between which it is open (10:00-14:00), or nothing: then it is what the site's others are"),
)


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


def columns(kind: str) -> tuple[str, ...]:
    return tuple(column.name for column in HOLIDAY_COLUMNS) if kind == HOLIDAY else tuple(field.name for field in SHEETS[kind].fields)


def export(session: Session, kind: str, site_ids: frozenset[int]) -> Iterator[Sequence[str]]:
    """A row for each thing of the sites, in the order of the columns."""
    if kind == HOLIDAY:
        yield from _holidays(session, site_ids)
        return
    sheet = SHEETS[kind]
    for key in queries.keys(session, sheet.name, site_ids):
        texts = sheet.read(session, key)
        if texts is not None:
            yield [texts[field.name] for field in sheet.fields]


def _begin(uow: UnitOfWork, sheet: Sheet) -> TakeOne:
    rights = rights_of(uow.session, uow.actor.id)

    def take(line: Line) -> None:
        with _saying(line), uow.savepoint():
            _take(uow, sheet, rights, line)

    return take


@contextmanager
def _saying(line: Line) -> Iterator[None]:
    """What speaks against a line is said of it."""
    try:
        yield
    except Wrong as wrong:
        for name, what in wrong.errors.items():
            line.wrong(name, what, "put it right, or take the line out")
    except HitsAppointments as hit:
        fix = "change it on the page Places: the appointments are listed there before anything is changed"
        (line.undecided if hit.may_go_on else line.wrong)("", hit.message, fix)


def _take(uow: UnitOfWork, sheet: Sheet, rights: Rights, line: Line) -> None:
    key = sheet.find(uow.session, dict(line.cells))
    stored = sheet.read(uow.session, key) if key is not None else None
    if stored is None and not sheet.is_added:
        raise Wrong({sheet.identity[0]: f"there is no {sheet.identity[0]} {line.cell(sheet.identity[0]) or '(empty)'}"})
    texts = (stored or {field.name: field.default for field in sheet.fields}) | dict(line.cells)
    _check_right(rights, sheet.site_of(uow.session, texts), sheet.identity[0])
    if key is None or stored is None:
        service.add(uow, sheet.name, texts, why=WHY)
        line.new()
        return
    service.change(uow, sheet.name, key, texts, known=version(stored), why=WHY)
    line.saved(*_differences(stored, sheet.read(uow.session, key) or {}))


def _check_right(rights: Rights, site_id: int | None, column: str) -> None:
    if site_id is not None and not rights.may(Permission.PLACE_MANAGE, site_id):
        raise Wrong({column: "it belongs to a site at which you manage no places"})


def _begin_holidays(uow: UnitOfWork) -> TakeOne:
    rights = rights_of(uow.session, uow.actor.id)

    def take(line: Line) -> None:
        with _saying(line), uow.savepoint():
            _take_holiday(uow, rights, line)

    return take


def _take_holiday(uow: UnitOfWork, rights: Rights, line: Line) -> None:
    """One holiday of a site; the others stay as they are."""
    sheet, name, choice = SHEETS["holidays"], line.cell("holiday"), line.cell("choice")
    key = sheet.find(uow.session, {"site": line.cell("site")})
    stored = sheet.read(uow.session, key) if key is not None else None
    if key is None or stored is None:
        raise Wrong({"site": f"there is no site {line.cell('site') or '(empty)'}"})
    _check_right(rights, key, "site")
    if name not in stored or name == "site":
        raise Wrong({"holiday": "there is no such holiday in the calendar of this site"})
    try:
        service.change(uow, sheet.name, key, stored | {name: choice}, known=version(stored), why=WHY)
    except Wrong as wrong:
        raise Wrong({"choice": wrong.errors.get(name, wrong.message)}) from wrong
    before, after = stored[name], (sheet.read(uow.session, key) or {})[name]
    line.saved(*({"choice": before}, {"choice": after}) if before != after else ({}, {}))


def _holidays(session: Session, site_ids: frozenset[int]) -> Iterator[Sequence[str]]:
    sheet = SHEETS["holidays"]
    for key in queries.keys(session, "policy", site_ids):
        texts = sheet.read(session, key) or {}
        yield from ((texts["site"], name, choice) for name, choice in texts.items() if name != "site")


def _differences(before: Mapping[str, str], after: Texts) -> tuple[Texts, Texts]:
    names = [name for name, text in after.items() if before.get(name) != text]
    return {name: before.get(name, "") for name in names}, {name: after[name] for name in names}


def _told(field: Field) -> str:
    choices = getattr(field, "choices", None)
    return f"{field.label}: {', '.join(choices)}" if choices else field.label


PLACES = (
    *(kind_of(SHEETS[name]) for name in SHEETS_FILED),
    Kind(
        HOLIDAY,
        "Holidays",
        "What a site makes of each holiday of its calendar. Holidays that the file does not name stay as they are.",
        Permission.PLACE_MANAGE,
        HOLIDAY_COLUMNS,
        ("site", "holiday"),
        lambda uow, _lines: _begin_holidays(uow),
        at_once=100,
        most_lines=MOST_LINES,
    ),
)
