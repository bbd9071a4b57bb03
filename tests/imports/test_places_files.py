"""Rooms, hours and closures as files: errors by line, what is booked is left to a person, what goes out comes in again."""

import io
from datetime import UTC, datetime

import pytest

from ris.base.csv_text import csv_text
from ris.bootstrap import Ris
from ris.catalog.model import Site
from ris.imports import KINDS, places
from ris.imports.kind import Finding, Verdict
from ris.imports.run import Order, Result, apply, look
from ris.scheduling import service as scheduling
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, new_exam

NOW = datetime(2026, 11, 16, 14, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


class House:
    def __init__(self, ris: Ris, hospital: Hospital) -> None:
        self.ris, self.hospital = ris, hospital
        self.said: list[Finding] = []

    def take(self, kind: str, text: str, *, looks: bool = False, role: str = "administrator") -> Result:
        self.said = []
        order = Order(KINDS[kind], self.hospital.actor(role), f"{kind}.csv")
        return (look if looks else apply)(self.ris, order, io.BytesIO(text.encode()), self.said.append)

    def written(self, kind: str) -> str:
        with self.ris.read() as session:
            rows = places.export(session, kind, frozenset(self.hospital.sites.values()))
            return csv_text([KINDS[kind].column_names, *rows])


def test_what_goes_out_comes_in_again_and_every_error_is_named_by_its_line(ris: Ris, hospital: Hospital) -> None:
    house = House(ris, hospital)
    rooms = "site,code,name,modality,weight_limit_kg\nMAIN,CT2,CT 2,CT,200\nMAIN,CT1,Room CT1,ZZ,\nMARS,CT3,CT 3,CT,heavy\n"
    assert house.take("room", rooms).applied is False
    assert [(f.line, f.column) for f in house.said if f.verdict is Verdict.wrong] == [(3, "modality"), (4, "weight_limit_kg"), (4, "site")]
    good = rooms.replace("ZZ", "CT").replace("MARS", "WEST").replace("heavy", "180")
    assert house.take("room", good, looks=True).counts == {Verdict.new: 2, Verdict.unchanged: 1}
    assert "CT2" not in house.written("room")
    assert house.take("room", good).applied
    hours = "room,monday,saturday\nCT2,07:00-12:00 13:00-24:00,\nCT9,,\nCT1,9,\n"
    house.take("room-hours", hours)
    assert [(f.line, f.column) for f in house.said if f.verdict is Verdict.wrong] == [(3, "room"), (4, "monday")]
    assert house.take("room-hours", hours.replace("CT9,,\nCT1,9,\n", "")).applied
    assert "CT2,07:00-12:00 13:00-24:00,,,,,," in house.written("room-hours")
    house.take("reserved", "room,weekday,begins,ends,reserved_for\nCT2,monday,10:00,11:00,emergency\n")
    house.take("special", "site,room,day,opens,closes,reason\nMAIN,,2026-12-24,08:00,12:00,Christmas Eve\n")
    house.take("closure", "site,room,starts_at,ends_at,reason\nMAIN,CT2,2026-12-28T08:00,2026-12-28T12:00,Service\n")
    house.take("policy", "site,hold_seconds,hides_useless_gaps\nMAIN,600,yes\nWEST,5,no\n")
    assert [(f.line, f.column) for f in house.said if f.verdict is Verdict.wrong] == [(3, "hold_seconds")]
    assert house.take("policy", "site,hold_seconds,hides_useless_gaps\nMAIN,600,yes\n").counts == {Verdict.changed: 1}
    with ris.uow(hospital.actor("administrator")) as uow:
        uow.session.get_one(Site, hospital.sites["MAIN"]).holiday_country = "US"
    chosen = "site,holiday,choice\nMAIN,Christmas Day,10:00-14:00\nMAIN,Thanksgiving Day,open\n"
    wrong = chosen + "MAIN,Midsummer,closed\nMARS,Christmas Day,closed\nMAIN,New Year's Day,maybe\n"
    assert not house.take("holiday", wrong).applied
    assert [(f.line, f.column) for f in house.said if f.verdict is Verdict.wrong] == [(4, "holiday"), (5, "site"), (6, "choice")]
    assert house.take("holiday", chosen, looks=True).counts == {Verdict.changed: 2}
    assert "MAIN,Christmas Day,\n" in house.written("holiday").replace("\r", "")
    assert house.take("holiday", chosen).counts == {Verdict.changed: 2}
    assert "MAIN,Christmas Day,10:00-14:00" in house.written("holiday")
    for kind in places.FILED:
        again = house.take(kind, house.written(kind))
        assert (again.applied, set(again.counts) <= {Verdict.unchanged}) == (True, True), (kind, house.said)


def test_a_line_that_hits_appointments_is_left_to_a_person_and_nobody_writes_at_other_sites(ris: Ris, hospital: Hospital) -> None:
    house = House(ris, hospital)
    exam = new_exam(ris, hospital)
    with ris.uow(hospital.actor("scheduler")) as uow:
        scheduling.book(uow, procedure_id=exam.id, room_id=hospital.rooms["CT1"], starts_at=MONDAY)
    closures = (
        "site,room,starts_at,ends_at,reason\n"
        "MAIN,CT1,2026-11-30T08:00,2026-11-30T12:00,Service\nMAIN,MR1,2026-11-30T08:00,2026-11-30T12:00,Helium\n"
    )
    assert house.take("closure", closures).counts == {Verdict.undecided: 1, Verdict.new: 1}
    left = next(f for f in house.said if f.verdict is Verdict.undecided)
    assert (left.line, left.what) == (2, "1 booked appointment would have to be moved")
    assert ("MR1,,2026" in house.written("closure"), "CT1" in house.written("closure")) == (True, False)
    house.take("room", "site,code,name,modality,active\nMAIN,CT1,Room CT1,CT,no\n")
    assert [(f.verdict, f.what) for f in house.said] == [(Verdict.wrong, "1 booked appointment must be moved or cancelled first")]
    refused = house.take("room", "site,code,name,modality\nMAIN,CT1,Mine,CT\n", role="scheduler")
    assert (refused.applied, house.said[0].what) == (False, "it belongs to a site at which you manage no places")
