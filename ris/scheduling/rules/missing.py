"""Orders that lack something: computed from the catalogue and the rules each time, so that a fact that arrives takes its row away."""

import enum
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Procedure, Site
from ris.order.listed import ListedExam, listed
from ris.order.model import Order, RequestedProcedure
from ris.order.status import NOT_STARTED, PRIORITY_RANK
from ris.patient.model import Coverage, Observation, ObservationKind, Patient, Question, ScreeningAnswer, Sex, Visit
from ris.patient.safety import PREGNANT
from ris.scheduling.rules import selector
from ris.scheduling.rules.model import Rule, Severity

SHOWN = 100
"""So many orders of each kind, the most urgent and oldest first."""


class Lack(enum.StrEnum):
    """What an order can lack, in the order of the list."""

    code = "code"
    side = "side"
    reason = "reason"
    telephone = "telephone"
    weight = "weight"
    kidneys = "kidneys"
    pregnancy = "pregnancy"
    coverage = "coverage"


@dataclass(frozen=True, slots=True)
class LackingRow(ListedExam):
    """An order that lacks something; times are UTC, `zone` is the site's."""

    order_id: int
    filler_number: str
    placed_at: datetime
    orderer_name: str
    callback: str
    partner_id: int | None
    partner_code: str
    partner_text: str
    site_id: int
    site_name: str
    zone: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """The orders that lack one thing."""

    lack: Lack
    count: int
    rows: tuple[LackingRow, ...]


_COLUMNS = (
    Order.id, Order.filler_number, Order.placed_at, Order.orderer_name, Order.callback, Order.partner_id, RequestedProcedure.partner_code,
    RequestedProcedure.partner_text, Site.id, Site.name, Site.zone,
)  # fmt: skip


def lacking(session: Session, site_ids: Collection[int], now: datetime, only: Lack | None = None) -> list[Lacking]:
    """What exams that have not begun lack, by what it is; kinds that nothing lacks are left out. `only` restricts to one kind."""
    found = []
    for lack, condition in _conditions(session, now).items():
        if only in (None, lack):
            count, rows = _rows(session, site_ids, condition)
            if rows:
                found.append(Lacking(lack, count, rows))
    return found


def lacks(session: Session, procedure_id: int, now: datetime) -> frozenset[Lack]:
    """What one exam lacks."""
    asked = [(lack, sa.select(sa.exists(_of_open(condition).where(RequestedProcedure.id == procedure_id))))
             for lack, condition in _conditions(session, now).items()]  # fmt: skip
    return frozenset(lack for lack, wanted in asked if session.scalar(wanted))


