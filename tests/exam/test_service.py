from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.billing.model import Charge
from ris.bootstrap import Ris
from ris.catalog.model import Modality, Room
from ris.exam import queries, service
from ris.exam.model import Arrival, PerformedProcedureStep
from ris.exam.performed import performed_of
from ris.order.model import RequestedProcedure
from ris.outbox.model import StoredEvent
from ris.report import service as reports
from ris.report.queries import reading_worklist
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.queries import day_span
from tests.factories.hospital import Hospital
from tests.factories.orders import booked, completed, new_exam, reported

MORNING = datetime(2026, 11, 30, 14, tzinfo=UTC)
MONDAY = date(2026, 11, 30)


def step_of(ris: Ris, procedure_id: int) -> ScheduledProcedureStep:
    with ris.read() as session:
        return session.scalars(sa.select(ScheduledProcedureStep).where(ScheduledProcedureStep.procedure_id == procedure_id)).one()


def state(ris: Ris, procedure_id: int) -> tuple[str, str]:
    with ris.read() as session:
        return session.get_one(RequestedProcedure, procedure_id).status, step_of(ris, procedure_id).status


def performed(ris: Ris, procedure_id: int) -> PerformedProcedureStep:
    with ris.read() as session:
        return session.scalars(sa.select(PerformedProcedureStep).where(PerformedProcedureStep.procedure_id == procedure_id)).one()


def arrive(ris: Ris, hospital: Hospital, procedure_id: int) -> None:
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.arrive(uow, step_id=step_of(ris, procedure_id).id)


def events(ris: Ris, procedure_id: int) -> list[str]:
    with ris.read() as session:
        names = session.scalars(sa.select(StoredEvent.name).where(StoredEvent.procedure_id == procedure_id).order_by(StoredEvent.id))
        return [name for name in names if name.startswith("exam.")]


def test_an_arrival_says_who_checked_in_and_can_be_undone(ris: Ris, hospital: Hospital) -> None:
    exam = booked(ris, hospital)
    arrive(ris, hospital, exam.id)
    assert state(ris, exam.id) == ("arrived", "arrived")
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.undo_arrival(uow, step_id=step_of(ris, exam.id).id)
    assert state(ris, exam.id) == ("scheduled", "booked")
    with ris.read() as session:
        arrival = session.scalars(sa.select(Arrival).where(Arrival.procedure_id == exam.id)).one()
    assert arrival.checked_in_by == hospital.actor("front_desk").name
    assert arrival.undone_at is not None


def test_arriving_twice_is_refused_and_arriving_after_an_undo_is_a_second_arrival(ris: Ris, hospital: Hospital) -> None:
    exam = booked(ris, hospital)
    arrive(ris, hospital, exam.id)
    with pytest.raises(NotAllowedNow, match="cannot arrive the exam: it is arrived"):
        arrive(ris, hospital, exam.id)
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.undo_arrival(uow, step_id=step_of(ris, exam.id).id)
    arrive(ris, hospital, exam.id)
    with ris.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Arrival.procedure_id == exam.id)) == 2


def test_an_arrival_is_not_undone_once_the_exam_has_begun(ris: Ris, hospital: Hospital) -> None:
    exam = booked(ris, hospital)
    arrive(ris, hospital, exam.id)
    with ris.uow(hospital.actor("technologist")) as uow:
        service.start(uow, procedure_id=exam.id)
    with pytest.raises(NotAllowedNow, match="it is in progress"), ris.uow(hospital.actor("front_desk")) as uow:
        service.undo_arrival(uow, step_id=step_of(ris, exam.id).id)


def test_start_and_complete_are_told_once_each_with_technologist_room_and_note(ris: Ris, hospital: Hospital) -> None:
    exam = booked(ris, hospital)
    with ris.uow(hospital.actor("technologist")) as uow:
        service.start(uow, procedure_id=exam.id)
    assert state(ris, exam.id) == ("in_progress", "started")
    with ris.uow(hospital.actor("technologist")) as uow:
        service.complete(uow, procedure_id=exam.id, note="series 2 repeated")
    done = performed(ris, exam.id)
    assert state(ris, exam.id) == ("completed", "finished")
    assert (done.status, done.technologist_id, done.room_id, done.note) == (
        "COMPLETED", hospital.users["technologist"], hospital.rooms["CT1"], "series 2 repeated",
    )  # fmt: skip
    assert events(ris, exam.id) == ["exam.started", "exam.completed"]


