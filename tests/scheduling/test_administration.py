"""Changing places: checked, kept in a history, taken back; what is booked there is listed before and on the list to move after."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from ris.base.clock import from_wall_clock
from ris.base.errors import Invalid, NotAllowedNow, Stale
from ris.bootstrap import Ris
from ris.catalog.model import Closure, Resource, ResourceKind, Site
from ris.order.status import Priority
from ris.scheduling import offering, queries, service
from ris.scheduling.administration import service as places
from ris.scheduling.administration.field import Wrong
from ris.scheduling.administration.queries import history
from ris.scheduling.administration.service import HitsAppointments, version
from ris.scheduling.administration.sheets import SHEETS
from ris.staff.permission import Permission
from ris.staff.queries import rights_of
from ris.task.model import Task, TaskState
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, new_exam

NEW_YORK = "America/New_York"
NOW = datetime(2026, 11, 16, 14, tzinfo=UTC)
"""A Monday, 09:00 in New York."""
THANKSGIVING = date(2026, 11, 26)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


def at(day: date, clock: str) -> datetime:
    return from_wall_clock(datetime.combine(day, time.fromisoformat(clock)), NEW_YORK)


def book(ris: Ris, hospital: Hospital, day: date, clock: str, code: str = "CTHEAD", room: str = "CT1") -> int:
    exam = new_exam(ris, hospital, code)
    with ris.uow(hospital.actor("scheduler")) as uow:
        return service.book(uow, procedure_id=exam.id, room_id=hospital.rooms[room], starts_at=at(day, clock)).id


def sheet(ris: Ris, kind: str, key: int) -> dict[str, str]:
    with ris.read() as session:
        return SHEETS[kind].read(session, key)


def change(ris: Ris, hospital: Hospital, kind: str, key: int, *, accepts: bool = False, **texts: str) -> bool:
    before = sheet(ris, kind, key)

    def work(token: str = "") -> bool:
        with ris.uow(hospital.actor("administrator")) as uow:
            return places.change(uow, kind, key, before | texts, known=version(before), why="it is so", accepts=token)

    return _accepting(work) if accepts else work()


def add(ris: Ris, hospital: Hospital, kind: str, *, accepts: bool = False, **texts: str) -> int:
    def work(token: str = "") -> int:
        with ris.uow(hospital.actor("administrator")) as uow:
            return places.add(uow, kind, texts, accepts=token)

    return _accepting(work) if accepts else work()


def _accepting(work):
    try:
        return work()
    except HitsAppointments as asked:
        return work(asked.token)


def undo(ris: Ris, hospital: Hospital, kind: str, key: int) -> None:
    with ris.read() as session:
        last = history(session, kind, key)[0].id
    with ris.uow(hospital.actor("administrator")) as uow:
        places.undo(uow, kind, key, change_id=last)


def to_move(ris: Ris, state: TaskState = TaskState.open) -> dict[int, str]:
    with ris.read() as session:
        rows = session.execute(sa.select(Task.object_id, Task.reason).where(Task.kind == "appointment_to_move", Task.state == state))
        return dict(rows.all())


def test_a_closure_asks_for_what_it_hits_lists_it_to_move_and_can_be_taken_back(ris: Ris, hospital: Hospital) -> None:
    day = date(2026, 11, 18)
    hit, other = book(ris, hospital, day, "10:00"), book(ris, hospital, day, "13:00")
    closed = {"site": "MAIN", "room": "CT1", "starts_at": f"{day} 09:30", "ends_at": f"{day}T12:00", "reason": "Tube is changed"}
    with pytest.raises(HitsAppointments, match="1 booked appointment would have to be moved") as asked:
        add(ris, hospital, "closure", **closed)
    assert [(h.step_id, h.why, h.room_name) for h in asked.value.found] == [(hit, "Room CT1 is closed then: Tube is changed", "Room CT1")]
    assert to_move(ris) == {}
    with pytest.raises(HitsAppointments), ris.uow(hospital.actor("administrator")) as uow:
        places.add(uow, "closure", closed, accepts="of other appointments")
    key = add(ris, hospital, "closure", accepts=True, **closed)
    assert to_move(ris) == {hit: "Room CT1 is closed then: Tube is changed"}
    with ris.read() as session:
        assert session.get_one(Closure, key).starts_at == at(day, "09:30")

    undo(ris, hospital, "closure", key)
    assert (to_move(ris), to_move(ris, TaskState.obsolete)) == ({}, {hit: "Room CT1 is closed then: Tube is changed"})
    with pytest.raises(HitsAppointments):
        undo(ris, hospital, "closure", key)

    key = add(ris, hospital, "closure", accepts=True, **closed)
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.move(uow, step_id=hit, room_id=hospital.rooms["CT1"], starts_at=at(day, "15:00"))
    assert to_move(ris) == {}
    change(ris, hospital, "closure", key, accepts=True, ends_at=f"{day}T14:00")
    assert set(to_move(ris)) == {other}
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.cancel(uow, step_id=other, reason="asked to")
    assert to_move(ris) == {}


def test_a_reserved_time_asks_for_those_whom_it_keeps_out_and_leaves_who_may_be_there(ris: Ris, hospital: Hospital) -> None:
    day = date(2026, 11, 18)
    hit, _before, today = book(ris, hospital, day, "10:00"), book(ris, hospital, day, "08:00"), book(ris, hospital, NOW.date(), "11:00")
    with ris.uow(hospital.actor("scheduler")) as uow:
        stat = make_order(uow, hospital, priority=Priority.stat).procedures[0].id
        uow.session.flush()
        service.book(uow, procedure_id=stat, room_id=hospital.rooms["CT1"], starts_at=at(day, "10:30"))
    with ris.uow(hospital.actor("lead_scheduler")) as uow:
        beside = make_order(uow, hospital).procedures[0].id
        uow.session.flush()
        reason = "the patient comes from far away"
        service.book(uow, procedure_id=beside, room_id=hospital.rooms["CT1"], starts_at=at(day, "10:00"), overbook_reason=reason)
    kept = {"room": "CT1", "weekday": "wednesday", "begins": "09:30", "ends": "12:00", "reserved_for": "emergency", "release_minutes": "60"}
    with pytest.raises(HitsAppointments, match="1 booked appointment would have to be moved") as asked:
        add(ris, hospital, "reserved", **kept)
    why = "Room CT1 is kept for emergency patients from 09:30 to 12:00"
    assert [(h.step_id, h.why) for h in asked.value.found] == [(hit, why)]
    key = add(ris, hospital, "reserved", accepts=True, **kept)
    assert to_move(ris) == {hit: why}

    change(ris, hospital, "reserved", key, begins="10:20")
    assert to_move(ris) == {}, "it ends when the reserved time begins"
    ris.clock.now = at(NOW.date(), "10:30")  # type: ignore[attr-defined]
    change(ris, hospital, "reserved", key, weekday="monday", begins="11:00")
    assert to_move(ris) == {}, "it is released already"
    change(ris, hospital, "reserved", key, accepts=True, release_minutes="")
    assert set(to_move(ris)) == {today}


def test_what_is_wrong_is_said_field_by_field_and_nothing_is_kept(ris: Ris, hospital: Hospital) -> None:
    wrong = {
        ("room", "site"): {"site": "NOWHERE"},
        ("room", "code"): {"code": "CT1"},
        ("room", "modality"): {"modality": "ZZ"},
        ("room", "weight_limit_kg"): {"weight_limit_kg": "heavy"},
        ("room", "station_ae_title"): {"station_ae_title": "CT1_AE"},
    }
    good = {"site": "MAIN", "code": "CT9", "name": "CT 9", "modality": "CT", "gives_contrast": "yes", "active": "yes"}
    for (kind, field), texts in wrong.items():
        with pytest.raises(Wrong) as refused:
            add(ris, hospital, kind, **good | texts)
        assert set(refused.value.errors) == {field}
    closure = {"site": "MAIN", "reason": "x", "starts_at": "2027-03-14T02:30", "ends_at": "2027-03-14T01:00", "room": "US1"}
    with pytest.raises(Wrong) as refused:
        add(ris, hospital, "closure", **closure)
    assert refused.value.errors == {
        "room": "this room belongs to another site",
        "starts_at": "From: 02:30 does not exist on 2027-03-14: the clocks go forward",
        "ends_at": "Until: it ends before it begins",
    }
    with pytest.raises(Wrong, match="two of the times overlap"):
        change(ris, hospital, "room-hours", hospital.rooms["CT1"], monday="07:00-12:00 11:00-14:00")
    with pytest.raises(Wrong, match="there is no zone Mars"):
        add(ris, hospital, "site", code="MARS", name="Mars", zone="Mars", currency="USD", other_holidays="closed")


def test_of_two_administrators_the_second_is_told_and_every_change_stands_in_the_history(ris: Ris, hospital: Hospital) -> None:
    room = hospital.rooms["XR1"]
    seen = version(sheet(ris, "room", room))
    assert change(ris, hospital, "room", room, name="X-ray, ground floor")
    assert not change(ris, hospital, "room", room, name="X-ray, ground floor")
    with pytest.raises(Stale), ris.uow(hospital.actor("administrator")) as uow:
        places.change(uow, "room", room, {"name": "X-ray of mine"}, known=seen)
    change(ris, hospital, "room-hours", room, monday="08:00 – 12:00, 13:00-24:00")
    with ris.read() as session:
        (renamed,), (weekly,) = history(session, "room", room), history(session, "room-hours", room)
    assert (renamed.before, renamed.after, renamed.why) == ({"name": "Room XR1"}, {"name": "X-ray, ground floor"}, "it is so")
    assert (renamed.who, renamed.at) == ("Test Administrator", NOW)
    assert (weekly.before, weekly.after) == ({"monday": "07:00-19:00"}, {"monday": "08:00-12:00 13:00-24:00"})
    undo(ris, hospital, "room", room)
    assert sheet(ris, "room", room)["name"] == "Room XR1"
    undo(ris, hospital, "room", room)
    assert sheet(ris, "room", room)["name"] == "X-ray, ground floor"
    with pytest.raises(Stale), ris.uow(hospital.actor("administrator")) as uow:
        places.undo(uow, "room", room, change_id=renamed.id)


def test_a_room_that_is_open_until_midnight_takes_an_exam_that_ends_then(ris: Ris, hospital: Hospital) -> None:
    change(ris, hospital, "room-hours", hospital.rooms["CT1"], tuesday="20:00-24:00")
    book(ris, hospital, date(2026, 11, 17), "23:40")
    with pytest.raises(Invalid, match="is not open then"):
        book(ris, hospital, date(2026, 11, 17), "23:45")


def test_what_is_booked_keeps_a_room_a_zone_and_a_helper_from_vanishing(ris: Ris, hospital: Hospital) -> None:
    step = book(ris, hospital, date(2026, 11, 18), "10:00")
    with ris.uow() as uow:
        of_main = {"site_id": hospital.sites["MAIN"], "kind": ResourceKind.person, "capabilities": ["CT"]}
        helper = uow.add(Resource(code="A1", name="Dr. Mohn", **of_main))
        uow.session.flush()
        uow.session.execute(
            sa.text("UPDATE occupancy SET resource = :key WHERE step_id = :step AND patient_id IS NULL"),
            {"key": f"person:{helper.id}", "step": step},
        )
    for kind, key, texts in (
        ("room", hospital.rooms["CT1"], {"active": "no"}),
        ("room", hospital.rooms["CT1"], {"modality": "MR"}),
        ("resource", helper.id, {"active": "no"}),
        ("resource", helper.id, {"capabilities": ""}),
        ("site", hospital.sites["MAIN"], {"zone": "America/Denver"}),
    ):
        with pytest.raises(HitsAppointments, match="must be moved or cancelled first") as refused:
            change(ris, hospital, kind, key, accepts=True, **texts)
        assert [hit.step_id for hit in refused.value.found] == [step]
    change(ris, hospital, "resource", helper.id, capabilities="CT MR")
    change(ris, hospital, "resource-hours", helper.id, accepts=True, wednesday="12:00-18:00")
    assert to_move(ris) == {step: "Dr. Mohn is not there then"}
    add(ris, hospital, "closure", site="MAIN", resource="A1", starts_at="2026-11-19T00:00", ends_at="2026-11-20T00:00", reason="Leave")

    room = {"site": "MAIN", "modality": "CT", "gives_contrast": "yes", "active": "yes"}
    key = add(ris, hospital, "room", code="CT9", name="CT 9", **room)
    change(ris, hospital, "room-hours", key, monday="08:00-09:00")
    with pytest.raises(NotAllowedNow, match="in use already"):
        undo(ris, hospital, "room", key)
    key = add(ris, hospital, "room", code="CT8", name="CT 8", **room)
    undo(ris, hospital, "room", key)
    assert sheet(ris, "room", key) is None
    undo(ris, hospital, "room", key)
    assert sheet(ris, "room", key)["name"] == "CT 8"


def test_whoever_adds_a_site_manages_it(ris: Ris, hospital: Hospital) -> None:
    key = add(ris, hospital, "site", code="EAST", name="East", zone="Europe/Berlin", currency="EUR", other_holidays="closed")
    with ris.read() as session:
        assert rights_of(session, hospital.users["administrator"]).may(Permission.PLACE_MANAGE, key)
        assert session.get_one(Site, key).currency == "EUR"


def test_holidays_close_shorten_or_change_nothing_as_the_site_chooses(ris: Ris, hospital: Hospital) -> None:
    main, ct1, mr1 = hospital.sites["MAIN"], hospital.rooms["CT1"], hospital.rooms["MR1"]
    hit = book(ris, hospital, THANKSGIVING, "15:00")
    change(ris, hospital, "site", main, accepts=True, holiday_country="US", holiday_subdivision="NY")
    assert to_move(ris) == {hit: "Room CT1 is not open then: Thanksgiving Day"}

    def opening() -> dict[int, list[str]]:
        with ris.read() as session:
            day = queries.day(session, main, THANKSGIVING)
        rooms = {room.id: [f"{s.starts_at.astimezone(UTC):%H:%M}-{s.ends_at:%H:%M}" for s in room.open] for room in day.rooms}
        return {"said": day.holiday, "notes": [note.text for note in day.notes]} | rooms

    assert opening() | {"notes": 0} == {"said": "Thanksgiving Day (closed)", "notes": 0, ct1: [], mr1: [], hospital.rooms["XR1"]: []}
    with pytest.raises(Invalid, match="is not open then"):
        book(ris, hospital, THANKSGIVING, "10:00", "MRBRAIN", "MR1")
    exam = new_exam(ris, hospital, "MRBRAIN")
    with ris.read() as session:
        found = offering.free_slots(session, procedure_id=exam.id, after=at(THANKSGIVING, "06:00"), days=2)
    assert [slot.starts_at for slot in found] == [at(THANKSGIVING + timedelta(days=1), "07:00")]

    change(ris, hospital, "room", ct1, keeps_holidays="no")
    assert to_move(ris) == {}
    change(ris, hospital, "holidays", main, accepts=True, **{"Thanksgiving Day": "10:00-14:00", "Veterans Day": "open"})
    assert opening() | {"notes": 0} == {
        "said": "Thanksgiving Day (open 10:00–14:00)", "notes": 0, ct1: ["12:00-00:00"], mr1: ["15:00-19:00"],
        hospital.rooms["XR1"]: ["15:00-19:00"],
    }  # fmt: skip
    add(ris, hospital, "special", site="MAIN", room="MR1", day=str(THANKSGIVING), opens="08:00", closes="24:00", reason="Backlog")
    assert opening()[mr1] == ["13:00-05:00"]
    assert opening()["notes"] == ["Thanksgiving Day", "Backlog"]
    with pytest.raises(Wrong, match="no such holiday"):
        change(ris, hospital, "holidays", main, **{"Towel Day": "closed"})


def test_a_closure_waits_for_who_is_just_booking_there_and_lists_that_appointment(ris: Ris, hospital: Hospital) -> None:
    day = date(2026, 11, 18)
    exam_id = new_exam(ris, hospital).id
    closed = {"site": "MAIN", "room": "CT1", "starts_at": f"{day}T08:00", "ends_at": f"{day}T18:00", "reason": "Tube is changed"}
    with ThreadPoolExecutor(1) as pool:
        with ris.uow(hospital.actor("scheduler")) as uow:
            step = service.book(uow, procedure_id=exam_id, room_id=hospital.rooms["CT1"], starts_at=at(day, "09:00"))
            uow.flush()
            closing = pool.submit(lambda: add(ris, hospital, "closure", accepts=True, **closed))
            with pytest.raises(TimeoutError):
                closing.result(timeout=0.5)
        closing.result(timeout=30)
    assert to_move(ris) == {step.id: "Room CT1 is closed then: Tube is changed"}
