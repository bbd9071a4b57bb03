import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ris.base.errors import Conflict, Invalid, NotAllowedNow, RisError
from ris.base.ids import new_id
from ris.base.uow import retrying
from ris.bootstrap import Ris
from ris.catalog.model import ProcedureNeed, Resource, ResourceKind
from ris.order.model import RequestedProcedure
from ris.scheduling import holds, service
from ris.scheduling.model import Occupancy, ScheduledProcedureStep
from ris.scheduling.places import Place
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order

THREADS = 16
ROUNDS = 50
RANDOM_STEPS = 800
OPENS = datetime(2026, 11, 30, 12, tzinfo=UTC)
"""07:00 by the clock of MAIN."""


def start_of(number: int) -> datetime:
    """One slot of its own for each round: 20 a day, half an hour apart."""
    return OPENS + timedelta(days=number // 20, minutes=30 * (number % 20))


def exams(ris: Ris, hospital: Hospital, count: int, code: str = "CTHEAD") -> list[int]:
    with ris.uow() as uow:
        return [make_order(uow, hospital, code, placer=False).procedures[0].id for _ in range(count)]


def race(work: Callable[[int], str]) -> list[str]:
    """The outcome of each thread; all begin at once."""
    gate = threading.Barrier(THREADS)

    def one(number: int) -> str:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


def overlaps(ris: Ris) -> int:
    """Pairs of rows that hold one resource and lane at one time."""
    one, other = sa.orm.aliased(Occupancy), sa.orm.aliased(Occupancy)
    with ris.read() as session:
        return session.scalar(
            sa.select(sa.func.count()).where(
                one.id < other.id, one.resource == other.resource, one.lane == other.lane,
                one.starts_at < other.ends_at, one.ends_at > other.starts_at,
            )
        ) or 0  # fmt: skip


@pytest.mark.timeout(180)
def test_of_sixteen_who_book_one_slot_exactly_one_gets_it_and_the_others_hear_who(ris: Ris, hospital: Hospital) -> None:
    ids = exams(ris, hospital, THREADS * ROUNDS)
    for number in range(ROUNDS):
        round_ids = ids[number * THREADS : (number + 1) * THREADS]

        def book(thread: int, number: int = number, round_ids: list[int] = round_ids) -> str:
            def work() -> str:
                with ris.uow(hospital.actor("scheduler")) as uow:
                    service.book(uow, procedure_id=round_ids[thread], room_id=hospital.rooms["CT1"], starts_at=start_of(number))
                return "won"

            try:
                return retrying(work)
            except Conflict as error:
                return error.message

        outcomes = race(book)
        winner = round_ids[outcomes.index("won")]
        with ris.read() as session:
            accession = session.get_one(RequestedProcedure, winner).accession_number
        assert outcomes.count("won") == 1
        losers = [outcome for outcome in outcomes if outcome != "won"]
        assert all(f"by exam {accession}, booked by Test Scheduler" in reason for reason in losers), losers
    assert overlaps(ris) == 0


@pytest.mark.timeout(180)
def test_of_sixteen_raw_inserts_into_one_slot_exactly_one_gets_in(ris: Ris, hospital: Hospital) -> None:
    steps = []
    with ris.uow(hospital.actor("scheduler")) as uow:
        exam = make_order(uow, hospital, "MRBRAIN", placer=False).procedures[0]
        uow.session.flush()
        steps.append(service.book(uow, procedure_id=exam.id, room_id=hospital.rooms["MR1"], starts_at=OPENS).id)
    room = f"room:{hospital.rooms['CT1']}"
    for number in range(ROUNDS):

        def insert(_thread: int, number: int = number) -> str:
            values = {"id": new_id(), "resource": room, "lane": 0, "starts_at": start_of(number),
                      "ends_at": start_of(number) + timedelta(minutes=20), "step_id": steps[0], "patient_id": None}  # fmt: skip

            def work() -> str:
                with ris.engine.begin() as connection:
                    connection.execute(sa.insert(Occupancy.__table__).values(**values))
                return "won"

            try:
                return retrying(work)
            except DBAPIError as error:
                return "overlaps" if "overlap" in str(error.orig) else type(error.orig).__name__

        assert sorted(race(insert)) == ["overlaps"] * (THREADS - 1) + ["won"]
    with ris.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Occupancy.resource == room)) == ROUNDS
    assert overlaps(ris) == 0


