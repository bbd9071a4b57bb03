"""What a worklist is made of: lines of cells, filters, and what can be done with a line."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local, which_of_two
from ris.base.uow import UnitOfWork
from ris.catalog.model import ReasonKind, Site
from ris.order.status import Priority
from ris.patient import alerts
from ris.patient.alerts import Alert
from ris.questionnaire.queries import Needed, open_count
from ris.scheduling.queries import Span, day_span
from ris.staff.permission import Permission


@dataclass(frozen=True, slots=True)
class Cell:
    """`kind` chooses how the page draws it: text, strong, time, priority, status, person or waiting."""

    text: str
    kind: str = "text"
    note: str = ""
    """Second line, in small letters."""
    level: str = ""
    """ok, soon or late: said in words too, never by colour alone."""
    patient_id: int | None = None
    """Whose alerts stand beside it."""
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    procedure_id: int
    is_stat: bool
    cells: tuple[Cell, ...]
    does: tuple[str, ...] = ()
    """The names of what can be done with it now."""
    facets: Mapping[str, str] = field(default_factory=dict)
    """Values that the list can be narrowed by."""
    sought: str = ""
    """What the text filter looks into, in lower case."""
    barred: Mapping[str, str] = field(default_factory=dict)
    """The names of what would be next to do with it but cannot be, to what is missing and who mends it."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a person does with a line, at once (`run`) or on a page of its own (`opens`)."""

    name: str
    label: str
    key: str
    run: Callable[[UnitOfWork, int, str], None] | None = None
    """With the requested procedure's id and the answer."""
    done: str = ""
    style: str = "outline-primary"
    ask: str = ""
    """The question whose answer goes with it."""
    must_answer: bool = False
    reasons: ReasonKind | None = None
    """What kind of reason the answer is."""
    leads_to: str = ""
    """Endpoint of the page that opens afterwards; empty: the list again."""
    opens: str = ""
    """Endpoint of the page on which it is done; the filters of the list go with it."""


@dataclass(frozen=True, slots=True)
class View:
    """For whom, where and when a list is shown."""

    user_id: int
    zones: Mapping[int, str]
    """Site to its zone."""
    now: datetime
    on: date | None = None
    """None: today by each site's own clock."""

    def days(self) -> dict[int, Span]:
        return {site_id: day_span(self.on or local(self.now, zone).date(), zone) for site_id, zone in self.zones.items()}


@dataclass(frozen=True, slots=True)
class Worklist:
    name: str
    title: str
    permission: Permission
    columns: tuple[str, ...]
    facets: tuple[str, ...]
    lines: Callable[[Session, View], list[Line]]
    deeds: tuple[Deed, ...]
    empty: str
    is_dated: bool = True
    """Whether another day than today can be shown."""
    is_personal: bool = False
    """Whether it shows something else to another person with the same rights."""

    def deed(self, name: str) -> Deed | None:
        return next((deed for deed in self.deeds if deed.name == name), None)


def zones_of(session: Session, site_ids: frozenset[int]) -> dict[int, str]:
    rows = session.execute(sa.select(Site.id, Site.zone).where(Site.id.in_(site_ids)).order_by(Site.id))
    return dict(rows.all())


def narrowed(lines: list[Line], filters: Mapping[str, str]) -> list[Line]:
    """The lines that hold every word of the filter `q` and have each facet that is chosen."""
    words = filters.get("q", "").lower().split()
    chosen = {name: value for name, value in filters.items() if value and name not in ("q", "date")}
    return [
        line
        for line in lines
        if all(word in line.sought for word in words) and all(line.facets.get(name) == value for name, value in chosen.items())
    ]


def keyed(lines: Iterable[Line]) -> list[tuple[str, Line]]:
    """Each line with what tells it from the others: its exam, and which of the exam's lines it is."""
    count: Counter[int] = Counter()
    rows = []
    for line in lines:
        count[line.procedure_id] += 1
        again = count[line.procedure_id]
        rows.append((f"{line.procedure_id}-{again}" if again > 1 else str(line.procedure_id), line))
    return rows


def split(names: tuple[str, ...], why_not: Callable[[str], str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """What can be done now, and what cannot with the reason; `why_not` is empty for what can."""
    reasons = {name: why_not(name) for name in names}
    return tuple(name for name, reason in reasons.items() if not reason), {name: reason for name, reason in reasons.items() if reason}


def patient_cell(row: Any) -> Cell:
    """The name with the two identifiers that tell one patient from another."""
    born = f"{row.birth_date:%Y-%m-%d}" if row.birth_date else "birth date unknown"
    return Cell(row.patient_name, "strong", f"{born} · {row.mrn or 'no number'}", patient_id=row.patient_id)


def with_alerts(session: Session, lines: list[Line], now: datetime) -> list[Line]:
    """The lines with what must be known of their patients beside the names."""
    patient_ids = {cell.patient_id for line in lines for cell in line.cells if cell.patient_id is not None}
    found = alerts.of_patients(session, patient_ids, now)
    return [_with_alerts(line, found) if any(cell.patient_id in found for cell in line.cells) else line for line in lines]


def _with_alerts(line: Line, found: Mapping[int, tuple[Alert, ...]]) -> Line:
    return replace(line, cells=tuple(replace(cell, alerts=found.get(cell.patient_id or 0, ())) for cell in line.cells))


def exam_cell(row: Any) -> Cell:
    return Cell(row.procedure_name, note=row.accession_number)


def with_forms(cell: Cell, asked: Collection[Needed]) -> Cell:
    """The cell of an exam that also says how many forms are still to be filled."""
    count = open_count(asked)
    return replace(cell, note=f"{cell.note} · {count} form{'s' if count > 1 else ''} to fill") if count else cell


def priority_cell(priority: Priority) -> Cell:
    return Cell(priority.value, "priority")


def sought(row: Any) -> str:
    return f"{row.patient_name} {row.mrn or ''} {row.accession_number} {row.procedure_name}".lower()


def duration(minutes: int) -> str:
    """Minutes as a person says them: `12 min`, `3 h 05`, `2 d 4 h`."""
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02}" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def clock_cell(moment: datetime, zone: str, view: View, note: str = "", level: str = "") -> Cell:
    """The wall clock of the site, with the date where it is not today.

    With its zone where the time comes twice, and where the list shows sites of several zones.
    """
    there = local(moment, zone)
    text = f"{there:%H:%M}" if there.date() == local(view.now, zone).date() else f"{there:%d %b %H:%M}"
    is_said = len(set(view.zones.values())) > 1 or which_of_two(moment, zone)
    return Cell(f"{text} {there:%Z}" if is_said else text, "time", note, level)
