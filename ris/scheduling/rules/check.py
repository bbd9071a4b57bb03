"""Holds a booking, and the start of an exam, to the rules: what they find, what of it is answered, and the answers kept."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Forbidden, Invalid
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Site
from ris.order import service as orders
from ris.order.held import held
from ris.order.model import Order, RequestedProcedure
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.rules.facts import Facts, gather
from ris.scheduling.rules.finding import AgainstRules, Finding, OnHold, Way
from ris.scheduling.rules.kinds import KINDS
from ris.scheduling.rules.model import Moment, Rule, RuleAnswer, Severity
from ris.staff.queries import rights_of

Answers = Mapping[str, str]
"""Key of a finding to the reason for which somebody goes on."""
NO_ANSWERS: Answers = {}
LONGEST_REASON = 500
_RANK = {Severity.block: 0, Severity.warn: 1}


class Spot(Protocol):
    """A room and a span of time, as the search for slots and an appointment name them."""

    @property
    def room_id(self) -> int: ...
    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime: ...


def findings(
    session: Session,
    now: datetime,
    *,
    procedure_id: int,
    site_id: int,
    room_id: int,
    starts_at: datetime,
    ends_at: datetime,
    moment: Moment = Moment.booking,
) -> tuple[Finding, ...]:
    """Everything that speaks against an exam in a room at a time, what blocks first; `moment` is booking or start."""
    rules = _rules(session, site_id, moment)
    if not rules:
        return ()
    return judged(rules, gather(session, now, procedure_id, room_id, starts_at, ends_at))


def judged(rules: Sequence[Rule], facts: Facts) -> tuple[Finding, ...]:
    """What the rules say to the facts, what blocks first."""
    found = [
        Finding(
            rule.id, rule.row_version, rule.name, rule.severity, rule.override, objection.text, objection.ways, objection.other
        )
        for rule in rules
        for objection in KINDS[rule.kind].check(facts, rule.parameters)
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda finding: (_RANK[finding.severity], finding.rule, finding.text)))


@service
def answer_ahead(uow: UnitOfWork, procedure_id: int, spot: Spot, answers: Answers) -> int:
    """Says why an exam may be booked although rules speak against it at a place and time, before anybody books it.

    What is left without a reason stays open. Returns how many were answered; raises Invalid for none, Forbidden as `hold_to_rules`.
    """
    procedure = orders.get_procedure(uow, procedure_id)
    given = tuple(one for one in open_at(uow.session, uow.now, procedure_id, procedure.site_id, spot) if answers.get(one.key, "").strip())
    if not given:
        raise Invalid("no reason is given", error_code="101")
    _check_right(uow, procedure.site_id, given)
    for finding in given:
        _keep(uow, procedure, None, finding, answers[finding.key].strip())
    return len(given)


def held_finding(session: Session, procedure_id: int) -> Finding | None:
    """That the order of an exam is on hold: it blocks every booking, and no rule of the table switches that off."""
    order, zone = session.execute(
        sa.select(Order, Site.zone)
        .select_from(RequestedProcedure)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .where(RequestedProcedure.id == procedure_id)
    ).one()
    why = held(order, zone)
    if why is None:
        return None
    ways = (
        Way("Release the order on its page", Ref("order", order.id)),
        Way(f"Ask {order.held_by or 'whoever holds it'} how long it shall be held"),
        Way("Leave it waiting: a hold with an end raises a task when it ends"),
    )
    text = f"{why.text[:1].upper()}{why.text[1:]}"
    return Finding(0, 0, "Order on hold", Severity.block, "", text, ways, Ref("order", order.id))


def refuse_held(session: Session, procedure_ids: Collection[int]) -> None:
    """Raises OnHold for exams whose order is on hold."""
    found = tuple(finding for procedure_id in procedure_ids if (finding := held_finding(session, procedure_id)))
    if found:
        raise OnHold(found)


def open_at(session: Session, now: datetime, procedure_id: int, site_id: int, spot: Spot) -> tuple[Finding, ...]:
    """What speaks against booking an exam at a place and time, and was not answered before."""
    on_hold = held_finding(session, procedure_id)
    found = findings(
        session, now, procedure_id=procedure_id, site_id=site_id, room_id=spot.room_id, starts_at=spot.starts_at, ends_at=spot.ends_at
    )
    return (*((on_hold,) if on_hold else ()), *_not_answered(session, procedure_id, found))


def open_findings(session: Session, now: datetime, step: ScheduledProcedureStep, moment: Moment = Moment.booking) -> tuple[Finding, ...]:
    """What speaks against an appointment and was not answered before."""
    found = findings(
        session, now, procedure_id=step.procedure_id, site_id=step.site_id, room_id=step.room_id, starts_at=step.starts_at,
        ends_at=step.ends_at, moment=moment,
    )  # fmt: skip
    return _not_answered(session, step.procedure_id, found)


def hold_to_rules(
    uow: UnitOfWork, procedure: RequestedProcedure, step: ScheduledProcedureStep, answers: Answers, moment: Moment = Moment.booking
) -> None:
    """Lets an appointment be, or begin, when nothing speaks against it that is not answered, and keeps the answers.

    Raises AgainstRules with all that is open, Forbidden for an answer to a rule that the actor has no right to override.
    """
    new = open_findings(uow.session, uow.now, step, moment)
    if any(not answers.get(finding.key, "").strip() for finding in new):
        raise AgainstRules(new)
    _check_right(uow, procedure.site_id, new)
    for finding in new:
        _keep(uow, procedure, step, finding, answers[finding.key].strip())


def decides(session: Session, site_id: int, kind: str) -> bool:
    """Whether a rule of that kind is held to bookings at a site."""
    return any(rule.kind == kind for rule in _rules(session, site_id, Moment.booking))


def _rules(session: Session, site_id: int, moment: Moment) -> Sequence[Rule]:
    wanted = sa.select(Rule).where(
        Rule.severity != Severity.off, Rule.moment.in_((moment, Moment.both)), sa.or_(Rule.site_id.is_(None), Rule.site_id == site_id)
    )
    return session.scalars(wanted.order_by(Rule.id)).all()


def _not_answered(session: Session, procedure_id: int, found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    if not found:
        return ()
    known = set(session.scalars(sa.select(RuleAnswer.key).where(RuleAnswer.procedure_id == procedure_id)))
    return tuple(finding for finding in found if finding.key not in known)


def _check_right(uow: UnitOfWork, site_id: int, answered: tuple[Finding, ...]) -> None:
    blocking = [finding for finding in answered if finding.blocks]
    if not blocking:
        return
    rights = rights_of(uow.session, uow.actor.id)
    for finding in blocking:
        if not finding.override or uow.actor.kind != "user" or not rights.may(finding.override, site_id):
            raise Forbidden(f"the rule {finding.rule} blocks this, and you have no right to override it")


def _keep(uow: UnitOfWork, procedure: RequestedProcedure, step: ScheduledProcedureStep | None, finding: Finding, reason: str) -> None:
    if len(reason) > LONGEST_REASON:
        raise Invalid(f"a reason has at most {LONGEST_REASON} characters")
    uow.add(
        RuleAnswer(
            id=new_id(), procedure_id=procedure.id, step_id=step.id if step else None, rule_id=finding.rule_id,
            rule_version=finding.rule_version, key=finding.key, rule_name=finding.rule, severity=finding.severity, found=finding.text,
            reason=reason, answered_by=uow.actor.name, answered_at=uow.now,
        )
    )  # fmt: skip
    facts = {"rule": finding.rule, "severity": finding.severity.value, "reason": reason}
    uow.emit(orders.procedure_event("scheduling.rule_answered", procedure, Ref("step", step.id) if step else None, **facts))
