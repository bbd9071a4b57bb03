"""The limits of the safety rules, for whoever else looks at kidneys and pregnancy: one place for them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Procedure
from ris.order.model import RequestedProcedure
from ris.patient.safety import LOWEST_EGFR
from ris.scheduling.rules.model import Rule, Severity
from ris.scheduling.rules.selector import Kind, matches


@dataclass(frozen=True, slots=True)
class Limits:
    """The defaults hold for an exam that no rule is about."""

    lowest_egfr: int = LOWEST_EGFR
    """ml/min/1.73 m²."""
    kidney_days: int = 90
    """So long a value holds."""
    asked_from: int = 12
    asked_to: int = 55
    """Years of age in which a woman is asked whether she is pregnant, both included."""
    pregnancy_days: int = 7
    """So long an answer holds."""


def limits_of(session: Session, site_id: int, exam: Kind) -> Limits:
    """Of the rules of the site that are about the exam; of several of one kind the strictest."""
    wanted = sa.select(Rule).where(
        Rule.severity != Severity.off, Rule.kind.in_(("renal", "pregnancy")), sa.or_(Rule.site_id.is_(None), Rule.site_id == site_id)
    )
    rules = [rule for rule in session.scalars(wanted.order_by(Rule.id)) if matches(rule.parameters["exams"], exam)]
    limits = _of_kidneys(Limits(), [rule for rule in rules if rule.kind == "renal"])
    return _of_pregnancy(limits, [rule for rule in rules if rule.kind == "pregnancy"])


def limits_for(session: Session, procedure_id: int) -> Limits:
    """As `limits_of`, of a requested procedure."""
    row = session.execute(
        sa.select(RequestedProcedure.site_id, Procedure.code, Procedure.modality, Procedure.contrast)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(RequestedProcedure.id == procedure_id)
    ).one_or_none()
    return limits_of(session, row.site_id, Kind(row.code, row.modality, row.contrast)) if row else Limits()


def _of_kidneys(limits: Limits, rules: Iterable[Rule]) -> Limits:
    said = [rule.parameters for rule in rules]
    if not said:
        return limits
    return replace(limits, lowest_egfr=max(one["lowest"] for one in said), kidney_days=min(one["days"] for one in said))


def _of_pregnancy(limits: Limits, rules: Iterable[Rule]) -> Limits:
    said = [rule.parameters for rule in rules]
    if not said:
        return limits
    ages = {"asked_from": min(one["age_from"] for one in said), "asked_to": max(one["age_to"] for one in said)}
    return replace(limits, **ages, pregnancy_days=min(one["days"] for one in said))
