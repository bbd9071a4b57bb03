import sqlalchemy as sa

from ris.base.ref import Ref
from ris.base.uow import Event
from ris.bootstrap import Ris
from ris.task import delivery
from ris.task.model import Task, TaskState

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
