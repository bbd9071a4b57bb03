"""The front desk: who waits and how long, who is late, who comes without an appointment."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.catalog.model import OpeningHours
from ris.exam import service as exams
from ris.order.model import Order, RequestedProcedure
from ris.scheduling.model import ScheduledProcedureStep
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import booked, make_patient
from tests.web.visitor import NOW, Visitor


@pytest.fixture
def clerk(hospital: Hospital, visitor: Callable[[], Visitor], ris: Ris) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["front_desk"])
    return someone


def step_of(ris: Ris, exam_id: int) -> ScheduledProcedureStep:
    with ris.read() as session:
        return session.scalars(sa.select(ScheduledProcedureStep).where(ScheduledProcedureStep.procedure_id == exam_id)).one()


def test_the_waiting_list_says_how_long_each_waits_and_how_far_the_room_is_behind(
    ris: Ris, hospital: Hospital, clerk: Visitor, clock: Clock
) -> None:
    first, second = booked(ris, hospital, starts_at=NOW), booked(ris, hospital, "MRBRAIN", "MR1", starts_at=NOW + timedelta(minutes=30))
    assert "Nobody is waiting." in clerk.get("/worklists/queue").text
    for exam, minutes in ((second, -20), (first, -5)):
        clock.now = NOW + timedelta(minutes=minutes)
        with ris.uow(hospital.actor("front_desk")) as uow:
            exams.arrive(uow, step_id=step_of(ris, exam.id).id)
    clock.now = NOW + timedelta(minutes=12)
    page = clerk.get("/worklists/queue").text
    assert page.index(second.accession_number) < page.index(first.accession_number)
    for shown in ("32 min", "17 min", "12 min behind"):
        assert shown in page
    clerk.post(f"/worklists/queue/{first.id}/undo")
    assert first.accession_number not in clerk.get("/worklists/queue").text


def test_after_half_an_hour_the_list_asks_whether_the_patient_did_not_come(
    ris: Ris, hospital: Hospital, clerk: Visitor, clock: Clock
) -> None:
    booked(ris, hospital, starts_at=NOW - timedelta(minutes=29))
    assert "late 29 min<" in clerk.get("/worklists/arrivals").text
    clock.now = NOW + timedelta(minutes=1)
    assert "late 30 min: did not come?" in clerk.get("/worklists/arrivals").text


def test_a_walk_in_is_ordered_booked_and_checked_in_by_one_form_once(ris: Ris, hospital: Hospital, clerk: Visitor) -> None:
    with ris.uow() as uow:
        patient_id = make_patient(uow).id
    fields = {"procedure_id": str(hospital.procedures["CTHEAD"]), "reason": "Fell from a ladder", "priority": "A", "form_key": "once"}
    clerk.post("/site", site_id=str(hospital.sites["MAIN"]))
    assert "The reason is needed." in clerk.post(f"/patients/{patient_id}/walk-in", procedure_id=fields["procedure_id"]).text
    for _ in range(2):
        answer = clerk.post(f"/patients/{patient_id}/walk-in", **fields)
        assert (answer.status_code, answer.location) == (303, "/worklists/arrivals")
    with ris.read() as session:
        exam = session.scalars(sa.select(RequestedProcedure)).one()
        assert (exam.status, exam.order.patient_id, exam.order.priority, exam.order.reason) == (
            "arrived",
            patient_id,
            "A",
            "Fell from a ladder",
        )
    step = step_of(ris, exam.id)
    assert (step.status, step.starts_at) == ("arrived", NOW)
    # The room is taken now: chosen by name it is refused, and nothing of the order stays.
    again = clerk.post(f"/patients/{patient_id}/walk-in", **(fields | {"form_key": "other", "room_id": str(hospital.rooms["CT1"])}))
    assert again.status_code == 409
    with ris.engine.begin() as connection:
        connection.execute(sa.delete(OpeningHours))
    closed = clerk.post(f"/patients/{patient_id}/walk-in", **(fields | {"form_key": "third"}))
    assert "no room is free for it today" in closed.text
    with ris.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Order)) == 1