@pytest.mark.timeout(180)
def test_random_bookings_moves_and_cancels_by_many_never_overlap(ris: Ris, hospital: Hospital) -> None:
    ids = exams(ris, hospital, RANDOM_STEPS)
    done: dict[str, int] = {}
    lock = threading.Lock()
    booked: list[int] = []

    def tell(outcome: str) -> None:
        with lock:
            done[outcome] = done.get(outcome, 0) + 1

    def pick(dice: random.Random) -> int | None:
        with lock:
            return dice.choice(booked) if booked else None

    def at(dice: random.Random) -> datetime:
        return OPENS + timedelta(days=dice.randrange(3), minutes=5 * dice.randrange(140))

    def step(procedure_id: int) -> None:
        dice = random.Random(procedure_id)
        deed, step_id = dice.choice(("book", "book", "move", "cancel")), pick(dice)
        try:
            with ris.uow(hospital.actor("scheduler")) as uow:
                if deed == "book" or step_id is None:
                    made = service.book(uow, procedure_id=procedure_id, room_id=hospital.rooms["CT1"], starts_at=at(dice))
                elif deed == "move":
                    made = service.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=at(dice))
                else:
                    made = service.cancel(uow, step_id=step_id, reason="dice")
            with lock:
                booked.append(made.id)
            tell(deed)
        except (Conflict, Invalid, NotAllowedNow):
            tell("refused")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(step, ids))
    assert all(done.get(deed, 0) > 10 for deed in ("book", "move", "cancel", "refused")), done
    assert overlaps(ris) == 0
    with ris.read() as session:
        live = session.scalar(sa.select(sa.func.count()).where(ScheduledProcedureStep.status == "booked"))
        rooms = session.scalar(sa.select(sa.func.count()).where(Occupancy.resource == f"room:{hospital.rooms['CT1']}"))
    assert live == rooms


def test_a_patient_cannot_be_in_two_rooms_at_one_time(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("scheduler")) as uow:
        order = make_order(uow, hospital, "CTHEAD", "MRBRAIN")
        uow.session.flush()
        first, second = order.procedures
        service.book(uow, procedure_id=first.id, room_id=hospital.rooms["CT1"], starts_at=OPENS)
    with (
        pytest.raises(RisError, match="the patient has another appointment from 07:00 to 07:20"),
        ris.uow(hospital.actor("scheduler")) as uow,
    ):
        service.book(uow, procedure_id=second.id, room_id=hospital.rooms["MR1"], starts_at=OPENS + timedelta(minutes=10))


@pytest.mark.timeout(180)
def test_random_holds_helpers_and_lanes_by_many_never_overlap(ris: Ris, hospital: Hospital) -> None:
    """Every head needs one of two needles on wheels: there are fewer of them than rooms and lanes."""
    with ris.uow() as uow:
        uow.add(ProcedureNeed(procedure_id=hospital.procedures["CTHEAD"], capability="needle"))
        for code in ("N1", "N2"):
            uow.add(Resource(site_id=hospital.sites["MAIN"], code=code, name=code, kind=ResourceKind.equipment, capabilities=["needle"]))
        uow.add(Resource(site_id=hospital.sites["MAIN"], code="P1", name="P1", kind=ResourceKind.person, capabilities=["needle"]))
    done: dict[str, int] = {}
    lock = threading.Lock()

    def tell(outcome: str) -> None:
        with lock:
            done[outcome] = done.get(outcome, 0) + 1

    def work(procedure_id: int) -> None:
        dice = random.Random(procedure_id)
        # Four days, so that each deed has room enough to succeed at least once.
        at = OPENS + timedelta(days=dice.randrange(4), minutes=5 * dice.randrange(60))
        deed = dice.choice(("book", "hold", "hold and book", "overbook"))
        room_id = hospital.rooms["CT1"]

        def one() -> None:
            with ris.uow(hospital.actor("lead_scheduler")) as uow:
                if deed.startswith("hold"):
                    held = holds.hold(uow, places=[Place(procedure_id, room_id, at)])
                    if deed == "hold and book":
                        holds.book_held(uow, hold_id=held.id)
                else:
                    reason = "stroke" if deed == "overbook" else ""
                    service.book(uow, procedure_id=procedure_id, room_id=room_id, starts_at=at, overbook_reason=reason)

        try:
            retrying(one)
            tell(deed)
        except (Conflict, Invalid):
            tell("refused")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, exams(ris, hospital, 120)))
    assert all(done.get(deed, 0) for deed in ("book", "hold", "hold and book", "overbook", "refused")), done
    assert overlaps(ris) == 0
    with ris.read() as session:
        counts = dict(session.execute(sa.select(sa.func.substr(Occupancy.resource, 1, 4), sa.func.count()).group_by(sa.text("1"))).all())
        helped = session.scalar(
            sa.select(sa.func.count()).where(sa.or_(Occupancy.resource.startswith("equipment:"), Occupancy.resource.startswith("person:")))
        )
        lanes = set(session.scalars(sa.select(Occupancy.lane).where(Occupancy.resource.startswith("patient:"))))
    assert helped == counts["room"]
    assert lanes == {0}
