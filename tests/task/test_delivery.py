from datetime import timedelta

import sqlalchemy as sa

from ris.base.clock import utc_now
from ris.base.ref import Ref
from ris.base.uow import Event
from ris.bootstrap import Ris
from ris.outbox.model import Delivery
from ris.task import delivery
from ris.task.model import Task, TaskState
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import place, send_to

FACTS = {"tells": "exam.started", "control_id": "R1", "reason": "AE 204 PID-3", "destination_id": 3}
PARKED = Event("delivery.parked", Ref("delivery", 7), facts=FACTS)


def tasks(ris: Ris) -> list[tuple[str, str, TaskState]]:
    with ris.read() as session:
        return [tuple(row) for row in session.execute(sa.select(Task.kind, Task.reason, Task.state))]


def test_a_parked_delivery_is_one_task_until_somebody_decides(ris: Ris) -> None:
    for _ in range(2):
        with ris.uow() as uow:
            delivery.open_for_parked(uow, PARKED)
    assert tasks(ris) == [("delivery_parked", "exam.started (R1): AE 204 PID-3", TaskState.open)]
    with ris.uow() as uow:
        delivery.settle_decided(uow, Event("delivery.skipped", Ref("delivery", 7)))
    assert tasks(ris)[0][2] is TaskState.obsolete


def test_a_destination_that_keeps_too_much_waiting_calls_a_person_once_until_it_has_left(ris: Ris, hospital: Hospital) -> None:
    place(ris, hospital)
    send_to(ris, hospital, 1, alarm_minutes=5)
    later = Ris(ris.settings, clock=lambda: utc_now() + timedelta(minutes=6))
    for _ in range(2):
        with later.uow() as uow:
            delivery.call_for_late(uow)
    ((kind, reason, state),) = tasks(ris)
    assert (kind, state) == ("destination_late", TaskState.open)
    assert reason.startswith("EHR results: 1 waiting since 20")
    with later.read() as session:
        assert not delivery.is_call_due(session, later.clock())
        assert delivery.is_call_due(session, utc_now())
    with ris.uow() as uow:
        uow.session.execute(sa.delete(Delivery))
    with later.uow() as uow:
        delivery.call_for_late(uow)
    later.close()
    assert [state for _, _, state in tasks(ris)] == [TaskState.obsolete]
