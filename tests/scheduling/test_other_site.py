"""An exam that is ordered at one site and done at another."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from ris.base.errors import Forbidden, Invalid, NotAllowedNow
from ris.base.ref import Ref
from ris.bootstrap import Ris
from ris.catalog.model import Modality, OpeningHours, Room, RoomProcedure
from ris.order import whereabouts
from ris.order.model import RequestedProcedure
from ris.outbox.model import StoredEvent
from ris.scheduling import holds, offering, service, waitlist
from ris.scheduling.facts import Asked
from ris.scheduling.model import WaitlistEntry
from ris.scheduling.places import Place
from ris.staff.model import RoleAssignment
from ris.task import service as task
from ris.task.model import Task
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.mail import book, notices, patient_with_mail, write_to_patients
from tests.factories.nuclear import CODE, add_bone_scan
from tests.factories.orders import new_exam

NOON = datetime(2026, 11, 30, 20, tzinfo=UTC)
"""12:00 by the clock of WEST, 15:00 by that of MAIN."""


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 20, 15, tzinfo=UTC))


@pytest.fixture
def west(ris: Ris, hospital: Hospital) -> int:
    """A CT and a nuclear room there; the front desk works at MAIN alone."""
    add_bone_scan(ris, hospital)
    with ris.uow() as uow:
        for code, modality, exams in (("CT2", Modality.CT, {"CTHEAD": 1, "CTCHESTC": 1}), ("NM2", Modality.NM, {CODE: 2})):
            room = uow.add(Room(site_id=hospital.sites["WEST"], code=code, name=f"Room {code}", modality=modality, station_ae_title=""))
            uow.session.flush()
            hospital.rooms[code] = room.id
            for weekday in range(7):
                uow.add(OpeningHours(room_id=room.id, weekday=weekday, opens=time(7), closes=time(19)))
            for exam, steps in exams.items():
                for step in range(1, steps + 1):
                    uow.add(RoomProcedure(room_id=room.id, procedure_id=hospital.procedures[exam], step=step, minutes=20))
        there = RoleAssignment.site_id == hospital.sites["WEST"]
        uow.session.execute(sa.delete(RoleAssignment).where(RoleAssignment.user_id == hospital.users["front_desk"], there))
    return hospital.sites["WEST"]


def where(ris: Ris, procedure_id: int) -> tuple[int, int]:
    """Where it is done, and where it was ordered."""
    with ris.read() as session:
        exam = session.get_one(RequestedProcedure, procedure_id)
        return exam.site_id, exam.order.site_id


def test_an_exam_goes_where_it_is_booked_and_all_that_is_open_about_it_goes_with_it(ris: Ris, hospital: Hospital, west: int) -> None:
    main = hospital.sites["MAIN"]
    exam = new_exam(ris, hospital)
    about = Ref("procedure", exam.id)
    with ris.uow(hospital.actor("scheduler")) as uow:
        waitlist.wait(uow, procedure_id=exam.id)
        task.open(uow, "protocol_rejected", about, "no side is given", site_id=main)
    day = date(2026, 11, 30)
    with ris.read() as session:
        offered = [offering.for_exams(session, [exam.id], Asked(day, day), ris.clock(), site_id=site_id) for site_id in (main, west)]
        both = offering.joined(offered)
    assert {(offer.site_id, offer.zone) for offer in both.offers} == {(main, "America/New_York"), (west, "America/Los_Angeles")}
    assert [offer.starts_at for offer in both.offers] == sorted(offer.starts_at for offer in both.offers)
    there = next(offer for offer in both.offers if offer.site_id == west)
    assert there.starts_at == datetime(2026, 11, 30, 15, tzinfo=UTC)

    for refused in (lambda uow: holds.hold(uow, places=there.places), lambda uow: service.book_all(uow, places=there.places)):
        with pytest.raises(Forbidden, match="no right to book at West clinic"), ris.uow(hospital.actor("front_desk")) as uow:
            refused(uow)
    beside = Place(new_exam(ris, hospital).id, hospital.rooms["CT1"], NOON)
    with pytest.raises(Invalid, match="one site"), ris.uow(hospital.actor("scheduler")) as uow:
        service.book_all(uow, places=[*there.places, beside])

    with ris.uow(hospital.actor("scheduler")) as uow:
        hold_id = holds.hold(uow, places=there.places).id
    assert where(ris, exam.id) == (main, main)
    with ris.uow(hospital.actor("scheduler")) as uow:
        (step,) = holds.book_held(uow, hold_id=hold_id)
        assert step.site_id == west
    assert where(ris, exam.id) == (west, main)
    with ris.read() as session:
        waiting = session.scalars(sa.select(WaitlistEntry.site_id)).all()
        tasks = session.scalars(sa.select(Task.site_id).where(Task.kind == "protocol_rejected")).all()
        told = session.scalars(sa.select(StoredEvent).where(StoredEvent.name == "order.relocated")).one()
    assert (list(waiting), list(tasks)) == ([west], [west])
    assert (told.facts["from_site"], told.facts["to_site"]) == ("Main hospital", "West clinic")

    with pytest.raises(NotAllowedNow, match="cancel its appointment first"), ris.uow(hospital.actor("scheduler")) as uow:
        whereabouts.hand_back(uow, exam.id)
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.cancel(uow, step_id=step.id, reason="felt unwell")
    assert where(ris, exam.id) == (west, main), "the desk that spoke with the patient books again"
    with ris.uow(hospital.actor("scheduler")) as uow:
        whereabouts.hand_back(uow, exam.id)
    assert where(ris, exam.id) == (main, main)


def test_a_move_to_another_site_takes_the_messages_along_and_no_exam_is_torn_apart(ris: Ris, hospital: Hospital, west: int) -> None:
    write_to_patients(ris, hospital)
    write_to_patients(ris, hospital, "WEST", reminder_hours=(48,))
    exam_id, step_id = book(ris, hospital, patient_with_mail(ris, hospital), NOON)
    with ris.uow(hospital.actor("scheduler")) as uow:
        moved = service.move(uow, step_id=step_id, room_id=hospital.rooms["CT2"], starts_at=NOON)
        assert (moved.site_id, moved.starts_at) == (west, NOON)
    assert where(ris, exam_id) == (west, hospital.sites["MAIN"])
    of_site = {key: code for code, key in hospital.sites.items()}
    told = {(of_site[n.site_id], n.kind.value, n.state.value, n.reason) for n in notices(ris)}
    gone = "the appointment was moved to another site"
    assert told == {
        ("MAIN", "confirmation", "not_sent", gone), ("MAIN", "reminder", "not_sent", gone),
        ("WEST", "confirmation", "queued", ""), ("WEST", "reminder", "queued", ""),
    }  # fmt: skip

    scan = new_exam(ris, hospital, CODE)
    with ris.uow(hospital.actor("scheduler")) as uow:
        first = service.book(uow, procedure_id=scan.id, room_id=hospital.rooms["NM0"], starts_at=NOON - timedelta(hours=4))
    with pytest.raises(Invalid, match="move them together"), ris.uow(hospital.actor("scheduler")) as uow:
        service.move(uow, step_id=first.id, room_id=hospital.rooms["NM2"], starts_at=NOON)
    with ris.uow(hospital.actor("scheduler")) as uow:
        places = [Place(scan.id, hospital.rooms["NM2"], NOON, 1), Place(scan.id, hospital.rooms["NM2"], NOON + timedelta(hours=3), 2)]
        steps = service.move_all(uow, procedure_id=scan.id, places=places)
        assert {step.site_id for step in steps} == {west}
        missed = steps[0].id
    ris.clock.now = NOON + timedelta(hours=1)  # type: ignore[attr-defined]
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.no_show(uow, step_id=missed)
    with ris.uow(hospital.actor("scheduler")) as uow:
        whereabouts.hand_back(uow, scan.id)
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.undo_no_show(uow, step_id=missed)
    assert where(ris, scan.id) == (west, hospital.sites["MAIN"])