def test_an_exam_may_begin_in_another_room_of_its_site_only(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        other = uow.add(Room(site_id=hospital.sites["MAIN"], code="CT2", name="Room CT2", modality=Modality.CT))
    exam = booked(ris, hospital)
    with pytest.raises(Invalid, match="another site"), ris.uow(hospital.actor("technologist")) as uow:
        service.start(uow, procedure_id=exam.id, room_id=hospital.rooms["US1"])
    with ris.uow(hospital.actor("technologist")) as uow:
        service.start(uow, procedure_id=exam.id, room_id=other.id)
    assert performed(ris, exam.id).room_id == other.id


def test_discontinuing_needs_a_reason_and_keeps_it(ris: Ris, hospital: Hospital) -> None:
    exam = booked(ris, hospital)
    with ris.uow(hospital.actor("technologist")) as uow:
        service.start(uow, procedure_id=exam.id)
    with pytest.raises(Invalid, match="needs a reason"), ris.uow(hospital.actor("technologist")) as uow:
        service.discontinue(uow, procedure_id=exam.id, reason=" ")
    with ris.uow(hospital.actor("technologist")) as uow:
        service.discontinue(uow, procedure_id=exam.id, reason="claustrophobia")
    assert state(ris, exam.id) == ("discontinued", "discontinued")
    assert performed(ris, exam.id).discontinued_reason == "claustrophobia"
    assert events(ris, exam.id) == ["exam.started", "exam.discontinued"]


@pytest.mark.parametrize("deed", ["complete", "discontinue"])
def test_what_has_not_begun_cannot_end(ris: Ris, hospital: Hospital, deed: str) -> None:
    exam = booked(ris, hospital)
    answer = {"note": ""} if deed == "complete" else {"reason": "none"}
    with pytest.raises(NotAllowedNow, match=f"cannot {deed} the exam: it is scheduled"), ris.uow(hospital.actor("technologist")) as uow:
        getattr(service, deed)(uow, procedure_id=exam.id, **answer)


def test_an_exam_without_an_appointment_is_not_begun(ris: Ris, hospital: Hospital) -> None:
    exam = new_exam(ris, hospital)
    with pytest.raises(NotAllowedNow, match="it is ordered"), ris.uow(hospital.actor("technologist")) as uow:
        service.start(uow, procedure_id=exam.id)


def test_an_exam_that_is_not_there_is_not_found(ris: Ris, hospital: Hospital) -> None:
    with pytest.raises(NotFound), ris.uow(hospital.actor("technologist")) as uow:
        service.start(uow, procedure_id=1)


def act(ris: Ris, hospital: Hospital, deed: Callable[..., object], procedure_id: int, minutes: int = 0, **values: object) -> None:
    """Something that the technologist does, so many minutes from now."""
    with ris.uow(hospital.actor("technologist")) as uow:
        uow.now += timedelta(minutes=minutes)
        deed(uow, procedure_id=procedure_id, **values)


def test_every_step_in_the_room_is_undone_and_the_placer_told(ris: Ris, hospital: Hospital) -> None:
    exam = booked(ris, hospital)
    arrive(ris, hospital, exam.id)
    act(ris, hospital, service.start, exam.id)
    act(ris, hospital, service.undo, exam.id)
    assert state(ris, exam.id) == ("arrived", "arrived")
    act(ris, hospital, service.start, exam.id)
    act(ris, hospital, service.discontinue, exam.id, reason="the wrong row")
    act(ris, hospital, service.undo, exam.id)
    assert state(ris, exam.id) == ("in_progress", "started")
    act(ris, hospital, service.complete, exam.id, note="good", image_count=240)
    act(ris, hospital, service.undo, exam.id)
    assert state(ris, exam.id) == ("in_progress", "started")
    with ris.read() as session:
        row = session.get_one(RequestedProcedure, exam.id)
        performed_now = session.scalars(
            sa.select(PerformedProcedureStep).where(
                PerformedProcedureStep.procedure_id == exam.id, PerformedProcedureStep.undone_at.is_(None)
            )
        ).one()
        assert reading_worklist(session, [hospital.sites["MAIN"]], ris.clock()) == []
        assert session.scalars(sa.select(Charge.status)).all() == ["voided"]
    assert (row.ended_at, row.ended_reason, performed_now.note, performed_now.status) == (None, "", "good", "IN PROGRESS")
    act(ris, hospital, service.complete, exam.id)
    assert events(ris, exam.id) == [
        "exam.arrived", "exam.started", "exam.start_undone", "exam.started", "exam.discontinued", "exam.discontinuation_undone",
        "exam.completed", "exam.completion_undone", "exam.completed",
    ]  # fmt: skip
    with ris.read() as session:
        assert session.scalars(sa.select(Charge.status).order_by(Charge.id)).all() == ["voided", "ready"]


def test_an_undone_start_without_an_arrival_leads_back_to_the_appointment(ris: Ris, hospital: Hospital) -> None:
    exam = booked(ris, hospital)
    act(ris, hospital, service.start, exam.id)
    act(ris, hospital, service.undo, exam.id)
    assert state(ris, exam.id) == ("scheduled", "booked")
    with pytest.raises(NotAllowedNow, match="it has not begun"):
        act(ris, hospital, service.undo, exam.id)


def test_a_completion_is_not_undone_once_reading_has_begun_and_the_reader_is_named(ris: Ris, hospital: Hospital) -> None:
    exam, opened = completed(ris, hospital), completed(ris, hospital)
    with ris.uow(hospital.actor("radiologist")) as uow:
        reports.claim(uow, reports.open_for(uow, exam.id).id)
        reports.open_for(uow, opened.id)
    with pytest.raises(NotAllowedNow, match="reading has begun: Test Radiologist"):
        act(ris, hospital, service.undo, exam.id)
    assert state(ris, exam.id) == ("completed", "finished")
    act(ris, hospital, service.undo, opened.id)
    with pytest.raises(NotAllowedNow, match="cannot read the exam"), ris.uow(hospital.actor("radiologist")) as uow:
        reports.open_for(uow, opened.id)


def test_an_interruption_is_no_room_time(ris: Ris, hospital: Hospital) -> None:
    exam = booked(ris, hospital)
    act(ris, hospital, service.start, exam.id)
    with pytest.raises(NotAllowedNow, match="not paused"):
        act(ris, hospital, service.resume, exam.id)
    act(ris, hospital, service.pause, exam.id, 10)
    with pytest.raises(NotAllowedNow, match="it is paused"):
        act(ris, hospital, service.pause, exam.id, 11)
    act(ris, hospital, service.resume, exam.id, 25)
    act(ris, hospital, service.pause, exam.id, 30)
    act(ris, hospital, service.complete, exam.id, 36)
    with ris.read() as session:
        row = performed_of(session, exam.id)
    assert row is not None
    assert row.minutes(ris.clock() + timedelta(days=1)) == 15


def test_the_list_of_a_day_holds_its_appointments_and_the_technologists_also_what_is_left_open(ris: Ris, hospital: Hospital) -> None:
    today = booked(ris, hospital, starts_at=MORNING)
    before = booked(ris, hospital, code="MRBRAIN", room="MR1", starts_at=MORNING.replace(day=27))
    later = booked(ris, hospital, starts_at=MORNING.replace(month=12, day=1))
    arrive(ris, hospital, before.id)
    main = hospital.sites["MAIN"]
    days = {main: day_span(MONDAY, "America/New_York")}
    with ris.read() as session:
        of_day = [row.procedure_id for row in queries.steps_of_day(session, days)]
        of_technologist = {row.procedure_id for row in queries.open_steps(session, days)}
        nowhere = queries.steps_of_day(session, {})
    assert of_day == [today.id]
    assert of_technologist == {today.id, before.id}
    assert later.id not in of_technologist
    assert nowhere == []


def test_the_reading_list_holds_what_is_completed_until_it_is_final(ris: Ris, hospital: Hospital) -> None:
    waiting, signed = completed(ris, hospital), reported(ris, hospital)
    main, west = hospital.sites["MAIN"], hospital.sites["WEST"]
    with ris.read() as session:
        rows = reading_worklist(session, [main], ris.clock())
        elsewhere = reading_worklist(session, [west], ris.clock())
    assert [row.procedure_id for row in rows] == [waiting.id]
    assert signed.id not in {row.procedure_id for row in rows}
    assert elsewhere == []
    assert rows[0].minutes_waiting(rows[0].completed_at) == 0
