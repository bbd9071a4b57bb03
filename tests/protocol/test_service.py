"""A protocol goes from the resident to the attending, to the desk and back, and never past somebody's own proposal."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow, Stale
from ris.base.uow import UnitOfWork
from ris.bootstrap import Ris
from ris.catalog.model import Modality
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.protocol import service
from ris.protocol.model import ExamProtocol, ProtocolCode
from ris.protocol.queries import protocol, protocols, to_protocol
from ris.protocol.service import Plan
from ris.protocol.status import Urgency
from ris.task.model import Task, TaskState
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import new_exam

NOW = datetime(2026, 11, 30, 15, tzinfo=UTC)
PLAN = Plan(("MRMETA",), "Dark room, please", Urgency.soon)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def exam(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    with ris.uow() as uow:
        uow.session.execute(sa.text("UPDATE procedure SET needs_protocol = true WHERE code = 'MRBRAIN'"))
        for code, active in (("MRMETA", True), ("MRSTD", True), ("MROLD", False)):
            uow.add(ProtocolCode(code=code, name=f"{code} sequences", modality=Modality.MR, active=active))
    return new_exam(ris, hospital, "MRBRAIN")


def as_(ris: Ris, hospital: Hospital, role: str, work: Callable[[UnitOfWork], object]) -> None:
    with ris.uow(hospital.actor(role)) as uow:
        work(uow)


def stand(ris: Ris, exam: RequestedProcedure) -> ExamProtocol:
    with ris.read() as session:
        return session.scalars(sa.select(ExamProtocol).where(ExamProtocol.procedure_id == exam.id)).one()


def test_a_resident_proposes_and_another_approves(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
    as_(ris, hospital, "resident", lambda uow: service.propose(uow, exam.id, PLAN))
    assert (stand(ris, exam).status, stand(ris, exam).proposed_by) == ("proposed", "Test Resident")
    with ris.read() as session:
        (row,) = to_protocol(session, [hospital.sites["MAIN"]])
        assert (row.status, row.proposed_by) == ("proposed", "Test Resident")
    as_(ris, hospital, "radiologist", lambda uow: service.approve(uow, exam.id, PLAN))
    row = stand(ris, exam)
    assert (row.status, row.approved_by, row.target_at) == ("approved", "Test Radiologist", NOW + timedelta(days=14))
    with ris.read() as session:
        assert to_protocol(session, [hospital.sites["MAIN"]]) == []
        assert protocol(session, exam.id).names == "MRMETA sequences"


def test_nobody_approves_their_own_proposal_even_changed(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
    as_(ris, hospital, "radiologist", lambda uow: service.propose(uow, exam.id, PLAN))
    other = Plan(("MRSTD",), "", Urgency.elective)
    for plan in (PLAN, other):
        with pytest.raises(NotAllowedNow, match="you proposed it yourself"):
            as_(ris, hospital, "radiologist", lambda uow, plan=plan: service.approve(uow, exam.id, plan))
    assert (stand(ris, exam).status, stand(ris, exam).codes) == ("proposed", ["MRMETA"])


def test_an_attending_may_write_and_approve_in_one_go(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
    as_(ris, hospital, "radiologist", lambda uow: service.approve(uow, exam.id, Plan((), "As usual", Urgency.elective)))
    assert (stand(ris, exam).status, stand(ris, exam).target_at) == ("approved", None)


def test_rejected_to_the_desk_it_is_a_task_until_it_is_handed_in_again(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
    def task_states() -> list[str]:
        with ris.read() as session:
            return list(session.scalars(sa.select(Task.state).where(Task.kind == "protocol_rejected").order_by(Task.id)))

    as_(ris, hospital, "radiologist", lambda uow: service.reject(uow, exam.id, "Which knee?"))
    assert (stand(ris, exam).status, stand(ris, exam).remark) == ("rejected", "Which knee?")
    assert task_states() == [TaskState.open]
    with pytest.raises(NotAllowedNow, match="not said what was found out"):
        as_(ris, hospital, "scheduler", lambda uow: service.resubmit(uow, exam.id, " "))
    as_(ris, hospital, "scheduler", lambda uow: service.resubmit(uow, exam.id, "The left one"))
    assert (stand(ris, exam).status, stand(ris, exam).remark, stand(ris, exam).remark_by) == ("pending", "The left one", "Test Scheduler")
    assert task_states() == [TaskState.obsolete]


def test_sent_back_it_is_written_anew_and_reopened_it_has_no_target(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
    as_(ris, hospital, "resident", lambda uow: service.propose(uow, exam.id, PLAN))
    as_(ris, hospital, "radiologist", lambda uow: service.send_back(uow, exam.id, "Without gadolinium"))
    assert stand(ris, exam).status == "pending"
    as_(ris, hospital, "resident", lambda uow: service.propose(uow, exam.id, PLAN))
    as_(ris, hospital, "radiologist", lambda uow: service.approve(uow, exam.id, PLAN))
    as_(ris, hospital, "radiologist", lambda uow: service.reopen(uow, exam.id))
    assert (stand(ris, exam).status, stand(ris, exam).target_at, stand(ris, exam).approved_by) == ("pending", None, "")


@pytest.mark.parametrize("name", ["send_back", "reject"])
def test_no_remark_no_way_back(ris: Ris, hospital: Hospital, exam: RequestedProcedure, name: str) -> None:
    as_(ris, hospital, "resident", lambda uow: service.propose(uow, exam.id, PLAN))
    with pytest.raises(NotAllowedNow, match="a reason must be given"):
        as_(ris, hospital, "radiologist", lambda uow: getattr(service, name)(uow, exam.id, "  "))


@pytest.mark.parametrize(
    ("plan", "error", "said"),
    [
        (Plan((), "  ", Urgency.soon), NotAllowedNow, "no protocol is chosen and no instruction written"),
        (Plan(("MROLD",), "", Urgency.soon), Invalid, "there is no protocol MROLD in use"),
        (Plan(("NONE",), "", Urgency.soon), Invalid, "there is no protocol NONE in use"),
        (Plan((), "x" * 2001, Urgency.soon), Invalid, "at most 2000"),
    ],
)
def test_a_plan_that_says_nothing_or_what_nobody_knows_is_refused(
    ris: Ris, hospital: Hospital, exam: RequestedProcedure, plan: Plan, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        as_(ris, hospital, "resident", lambda uow: service.propose(uow, exam.id, plan))
    with ris.read() as session:
        assert protocols(session, [exam.id]) == {}


def test_the_slower_of_two_is_told(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
    as_(ris, hospital, "resident", lambda uow: service.propose(uow, exam.id, PLAN, row_version=0))
    with pytest.raises(Stale, match="somebody else has worked on this protocol"):
        as_(ris, hospital, "radiologist", lambda uow: service.approve(uow, exam.id, PLAN, row_version=0))


def test_a_claim_is_shown_taken_over_and_ends_with_the_work(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
    as_(ris, hospital, "resident", lambda uow: service.claim(uow, exam.id))
    as_(ris, hospital, "radiologist", lambda uow: service.claim(uow, exam.id))
    assert stand(ris, exam).claimed_by == "Test Radiologist"
    as_(ris, hospital, "radiologist", lambda uow: service.approve(uow, exam.id, PLAN))
    assert stand(ris, exam).claimed_by == ""


def test_a_cancelled_exam_needs_no_protocol_and_a_begun_one_gets_none(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
    as_(ris, hospital, "radiologist", lambda uow: service.reject(uow, exam.id, "Which knee?"))
    as_(ris, hospital, "scheduler", lambda uow: orders.cancel_procedure(uow, exam.id, "ordered twice"))
    assert stand(ris, exam).status == "cancelled"
    with ris.read() as session:
        assert session.scalars(sa.select(Task.state)).one() == TaskState.obsolete
    begun = new_exam(ris, hospital, "MRBRAIN")
    with ris.uow() as uow:
        uow.session.execute(sa.text("UPDATE requested_procedure SET status = 'in_progress' WHERE id = :id"), {"id": begun.id})
    with pytest.raises(NotAllowedNow, match="the exam has begun"):
        as_(ris, hospital, "resident", lambda uow: service.propose(uow, begun.id, PLAN))


def test_the_list_holds_what_needs_a_protocol_at_the_own_sites(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
    new_exam(ris, hospital, "CTHEAD")
    with ris.read() as session:
        assert [row.procedure_id for row in to_protocol(session, [hospital.sites["MAIN"]])] == [exam.id]
        assert to_protocol(session, [hospital.sites["WEST"]]) == []
