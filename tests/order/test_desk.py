"""Orders that the desk enters, corrects and holds, on both engines; the placer is told over a real socket elsewhere."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow, NotFound, Stale
from ris.bootstrap import Ris
from ris.catalog.model import Procedure
from ris.order import desk, placer
from ris.order import service as orders
from ris.order.model import Order
from ris.order.service import OrderRequest
from ris.outbox.model import StoredEvent
from ris.patient import service as patients
from ris.processes.jobs import end_holds
from ris.task.model import Task, TaskState
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import make_patient

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


def enter(ris: Ris, hospital: Hospital, patient_id: int | None = None, **said: object) -> Order:
    with ris.uow(hospital.actor("front_desk")) as uow:
        head = uow.session.get_one(Procedure, hospital.procedures["CTHEAD"])
        wanted = {"procedures": (desk.procedure_request(head, "L"),), "reason": "headache", **said}
        request = OrderRequest(patient_id=patient_id or make_patient(uow).id, site_id=hospital.sites["MAIN"], **wanted)
        return desk.enter(uow, request)


def order(ris: Ris, order_id: int) -> Order:
    with ris.read() as session:
        return session.get_one(Order, order_id)


def events(ris: Ris, name: str) -> list[StoredEvent]:
    with ris.read() as session:
        return list(session.scalars(sa.select(StoredEvent).where(StoredEvent.name == name)))


def tasks(ris: Ris) -> list[tuple[str, str]]:
    with ris.read() as session:
        return [(task.kind, task.reason) for task in session.scalars(sa.select(Task).where(Task.state == TaskState.open))]


def test_an_entered_order_waits_for_an_appointment_and_for_the_placers_number(ris: Ris, hospital: Hospital) -> None:
    entered = enter(ris, hospital, partner_id=hospital.partner_id)
    assert (entered.placer_number, entered.placer_key) == ("", None)
    assert [(p.accession_number[:1], p.laterality, p.procedure_id) for p in entered.procedures] == [
        ("A", "L", hospital.procedures["CTHEAD"])
    ]
    assert events(ris, "order.placed")[0].facts["placer_partner_id"] == hospital.partner_id
    with ris.uow() as uow:
        placer.assign_number(uow, orders.get(uow, entered.id), partner_id=hospital.partner_id, number="P7", namespace="EHR")
    assert order(ris, entered.id).placer_number == "P7"


def test_an_order_without_a_reason_an_exam_or_a_patient_is_refused(ris: Ris, hospital: Hospital) -> None:
    for said in ({"reason": " "}, {"procedures": ()}):
        with pytest.raises(Invalid):
            enter(ris, hospital, **said)
    with pytest.raises(NotFound):
        enter(ris, hospital, 77)
    with ris.uow() as uow:
        survivor, loser = make_patient(uow), make_patient(uow)
        patients.merge(uow, survivor_id=survivor.id, loser_id=loser.id)
    with pytest.raises(NotFound):
        enter(ris, hospital, loser.id)


def test_a_correction_also_empties_and_is_told_once(ris: Ris, hospital: Hospital) -> None:
    entered = enter(ris, hospital, danger="falls", transport="bed")
    said = {"danger": "", "transport": "bed", "reason": "headache"}
    for row_version in (1, 1):
        with ris.uow() as uow:
            entered = desk.correct(uow, entered.id, said, row_version=row_version) if row_version == entered.row_version else entered
    assert (entered.danger, entered.transport) == ("", "bed")
    assert [event.facts["changed"] for event in events(ris, "order.changed")] == [["danger"]]
    with ris.uow() as uow, pytest.raises(Stale):
        desk.correct(uow, entered.id, {"danger": "MRSA"}, row_version=1)


def test_an_ended_order_is_not_corrected(ris: Ris, hospital: Hospital) -> None:
    entered = enter(ris, hospital)
    with ris.uow() as uow:
        orders.cancel(uow, entered.id, "entered twice")
    row_version = order(ris, entered.id).row_version
    with ris.uow() as uow, pytest.raises(NotAllowedNow):
        desk.correct(uow, entered.id, {"danger": "MRSA"}, row_version=row_version)


def test_a_hold_ends_at_its_time_with_a_task(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    entered = enter(ris, hospital)
    with ris.uow() as uow:
        desk.hold(uow, entered.id, "waits for the laboratory", until=NOON + timedelta(hours=2))
    assert end_holds(ris) == "nothing was due"
    clock.now = NOON + timedelta(hours=2)
    assert end_holds(ris) == "1 released"
    assert end_holds(ris) == "nothing was due"
    assert order(ris, entered.id).held_at is None
    assert tasks(ris) == [("hold_ended", "it was held: waits for the laboratory")]


def test_a_hold_without_an_end_stays_until_it_is_released(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    entered = enter(ris, hospital)
    with ris.uow() as uow:
        desk.hold(uow, entered.id, "the patient asks first", until=None)
    clock.now = NOON + timedelta(days=400)
    assert end_holds(ris) == "nothing was due"
    with ris.uow() as uow:
        placer.release(uow, entered.id)
    assert order(ris, entered.id).held_at is None
    assert tasks(ris) == []


def test_a_hold_without_a_reason_or_with_an_end_that_has_passed_is_refused(ris: Ris, hospital: Hospital) -> None:
    entered = enter(ris, hospital)
    for reason, until in ((" ", None), ("no bed", NOON)):
        with ris.uow() as uow, pytest.raises(Invalid):
            desk.hold(uow, entered.id, reason, until=until)
    assert order(ris, entered.id).held_at is None
