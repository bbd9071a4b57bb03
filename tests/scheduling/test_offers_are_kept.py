"""What the search offers is booked by the service, whatever stands in the way elsewhere; what is refused says why."""

import random
from datetime import UTC, datetime, time, timedelta

import pytest

from ris.base.errors import RisError
from ris.bootstrap import Ris
from ris.catalog.model import Closure, ProcedureNeed, ReservedBlock, ReservedFor, Resource, ResourceHours, ResourceKind
from ris.scheduling import offering, service
from ris.scheduling.facts import Asked
from ris.scheduling.model import BookingPolicy
from ris.scheduling.places import Place
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.nuclear import CODE, add_bone_scan
from tests.factories.orders import make_order, make_patient, new_exam

DAY = datetime(2026, 11, 30, 12, tzinfo=UTC)
"""07:00 by the clock of MAIN, a Monday."""
MIXES = (("CTHEAD",), ("CTHEAD", "MRBRAIN"), (CODE,), (CODE, "MRBRAIN"))


@pytest.fixture
def clock() -> Clock:
    return Clock(DAY)


def furnish(ris: Ris, hospital: Hospital, dice: random.Random) -> None:
    """A closure, blocks, a needle that is there for some hours only, a policy."""
    ct, mr = hospital.rooms["CT1"], hospital.rooms["MR1"]
    with ris.uow() as uow:
        for room_id in (ct, mr):
            begins = 8 + dice.randrange(4)
            uow.add(ReservedBlock(room_id=room_id, weekday=0, begins=time(begins), ends=time(begins + 1),
                                  reserved_for=dice.choice(list(ReservedFor)), release_minutes=dice.choice([None, 60, 600])))  # fmt: skip
            closed = DAY + timedelta(minutes=5 * dice.randrange(120))
            uow.add(Closure(site_id=hospital.sites["MAIN"], room_id=room_id, starts_at=closed, ends_at=closed + timedelta(hours=1),
                            reason="tube"))  # fmt: skip
        needle = uow.add(Resource(site_id=hospital.sites["MAIN"], code="N", name="Needle", kind=ResourceKind.equipment,
                                  capabilities=["needle"]))  # fmt: skip
        uow.session.flush()
        uow.add(ResourceHours(resource_id=needle.id, weekday=0, opens=time(9), closes=time(9 + dice.randrange(1, 8))))
        uow.add(ProcedureNeed(procedure_id=hospital.procedures["CTHEAD"], capability="needle"))
        uow.add(BookingPolicy(site_id=hospital.sites["MAIN"], room_change_minutes=dice.choice([0, 10]), site_change_minutes=60,
                              combine_within_minutes=120, hides_useless_gaps=dice.random() < 0.5, hold_seconds=300,
                              overbooked_at_once=1))  # fmt: skip


def fill(ris: Ris, hospital: Hospital, dice: random.Random) -> None:
    for code, room in (("CTHEAD", "CT1"), ("MRBRAIN", "MR1"), ("CTHEAD", "CT1"), ("MRBRAIN", "MR1")):
        exam = new_exam(ris, hospital, code)
        try:
            with ris.uow(hospital.actor("scheduler")) as uow:
                at = DAY + timedelta(minutes=5 * dice.randrange(130))
                service.book(uow, procedure_id=exam.id, room_id=hospital.rooms[room], starts_at=at)
        except RisError:
            continue


def outcome(ris: Ris, hospital: Hospital, places: list[Place]) -> str:
    """Why the places are refused; empty when they are booked. Nothing is kept."""
    uow = ris.uow(hospital.actor("scheduler"))
    try:
        service.book_all(uow, places=places)
        uow.flush()
    except RisError as error:
        return error.message
    finally:
        uow.session.rollback()
        uow.session.close()
    return ""


@pytest.mark.parametrize("seed", range(3))
def test_every_offer_is_booked_and_every_refusal_has_its_words(ris: Ris, hospital: Hospital, seed: int) -> None:
    dice = random.Random(seed)
    add_bone_scan(ris, hospital)
    furnish(ris, hospital, dice)
    fill(ris, hospital, dice)
    for codes in MIXES:
        with ris.uow(hospital.actor("scheduler")) as uow:
            ids = [p.id for p in make_order(uow, hospital, *codes, patient=make_patient(uow)).procedures]
        with ris.read() as session:
            offers = offering.for_exams(session, ids, Asked(DAY.date(), DAY.date()), ris.clock(), limit=200, a_day=None).offers
        for offer in dice.sample(offers, min(3, len(offers))):
            assert outcome(ris, hospital, offer.places) == ""
        offered = {offer.starts_at for offer in offers}
        for _ in range(4 if codes == ("CTHEAD",) else 0):
            at = DAY + timedelta(minutes=5 * dice.randrange(-12, 160))
            refused = outcome(ris, hospital, [Place(ids[0], hospital.rooms["CT1"], at)])
            assert refused or at >= DAY
            assert not (refused and at in offered), refused
