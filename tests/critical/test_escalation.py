"""Nobody was told in time: each step fetches whoever is on call then, once, whoever runs it and how often."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ris.base.errors import Invalid
from ris.bootstrap import Ris
from ris.catalog.records import service as records
from ris.catalog.records.record import Rejected
from ris.critical import duty, escalation, queries, service
from ris.critical.model import CriticalMail, OnCallList
from ris.critical.queries import StepRow
from ris.critical.records import ESCALATION_STEP, ON_CALL_LIST
from ris.critical.service import Call
from ris.critical.status import Outcome, Way
from ris.processes.jobs import escalate_critical
from ris.task import queries as tasks
from tests.clock import Clock
from tests.factories.critical import critical_class, critical_result
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, new_exam


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY)


def ladder(ris: Ris, hospital: Hospital, *, step: str = "1", after: str = "5", code: str = "HEAD") -> None:
    """One step of RED: whoever has the duty is fetched so many minutes after the limit."""
    with ris.uow() as uow:
        critical_class(uow)
        if not uow.session.scalar(sa.select(OnCallList.id).where(OnCallList.code == code)):
            records.add(uow, ON_CALL_LIST, {"code": code, "name": f"{code.capitalize()} on call"})
        texts = {"critical_class": "RED", "step": step, "after_minutes": after, "on_call_list": code}
        records.add(uow, ESCALATION_STEP, texts)


def on_call(ris: Ris, hospital: Hospital, role: str, *, hours: int = 8, starts_in: int = 0, code: str = "HEAD") -> int:
    with ris.uow(hospital.actor("lead_scheduler")) as uow:
        of = uow.session.scalars(sa.select(OnCallList.id).where(OnCallList.code == code)).one()
        begins = uow.now + timedelta(hours=starts_in)
        return duty.add_shift(
            uow, list_id=of, site_id=hospital.sites["MAIN"], user_id=hospital.users[role], starts_at=begins,
            ends_at=begins + timedelta(hours=hours),
        ).id  # fmt: skip


def noted(ris: Ris, hospital: Hospital) -> int:
    exam = new_exam(ris, hospital)
    with ris.uow() as uow:
        return critical_result(uow, exam.id, hospital.users["resident"]).id


def steps(ris: Ris, result_id: int) -> tuple[StepRow, ...]:
    with ris.read() as session:
        row = queries.one(session, result_id)
    assert row is not None
    return row.steps


def open_task(ris: Ris, hospital: Hospital) -> str:
    with ris.read() as session:
        return "; ".join(task.reason for task in tasks.open_tasks(session, hospital.sites.values(), "critical_overdue"))


def test_each_step_is_taken_once_at_its_time_and_fetches_who_is_on_call_then(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    ladder(ris, hospital)
    ladder(ris, hospital, step="2", after="20", code="CHIEF")
    on_call(ris, hospital, "radiologist")
    on_call(ris, hospital, "front_desk", starts_in=1)
    red = noted(ris, hospital)
    assert escalate_critical(ris) == "nothing was due"
    clock.advance(minutes=10)
    assert [escalate_critical(ris), escalate_critical(ris)] == ["1 steps taken", "nothing was due"]
    assert [(s.step, s.duty, s.fetched) for s in steps(ris, red)] == [(0, "", ("Test Resident",))]
    assert open_task(ris, hospital) == "Red: life in danger: the time limit has passed"
    clock.advance(minutes=5)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: escalate_critical(ris), range(3)))
    assert [(s.step, s.duty, s.fetched) for s in steps(ris, red)][1:] == [(1, "Head on call", ("Test Radiologist",))]
    clock.advance(minutes=30)
    escalate_critical(ris)
    assert (steps(ris, red)[2].duty, steps(ris, red)[2].fetched) == ("Chief on call", ())
    assert open_task(ris, hospital) == "Red: life in danger: Chief on call: nobody is on call"
    clock.advance(days=2)
    assert escalate_critical(ris) == "nothing was due"
    with ris.read() as session:
        mails = session.execute(sa.select(CriticalMail.step, CriticalMail.user_id).order_by(CriticalMail.step)).all()
    assert mails == [(0, hospital.users["resident"]), (1, hospital.users["radiologist"])]
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.tell(uow, red, Call(uow.now, "Test Radiologist", "Dr Grove", Way.in_person, Outcome.read_back))
    assert open_task(ris, hospital) == ""


def test_what_was_missed_while_nothing_ran_is_made_up_in_order_and_what_was_told_fetches_nobody(
    ris: Ris, hospital: Hospital, clock: Clock
) -> None:
    ladder(ris, hospital, after="0")
    red, told = noted(ris, hospital), noted(ris, hospital)
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.tell(uow, told, Call(uow.now, "A", "B", Way.telephone, Outcome.read_back))
    clock.advance(hours=5)
    with ris.uow() as uow:
        assert escalation.escalate_due(uow) == 2
    assert [step.step for step in steps(ris, red)] == [0, 1]
    assert steps(ris, told) == ()


def test_a_ladder_stays_in_order_and_a_duty_is_had_by_who_may_tell(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    ladder(ris, hospital, step="2", after="20")
    with pytest.raises(Rejected, match="does not fit step 2, which comes after 20 minutes"):
        ladder(ris, hospital, step="1", after="30")
    with pytest.raises(Invalid, match="choose somebody who may tell"):
        on_call(ris, hospital, "billing")
    with pytest.raises(Invalid, match="ends before it begins"):
        on_call(ris, hospital, "resident", hours=0)
    with pytest.raises(Invalid, match="over already"):
        on_call(ris, hospital, "resident", starts_in=-9)
    shift = on_call(ris, hospital, "resident")
    main = [hospital.sites["MAIN"]]
    with ris.read() as session:
        assert [row.person for row in duty.shifts(session, main, clock.now)] == ["Test Resident"]
        assert duty.shifts(session, main, clock.now + timedelta(hours=8)) == []
    with ris.uow(hospital.actor("lead_scheduler")) as uow:
        duty.remove_shift(uow, shift)
    with ris.read() as session:
        assert duty.shifts(session, main, clock.now) == []