def _of_open(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return (
        listed(*_COLUMNS)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .outerjoin(Visit, Visit.id == Order.visit_id)
        .where(RequestedProcedure.status.in_(NOT_STARTED), condition)
    )


def _rows(session: Session, site_ids: Collection[int], condition: sa.ColumnElement[bool]) -> tuple[int, tuple[LackingRow, ...]]:
    wanted = (
        _of_open(condition)
        .add_columns(sa.func.count().over())
        .where(RequestedProcedure.site_id.in_(site_ids))
        .order_by(sa.case(PRIORITY_RANK, value=Order.priority), Order.placed_at, RequestedProcedure.id)
        .limit(SHOWN)
    )
    rows = session.execute(wanted).all()
    return (rows[0][-1] if rows else 0), tuple(LackingRow(*row[:-1]) for row in rows)


# ── what is needed of which exam ─────────────────────────────────────────────────────────────────────────────────────


def _conditions(session: Session, now: datetime) -> Mapping[Lack, sa.ColumnElement[bool]]:
    """Of the catalogue the code and the side; the rest of the rules: who needs it, and how old it may be."""
    found: dict[Lack, sa.ColumnElement[bool]] = {
        Lack.code: RequestedProcedure.procedure_id.is_(None),
        Lack.side: sa.and_(Procedure.sided, RequestedProcedure.laterality == ""),
    }
    kinds = session.execute(sa.select(Procedure.id, Procedure.code, Procedure.modality, Procedure.contrast)).all()
    for rule in session.scalars(sa.select(Rule).where(Rule.severity != Severity.off, Rule.kind.in_(_ASKED)).order_by(Rule.id)):
        exams = [row.id for row in kinds if selector.matches(rule.parameters["exams"], selector.Kind(row.code, row.modality, row.contrast))]
        here = sa.true() if rule.site_id is None else RequestedProcedure.site_id == rule.site_id
        for lack, condition in _ASKED[rule.kind](rule.parameters, now):
            asked = sa.and_(RequestedProcedure.procedure_id.in_(exams), here, condition)
            found[lack] = sa.or_(found[lack], asked) if lack in found else asked
    return {lack: found[lack] for lack in Lack if lack in found}


def _data(parameters: Mapping[str, Any], now: datetime) -> Iterator[tuple[Lack, sa.ColumnElement[bool]]]:
    lack = Lack(parameters["what"])
    if lack is Lack.reason:
        yield lack, sa.func.trim(Order.reason) == ""
    elif lack is Lack.telephone:
        yield lack, sa.func.trim(Order.callback) == ""
    elif lack is Lack.coverage:
        yield lack, ~_of_patient(Coverage, Coverage.ended_at.is_(None), *_is_valid(now))
    else:
        yield lack, ~_observed((ObservationKind.weight,), now, parameters["days"])


def _renal(parameters: Mapping[str, Any], now: datetime) -> Iterator[tuple[Lack, sa.ColumnElement[bool]]]:
    yield Lack.kidneys, ~_observed((ObservationKind.egfr, ObservationKind.creatinine), now, parameters["days"])


def _pregnancy(parameters: Mapping[str, Any], now: datetime) -> Iterator[tuple[Lack, sa.ColumnElement[bool]]]:
    """Whoever may be pregnant by age and sex, of whom nobody has said it in time."""
    today, days = now.date(), parameters["days"]
    youngest, oldest = (today - timedelta(days=round(years * 365.25)) for years in (parameters["age_from"], parameters["age_to"] + 1))
    is_of_age = sa.or_(Patient.birth_date.is_(None), Patient.birth_date.between(oldest, youngest))
    holds = sa.or_(ScreeningAnswer.holds_until.is_(None), ScreeningAnswer.holds_until > now)
    since = ScreeningAnswer.answered_at >= now - timedelta(days=days)
    answered = _of_patient(ScreeningAnswer, ScreeningAnswer.question == Question.pregnancy, since, holds)
    value = sa.func.lower(Observation.value)
    is_said = sa.not_(sa.or_(value == "u", *(value.like(f"{word}%") for word in ("unk", "not known", "indeterm"))))
    told = _observed((ObservationKind.pregnancy,), now, days, is_said)
    with_visit = sa.func.coalesce(Visit.ambulatory_status, "").like(f"%{PREGNANT}%")
    yield Lack.pregnancy, sa.and_(Patient.sex != Sex.male, is_of_age, ~answered, ~told, ~with_visit)


_ASKED = {"data": _data, "renal": _renal, "pregnancy": _pregnancy}
"""Kinds of rule of which the list knows what they need."""


def _of_patient(model: Any, *where: sa.ColumnElement[bool]) -> sa.Exists:
    return sa.exists().where(model.patient_id == Patient.id, *where).correlate(Patient)


def _observed(kinds: Collection[ObservationKind], now: datetime, days: int, *more: sa.ColumnElement[bool]) -> sa.Exists:
    is_there = Observation.status.not_in(("D", "W", "X"))
    since = Observation.observed_at >= now - timedelta(days=days)
    return _of_patient(Observation, Observation.kind.in_(kinds), is_there, since, *more)


def _is_valid(now: datetime) -> Iterator[sa.ColumnElement[bool]]:
    today = now.date()
    yield sa.or_(Coverage.valid_from.is_(None), Coverage.valid_from <= today)
    yield sa.or_(Coverage.valid_to.is_(None), Coverage.valid_to >= today)
