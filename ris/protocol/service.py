"""What can be done with the protocol of an exam: claim, propose, approve, send back, reject, resubmit, reopen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ris.base.errors import Invalid, Stale
from ris.base.ids import new_id
from ris.base.machine import Requirement
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.order.status import NOT_STARTED
from ris.protocol.model import ExamProtocol, ProtocolCode
from ris.protocol.status import ANOTHERS, ANSWER, HAS_CONTENT, NOT_BEGUN, PROTOCOL, REASON, TARGET, ProtocolStatus, Urgency
from ris.task import service as task

LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Plan:
    """What a form says of how an exam shall be done."""

    codes: tuple[str, ...]
    instructions: str
    urgency: Urgency


@service
def claim(uow: UnitOfWork, procedure_id: int) -> ExamProtocol:
    """The actor has it on the desk now; somebody else may take it over, nothing is locked by it."""
    protocol, procedure = _get(uow, procedure_id)
    if protocol.status in (ProtocolStatus.pending, ProtocolStatus.proposed) and protocol.claimed_by_id != uow.actor.id:
        uow.touch()
        protocol.claimed_by_id, protocol.claimed_by = uow.actor.id, uow.actor.name
        _tell(uow, "protocol.claimed", protocol, procedure)
    return protocol


@service
def propose(uow: UnitOfWork, procedure_id: int, plan: Plan, *, row_version: int | None = None) -> ExamProtocol:
    """Hands a plan to somebody who may approve it. Raises Invalid, NotAllowedNow with what is missing, Stale."""
    protocol, procedure = _get(uow, procedure_id, row_version)
    _write(uow, protocol, plan)
    _go(uow, "propose", protocol, procedure)
    protocol.proposed_by_id, protocol.proposed_by = uow.actor.id, uow.actor.name
    _release(protocol)
    _tell(uow, "protocol.proposed", protocol, procedure, codes=protocol.codes, instructions=protocol.instructions)
    return protocol


@service
def approve(uow: UnitOfWork, procedure_id: int, plan: Plan, *, row_version: int | None = None) -> ExamProtocol:
    """From here on the exam is done so. Nobody approves what they proposed themselves. Raises as `propose`."""
    protocol, procedure = _get(uow, procedure_id, row_version)
    _write(uow, protocol, plan)
    _go(uow, "approve", protocol, procedure)
    target = TARGET.get(plan.urgency)
    protocol.target_at = uow.now + target if target else None
    protocol.approved_by, protocol.approved_at = uow.actor.name, uow.now
    _release(protocol)
    _tell(
        uow, "protocol.approved", protocol, procedure, codes=protocol.codes, instructions=protocol.instructions,
        urgency=protocol.urgency.value, target_at=protocol.target_at.isoformat() if protocol.target_at else None,
    )  # fmt: skip
    return protocol


@service
def send_back(uow: UnitOfWork, procedure_id: int, reason: str) -> ExamProtocol:
    """The proposal shall be written anew. Raises NotAllowedNow with what is missing."""
    protocol, procedure = _get(uow, procedure_id)
    _go(uow, "send_back", protocol, procedure, said=reason)
    _remark(uow, protocol, reason)
    _tell(uow, "protocol.sent_back", protocol, procedure, reason=protocol.remark)
    return protocol


@service
def reject(uow: UnitOfWork, procedure_id: int, reason: str) -> ExamProtocol:
    """Back to the desk, with a task: something has to be found out or changed first. Raises NotAllowedNow with what is missing."""
    protocol, procedure = _get(uow, procedure_id)
    _go(uow, "reject", protocol, procedure, said=reason)
    _remark(uow, protocol, reason)
    _release(protocol)
    task.open(uow, "protocol_rejected", Ref("procedure", procedure_id), protocol.remark, site_id=procedure.site_id)
    _tell(uow, "protocol.rejected", protocol, procedure, reason=protocol.remark)
    return protocol


@service
def resubmit(uow: UnitOfWork, procedure_id: int, answer: str) -> ExamProtocol:
    """The desk has found out what was asked. Raises NotAllowedNow with what is missing."""
    protocol, procedure = _get(uow, procedure_id)
    _go(uow, "resubmit", protocol, procedure, said=answer)
    _remark(uow, protocol, answer)
    task.settle(uow, "protocol_rejected", Ref("procedure", procedure_id))
    _tell(uow, "protocol.resubmitted", protocol, procedure, answer=protocol.remark)
    return protocol


@service
def reopen(uow: UnitOfWork, procedure_id: int) -> ExamProtocol:
    """An approved protocol is to be thought over again; until then the exam has none. Raises NotAllowedNow once it has begun."""
    protocol, procedure = _get(uow, procedure_id)
    _go(uow, "reopen", protocol, procedure)
    protocol.approved_by, protocol.approved_at, protocol.target_at = "", None, None
    protocol.proposed_by_id, protocol.proposed_by = None, ""
    _tell(uow, "protocol.reopened", protocol, procedure)
    return protocol


# ── reactions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def end_with_exam(uow: UnitOfWork, event: Event) -> None:
    """The exam was cancelled: nobody need think of its protocol any more."""
    protocol = _found(uow, event.about.id)
    if protocol is None or protocol.status is ProtocolStatus.cancelled:
        return
    uow.touch()
    protocol.status = PROTOCOL.go("cancel", protocol.status)
    task.settle(uow, "protocol_rejected", event.about)


def think_again(uow: UnitOfWork, event: Event) -> None:
    """The exam is another one now: what was thought of for the one before does not hold."""
    _begin_anew(uow, event, "think_again")


def restore_with_exam(uow: UnitOfWork, event: Event) -> None:
    """The exam was cancelled and is there again: somebody thinks of its protocol anew."""
    _begin_anew(uow, event, "restore")


def _begin_anew(uow: UnitOfWork, event: Event, step: str) -> None:
    protocol = _found(uow, event.about.id)
    if protocol is None or protocol.status not in PROTOCOL.by_name[step].sources:
        return
    procedure = orders.get_procedure(uow, event.about.id)
    uow.touch()
    protocol.status = PROTOCOL.go(step, protocol.status)
    protocol.codes, protocol.target_at = [], None
    protocol.approved_by, protocol.approved_at = "", None
    protocol.proposed_by_id, protocol.proposed_by = None, ""
    _tell(uow, "protocol.reopened", protocol, procedure, reason=event.facts["reason"])


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _get(uow: UnitOfWork, procedure_id: int, row_version: int | None = None) -> tuple[ExamProtocol, RequestedProcedure]:
    """The protocol of an exam, a new one where nobody has begun; the order is locked, so that there is one only."""
    procedure = orders.get_procedure(uow, procedure_id)
    protocol = _found(uow, procedure_id)
    if row_version is not None and row_version != (protocol.row_version if protocol else 0):
        raise Stale("somebody else has worked on this protocol in the meantime: look at it again")
    if protocol is None:
        protocol = uow.add(
            ExamProtocol(
                id=new_id(), procedure_id=procedure_id, status=ProtocolStatus.pending, codes=[], instructions="", urgency=Urgency.elective
            )
        )  # fmt: skip
    return protocol, procedure


def _found(uow: UnitOfWork, procedure_id: int) -> ExamProtocol | None:
    return uow.session.scalars(sa.select(ExamProtocol).where(ExamProtocol.procedure_id == procedure_id)).one_or_none()


def _go(uow: UnitOfWork, name: str, protocol: ExamProtocol, procedure: RequestedProcedure, said: str = "") -> None:
    def holds(requirement: Requirement) -> bool:
        if requirement is HAS_CONTENT:
            return bool(protocol.codes or protocol.instructions)
        if requirement is ANOTHERS:
            return protocol.proposed_by_id != uow.actor.id
        if requirement is NOT_BEGUN:
            return procedure.status in NOT_STARTED
        return bool(said.strip()) if requirement in (REASON, ANSWER) else True

    target = PROTOCOL.go(name, protocol.status, holds)
    uow.touch()
    protocol.status = target


def _write(uow: UnitOfWork, protocol: ExamProtocol, plan: Plan) -> None:
    """Raises Invalid for a code that is not in use, and for a text that is too long."""
    if len(plan.instructions) > LONGEST_TEXT:
        raise Invalid(f"instructions have at most {LONGEST_TEXT} characters")
    _check_codes(uow, plan.codes)
    uow.touch()
    protocol.codes, protocol.instructions, protocol.urgency = list(plan.codes), plan.instructions.strip(), plan.urgency


def _check_codes(uow: UnitOfWork, codes: Sequence[str]) -> None:
    known = set(uow.session.scalars(sa.select(ProtocolCode.code).where(ProtocolCode.code.in_(codes), ProtocolCode.active)))
    if unknown := [code for code in codes if code not in known]:
        raise Invalid(f"there is no protocol {unknown[0]} in use")


def _remark(uow: UnitOfWork, protocol: ExamProtocol, text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise Invalid(f"a remark has at most {LONGEST_TEXT} characters")
    protocol.remark, protocol.remark_by = text.strip(), uow.actor.name


def _release(protocol: ExamProtocol) -> None:
    protocol.claimed_by_id, protocol.claimed_by = None, ""


def _tell(uow: UnitOfWork, name: str, protocol: ExamProtocol, procedure: RequestedProcedure, **facts: Any) -> None:
    uow.emit(orders.procedure_event(name, procedure, Ref("protocol", protocol.id), **facts))
