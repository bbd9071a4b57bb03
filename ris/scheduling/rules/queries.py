"""What pages show of rules: the list, one with its history, the answers given for an exam."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.audit.model import AuditEntry
from ris.catalog.model import Site
from ris.scheduling.rules.model import Moment, Rule, RuleAnswer, Severity

HISTORY_SHOWN = 50


@dataclass(frozen=True, slots=True)
class RuleRow:
    id: int
    row_version: int
    name: str
    kind: str
    severity: Severity
    moment: Moment
    override: str
    site_id: int | None
    site_name: str | None
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AnswerRow:
    rule_name: str
    severity: Severity
    found: str
    reason: str
    answered_by: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change of a rule: names to values before and after; nothing before it was added."""

    at: datetime
    who: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def rules(session: Session, *where: sa.ColumnElement[bool]) -> list[RuleRow]:
    rows = session.execute(
        sa.select(
            Rule.id,
            Rule.row_version,
            Rule.name,
            Rule.kind,
            Rule.severity,
            Rule.moment,
            Rule.override,
            Rule.site_id,
            Site.name,
            Rule.parameters,
        )
        .outerjoin(Site, Site.id == Rule.site_id)
        .where(*where)
        .order_by(Rule.name)
    )
    return [RuleRow(*tuple(row)) for row in rows]


def rule(session: Session, rule_id: int) -> RuleRow | None:
    return next(iter(rules(session, Rule.id == rule_id)), None)


def history(session: Session, rule_id: int) -> list[ChangeRow]:
    """Newest first, from the trail."""
    rows = session.execute(
        sa.select(AuditEntry.at, AuditEntry.actor_name, AuditEntry.detail)
        .where(AuditEntry.object_kind == "rule", AuditEntry.object_id == rule_id, AuditEntry.what.like("scheduling.rule_%"))
        .order_by(AuditEntry.id.desc())
        .limit(HISTORY_SHOWN)
    )
    return [ChangeRow(at, who, detail.get("before", {}), detail.get("after", detail)) for at, who, detail in rows]


def answers(session: Session, procedure_id: int) -> Sequence[AnswerRow]:
    """The reasons given for an exam, in their order."""
    of = RuleAnswer
    rows = session.execute(
        sa.select(of.rule_name, of.severity, of.found, of.reason, of.answered_by, of.answered_at)
        .where(of.procedure_id == procedure_id)
        .order_by(of.answered_at, of.id)
    )
    return [AnswerRow(*row) for row in rows]
