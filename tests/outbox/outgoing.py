"""Orders, reports and queues to send from, a sender in this process, and what may be asked of both."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa

from ris.base.ref import Coded
from ris.base.uow import Actor
from ris.bootstrap import Ris
from ris.distribution.model import Dispatch
from ris.exam import service as exam
from ris.hl7.sender import MllpTransport
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.outbox import wake
from ris.outbox.dispatch import Dispatcher
from ris.outbox.model import Attempt, Delivery, DeliveryState
from ris.outbox.transport import Transport
from ris.partner.model import Destination, Partner, Subscription
from ris.patient.model import Patient, PatientIdentifier, Sex
from ris.report import service as report
from ris.scheduling import service as scheduling
from ris.scheduling.model import ScheduledProcedureStep
from tests.factories.hospital import Hospital
from tests.waiting import until


@dataclass(frozen=True)
class Placed:
    order_id: int
    procedure_ids: tuple[int, ...]
    patient_id: int


def place(ris: Ris, hospital: Hospital, number: str = "P1", codes: tuple[str, ...] = ("CTCHESTC",), actor: Actor | None = None) -> Placed:
    with ris.uow(actor or hospital.actor("front_desk")) as uow:
        patient = uow.add(Patient(family="Berg", given="Anna", birth_date=date(1980, 1, 2), sex=Sex.female))
        uow.session.flush()
        uow.add(PatientIdentifier(patient_id=patient.id, key=f"HOSP|MR|{number}", value=f"M-{number}", authority="HOSP", type="MR"))
        order = orders.place(
            uow,
            orders.OrderRequest(
                patient_id=patient.id, site_id=hospital.sites["MAIN"], partner_id=hospital.partner_id, placer_number=number,
                placer_namespace="EHR", orderer_number="1234", orderer_name="Refer, Ralph", reason="R/O embolism",
                procedures=tuple(orders.ProcedureRequest(Coded(code, code.lower(), "L"), hospital.procedures[code]) for code in codes),
            ),
        )  # fmt: skip
        uow.session.flush()
        return Placed(order.id, tuple(p.id for p in order.procedures), patient.id)


def forget_deliveries(ris: Ris) -> None:
    """Leaves the queue as a test wants to begin it."""
    with ris.uow() as uow:
        uow.session.execute(sa.delete(Dispatch).where(Dispatch.delivery_id.is_not(None)))
        uow.session.execute(sa.delete(Delivery))


def say(ris: Ris, placed: Placed, name: str = "exam.started", times: int = 1) -> list[int]:
    """Deliveries of one order: as many events, each of them committed; in the order in which they are to arrive."""
    for _ in range(times):
        with ris.uow() as uow:
            uow.emit(orders.procedure_event(name, uow.session.get_one(RequestedProcedure, placed.procedure_ids[0])))
    with ris.read() as session:
        query = sa.select(Delivery.id).where(Delivery.order_key == placed.order_id).order_by(Delivery.id.desc()).limit(times)
        return list(session.scalars(query))[::-1]


def do_exam(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    """Each on a day of its own, so that no two want the room at one time."""
    today = datetime.now(UTC).replace(hour=15, minute=0, second=0, microsecond=0)
    for procedure_id in placed.procedure_ids:
        with ris.uow(hospital.actor("technologist")) as uow:
            at = today + timedelta(days=1 + (uow.session.scalar(sa.select(sa.func.count(ScheduledProcedureStep.id))) or 0))
            step = scheduling.book(uow, procedure_id=procedure_id, room_id=hospital.rooms["CT1"], starts_at=at)
            exam.arrive(uow, step_id=step.id)
            exam.start(uow, procedure_id=procedure_id)
            uow.session.flush()
            exam.complete(uow, procedure_id=procedure_id)


def sign(ris: Ris, hospital: Hospital, placed: Placed, text: str, *, kind: str = "final", role: str = "radiologist") -> int:
    """Signs and, since the delay is none, publishes; the id of the version."""
    with ris.uow(hospital.actor(role)) as uow:
        opened = report.open_for(uow, placed.procedure_ids[0])
        if kind == "addendum":
            return report.addend(uow, report_id=opened.id, text=text, password_checked=True).id
        report.claim(uow, opened.id)
        uow.session.flush()
        if kind == "preliminary":
            return report.sign_preliminary(uow, report_id=opened.id, text=text, row_version=opened.row_version).id
        signed = report.sign_final(uow, report_id=opened.id, text=text, row_version=opened.row_version, password_checked=True)
        return signed.id


def retract(ris: Ris, hospital: Hospital, placed: Placed, reason: str = "wrong patient") -> int:
    """Takes the report back; the id of the version that says so."""
    with ris.uow(hospital.actor("radiologist")) as uow:
        opened = report.open_for(uow, placed.procedure_ids[0])
        return report.retract(uow, report_id=opened.id, reason=reason, password_checked=True).id


def send_to(ris: Ris, hospital: Hospital, port: int, **columns: object) -> None:
    with ris.uow() as uow:
        destination = uow.session.get_one(Destination, hospital.destination_id)
        destination.port = port
        for name, value in columns.items():
            setattr(destination, name, value)


def add_destination(ris: Ris, name: str, port: int, *events: str, message: str = "", **columns: object) -> int:
    """Another partner with a destination that is told of everybody's orders, in this message or the usual one."""
    with ris.uow() as uow:
        partner = uow.add(Partner(name=name, application=name.upper(), facility="ELSEWHERE", zone="Europe/Berlin", policies={}))
        uow.session.flush()
        destination = uow.add(Destination(partner_id=partner.id, name=name, host="127.0.0.1", port=port, **columns))
        uow.session.flush()
        for event in events:
            usual = "oru_r01" if event == "report.published" else "orm_o01"
            uow.add(Subscription(destination_id=destination.id, event=event, message=message or usual, own_orders_only=False))
        return destination.id


@contextmanager
def sending(ris: Ris, *, lease_s: float = 15.0, transports: dict[str, Transport] | None = None) -> Iterator[Dispatcher]:
    """A sender with its wake-ups, as the process has it."""
    dispatcher = Dispatcher(ris.uow, ris.read, transports or {"mllp": MllpTransport(ris.clock)}, clock=ris.clock, lease_s=lease_s)
    stopping = threading.Event()

    def wake_up() -> None:
        with wake.Waiter(ris.engine) as waiter:
            while not stopping.is_set():
                if waiter.wait(0.1):
                    dispatcher.look()

    waker = threading.Thread(target=wake_up)
    dispatcher.start()
    waker.start()
    try:
        yield dispatcher
    finally:
        stopping.set()
        waker.join()
        dispatcher.stop(grace_s=0.5)


def delivery(ris: Ris, delivery_id: int) -> Delivery:
    with ris.read() as session:
        return session.get_one(Delivery, delivery_id)


def attempts(ris: Ris, delivery_id: int) -> list[str]:
    with ris.read() as session:
        return list(session.scalars(sa.select(Attempt.answer).where(Attempt.delivery_id == delivery_id).order_by(Attempt.id)))


def until_state(ris: Ris, delivery_id: int, state: DeliveryState, timeout_s: float = 30.0) -> None:
    until(lambda: delivery(ris, delivery_id).state is state, timeout_s)
