"""Entries of the audit trail as a person reads them: names and numbers instead of keys."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.audit.queries import EntryRow
from ris.base.csv_text import csv_text
from ris.catalog.model import Site
from ris.order.model import RequestedProcedure
from ris.partner.model import Destination, Partner
from ris.patient.search import names
from ris.staff.model import Role, User


@dataclass(frozen=True, slots=True)
class Line:
    entry: EntryRow
    patient: str
    exam: str
    site: str
    about: str
    detail: str


_NAMED = {
    "role_id": (Role.id, Role.name),
    "partner_id": (Partner.id, Partner.name),
    "placer_partner_id": (Partner.id, Partner.name),
    "destination_id": (Destination.id, Destination.name),
}
"""Keys in the details that a person would rather read as a name."""

COLUMNS = ("time", "person", "kind", "place", "action", "what", "about", "patient", "exam", "site", "outcome", "details", "entry", "sealed")


def lines(session: Session, rows: list[EntryRow]) -> list[Line]:
    patients = names(session, {row.patient_id for row in rows if row.patient_id})
    exams = _labels(session, RequestedProcedure.id, RequestedProcedure.accession_number, _procedure_ids(rows))
    sites = _labels(session, Site.id, Site.code, {row.site_id for row in rows if row.site_id})
    logins = _labels(session, User.id, User.login, {row.object_id for row in rows if row.object_kind == "user"})
    named = {name: _labels(session, key, label, _values_of(rows, name)) for name, (key, label) in _NAMED.items()}
    return [
        Line(
            row,
            patients.get(row.patient_id or 0, f"no. {row.patient_id}" if row.patient_id else ""),
            exams.get(row.procedure_id or row.object_id, ""),
            sites.get(row.site_id or 0, ""),
            f"user {logins[row.object_id]}" if row.object_kind == "user" and row.object_id in logins else row.object_kind.replace("_", " "),
            _detail(row.detail, named),
        )
        for row in rows
    ]


def csv_parts(parts: Iterable[list[Line]]) -> Iterator[str]:
    """The lines as RFC 4180 text, part by part; no cell is taken for a formula by the program that opens it."""
    yield csv_text([COLUMNS])
    for part in parts:
        yield csv_text(_cells(line) for line in part)


def _cells(line: Line) -> tuple[str, ...]:
    row = line.entry
    return (
        row.at.isoformat(), row.actor_name, row.actor_kind, row.place, row.action, row.what, line.about, line.patient, line.exam,
        line.site, row.outcome, line.detail, str(row.id), "yes" if row.is_sealed else "no",
    )  # fmt: skip


def _procedure_ids(rows: list[EntryRow]) -> set[int]:
    return {row.procedure_id or row.object_id for row in rows if row.procedure_id or row.object_kind == "procedure"}


def _labels(session: Session, key: Any, label: Any, ids: set[int]) -> dict[int, str]:
    return dict(session.execute(sa.select(key, label).where(key.in_(ids))).all())


def _values_of(rows: list[EntryRow], name: str) -> set[int]:
    return {row.detail[name] for row in rows if isinstance(row.detail.get(name), int)}


def _detail(detail: Mapping[str, Any], named: Mapping[str, Mapping[int, str]]) -> str:
    said = []
    for name, value in detail.items():
        if value not in ("", None, {}, []):
            label = named[name].get(value) if name in named and isinstance(value, int) else None
            words = name.removesuffix("_id") if label else name
            said.append(f"{words.replace('_', ' ')}: {label or _value(value)}")
    return ", ".join(said)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_value(inner)}" for name, inner in value.items())
    return ", ".join(_value(inner) for inner in value) if isinstance(value, list) else str(value)
