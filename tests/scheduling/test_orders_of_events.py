"""An order is cancelled, its exam begins, its appointment changes: in every order and at once the end is legal, and what is told too."""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from ris.base.errors import RisError
from ris.base.uow import retrying
from ris.bootstrap import Ris
from ris.exam import service as exams
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.outbox.model import StoredEvent
from ris.scheduling import service
from ris.scheduling.model import Occupancy, ScheduledProcedureStep
from tests.factories.hospital import Hospital
from tests.factories.orders import booked

MORNING = datetime(2026, 11, 30, 14, tzinfo=UTC)
LEGAL = {
    ("cancelled", "cancelled"): 0,
    ("in_progress", "started"): 2,
}
"""State of the exam and of its appointment to the places that it holds then."""
TOLD = {
    "scheduling.booked": {"scheduling.moved", "exam.started", "order.procedure_cancelled"},
    "scheduling.moved": {"exam.started", "order.procedure_cancelled"},
    "exam.started": set(),
    "order.procedure_cancelled": {"order.cancelled"},
    "order.cancelled": set(),
}
"""Each thing that is told, and what may be told next."""
Deed = Callable[[], None]


def deeds(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> dict[str, Deed]:
    with ris.read() as session:
        step = session.scalars(sa.select(ScheduledProcedureStep).where(ScheduledProcedureStep.procedure_id == exam.id)).one()

    def done(role: str, act: Callable[..., object], *args: object, **values: object) -> None:
        def work() -> None:
            with ris.uow(hospital.actor(role)) as uow:
                act(uow, *args, **values)

        try:
            retrying(work)
        except RisError:
            return

    return {
        "cancel": lambda: done("front_desk", orders.cancel, exam.order_id, "not needed"),
        "start": lambda: done("technologist", exams.start, procedure_id=exam.id),
        "move": lambda: done(
            "scheduler", service.move, step_id=step.id, room_id=step.room_id, starts_at=step.starts_at + timedelta(hours=1)
        ),
    }


def is_legal(ris: Ris, exam: RequestedProcedure) -> None:
    with ris.read() as session:
        status = session.get_one(RequestedProcedure, exam.id).status
        step = session.scalars(sa.select(ScheduledProcedureStep).where(ScheduledProcedureStep.procedure_id == exam.id)).one()
        places = session.scalar(sa.select(sa.func.count(Occupancy.id)).where(Occupancy.step_id == step.id))
        told = session.scalars(
            sa.select(StoredEvent.name).where(StoredEvent.order_id == exam.order_id, StoredEvent.name.in_(TOLD)).order_by(StoredEvent.id)
        ).all()
    assert places == LEGAL[status, step.status]
    assert all(after in TOLD[before] for before, after in itertools.pairwise(told)), told


def test_in_every_order_the_end_is_legal(ris: Ris, hospital: Hospital) -> None:
    for number, order in enumerate(itertools.permutations(("cancel", "start", "move"))):
        exam = booked(ris, hospital, starts_at=MORNING + timedelta(days=number))
        by_name = deeds(ris, hospital, exam)
        for name in order:
            by_name[name]()
        is_legal(ris, exam)
        first = next(name for name in order if name != "move")
        with ris.read() as session:
            assert session.get_one(RequestedProcedure, exam.id).status == ("cancelled" if first == "cancel" else "in_progress"), order


def test_at_once_the_end_is_legal(ris: Ris, hospital: Hospital) -> None:
    for number in range(8):
        exam = booked(ris, hospital, starts_at=MORNING + timedelta(days=number))
        gate = threading.Barrier(3)

        def run(deed: Deed, gate: threading.Barrier = gate) -> None:
            gate.wait()
            deed()

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(run, deeds(ris, hospital, exam).values()))
        is_legal(ris, exam)
