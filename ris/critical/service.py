"""What can be done with a critical result: noted, told, taken back."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.base.ids import new_id
from ris.base.machine import Requirement
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.critical.model import CriticalCall, CriticalClass, CriticalResult, EscalationStep
from ris.critical.status import CRITICAL, LIVE, CriticalStatus, Outcome, Way
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.report.model import ReportProcedure
from ris.task import service as task

LONGEST = 500
OVERDUE, TAKEN_BACK = "critical_overdue", "critical_taken_back"
_CLOCKS_DIFFER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Call:
    """One try to tell somebody, as it is written down."""

    at: datetime
    teller: str
    receiver: str
    way: Way
    outcome: Outcome
    number: str = ""
    note: str = ""


@service
def flag(uow: UnitOfWork, *, procedure_id: int, class_id: int, detail: str) -> CriticalResult:
    """Notes a critical result of the exam's report; its time begins now.

    Raises NotAllowedNow for an exam without a report, Invalid for what the class wants said.
    """
    procedure = orders.get_procedure(uow, procedure_id)
    link = uow.session.get(ReportProcedure, procedure_id)
    if link is None:
        raise NotAllowedNow("this exam has no report yet: begin to read it first")
    kind = uow.session.get(CriticalClass, class_id)
    if kind is None or not kind.active:
        raise Invalid("choose one of the classes that are in use", error_code="101")
    said = detail.strip()
    _refuse_long(said)
    if kind.needs_detail and not said:
        raise Invalid(f"{kind.name}: say what was found", error_code="101")
    due_at = uow.now + kind.limit
    result = uow.add(
        CriticalResult(
            id=new_id(), report_id=link.report_id, procedure_id=procedure_id, site_id=procedure.site_id, critical_class_id=kind.id,
            detail=said, status=CriticalStatus.open, flagged_by_id=uow.actor.id, flagged_at=uow.now, due_at=due_at, escalate_at=due_at,
        )
    )  # fmt: skip
    uow.session.flush()
    uow.emit(event(uow, "critical.flagged", result, due_at=due_at.isoformat(), kind=kind.code))
    return result


@service
def tell(uow: UnitOfWork, result_id: int, call: Call) -> CriticalResult:
    """Writes down one try. Who was told closes it, where the class asks for a read-back only with that.

    Raises Invalid for what is missing, NotAllowedNow for one that is closed or taken back.
    """
    result = locked(uow, result_id)
    kind = uow.session.get_one(CriticalClass, result.critical_class_id)
    is_reached = call.outcome is not Outcome.not_reached
    _refuse_incomplete(uow, kind, call, is_reached=is_reached)
    is_enough = call.outcome is Outcome.read_back or not kind.needs_read_back
    target = CRITICAL.go("close" if is_reached and is_enough else "tell", result.status)
    uow.add(
        CriticalCall(
            id=new_id(), critical_result_id=result_id, at=call.at, teller=call.teller.strip(), receiver=call.receiver.strip(),
            number=call.number.strip(), way=call.way, outcome=call.outcome, note=call.note.strip(), written_by_id=uow.actor.id,
            written_at=uow.now,
        )
    )  # fmt: skip
    uow.touch()
    if is_reached:
        result.status = target
    if target is CriticalStatus.closed:
        _end(uow, result, "")
    uow.session.flush()
    uow.emit(event(uow, "critical.told" if is_reached else "critical.not_reached", result, outcome=call.outcome, way=call.way))
    return result


@service
def withdraw(uow: UnitOfWork, result_id: int, reason: str) -> CriticalResult:
    """It does not hold; who was told of it already must be told that too: a task says so. Raises NotAllowedNow without a reason."""
    result = locked(uow, result_id)
    said = reason.strip()
    _refuse_long(said)

    def holds(_requirement: Requirement) -> bool:
        return bool(said)

    result.status = CRITICAL.go("withdraw", result.status, holds)
    _end(uow, result, said)
    uow.session.flush()
    uow.emit(event(uow, "critical.withdrawn", result, reason=said))
    if told := receivers(uow, result_id):
        about = Ref("critical", result.id)
        task.open(uow, TAKEN_BACK, about, f"{said}: was told to {', '.join(told)}", site_id=result.site_id)
    return result


def locked(uow: UnitOfWork, result_id: int) -> CriticalResult:
    """As it is now, kept from others until the end of the transaction. Raises NotFound."""
    result = uow.session.get(CriticalResult, result_id, with_for_update=True, populate_existing=True)
    if result is None:
        raise NotFound("there is no such critical result")
    return result


def next_escalation(uow: UnitOfWork, result: CriticalResult) -> datetime | None:
    """When the step after the last one that was taken is due; None when there is none."""
    if result.status not in LIVE:
        return None
    if result.escalated < 0:
        return result.due_at
    step = following(uow, result)
    return result.due_at + timedelta(minutes=step.after_minutes) if step else None


def following(uow: UnitOfWork, result: CriticalResult) -> EscalationStep | None:
    """The step of its class after the last one that was taken."""
    of_class = EscalationStep.critical_class_id == result.critical_class_id
    later = sa.select(EscalationStep).where(of_class, EscalationStep.active, EscalationStep.step > result.escalated)
    return uow.session.scalars(later.order_by(EscalationStep.step).limit(1)).one_or_none()


def receivers(uow: UnitOfWork, result_id: int) -> list[str]:
    """Who was told, in the order in which they were."""
    reached = sa.select(CriticalCall.receiver).where(
        CriticalCall.critical_result_id == result_id, CriticalCall.outcome != Outcome.not_reached
    )
    return list(dict.fromkeys(uow.session.scalars(reached.order_by(CriticalCall.at, CriticalCall.id))))


def event(uow: UnitOfWork, name: str, result: CriticalResult, **facts: object) -> Event:
    procedure = uow.session.get_one(RequestedProcedure, result.procedure_id)
    return orders.procedure_event(name, procedure, Ref("critical", result.id), report_id=result.report_id, **facts)


def _end(uow: UnitOfWork, result: CriticalResult, reason: str) -> None:
    uow.touch()
    result.ended_at, result.ended_by, result.end_reason, result.escalate_at = uow.now, uow.actor.name, reason, None
    task.settle(uow, OVERDUE, Ref("critical", result.id))


def _refuse_incomplete(uow: UnitOfWork, kind: CriticalClass, call: Call, *, is_reached: bool) -> None:
    for text in (call.teller, call.receiver, call.number, call.note):
        _refuse_long(text)
    missing = [
        name
        for name, is_there in (
            ("who told", call.teller.strip()),
            ("who was told" if is_reached else "who was not reached", call.receiver.strip()),
            ("the number or place", call.number.strip() or not kind.needs_number),
        )
        if not is_there
    ]
    if missing:
        raise Invalid(f"write down {', '.join(missing)}", error_code="101")
    if call.at > uow.now + _CLOCKS_DIFFER:
        raise Invalid("the time of the call lies ahead: write when it was")


def _refuse_long(text: str) -> None:
    if len(text) > LONGEST:
        raise Invalid(f"at most {LONGEST} characters", error_code="104")
