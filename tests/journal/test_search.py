"""Finding messages, and what each partner sends, on both engines."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ris.base.ref import Ref
from ris.bootstrap import Ris
from ris.journal import rates
from ris.journal.model import Direction, MessageState
from ris.journal.search import NOBODY, Cursor, Wanted, found, parts
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY
from tests.journal.entries import journalled

MINUTE = timedelta(minutes=1)


def control_ids(ris: Ris, **wanted: Any) -> list[str]:
    with ris.read() as session:
        return [row.control_id for row in found(session, Wanted(**wanted)).rows]


def test_each_thing_that_is_known_of_a_message_finds_it(ris: Ris, hospital: Hospital) -> None:
    anna, berta = Ref("patient", 1), Ref("patient", 2)
    journalled(ris, "A1", anna, at=MONDAY, partner_id=hospital.partner_id)
    journalled(ris, "A2", berta, Ref("procedure", 1), at=MONDAY + MINUTE, kind="ORM^O01", partner_id=hospital.partner_id)
    journalled(ris, "B3", anna, at=MONDAY + 2 * MINUTE, kind="ORU^R01", direction=Direction.outbound, state=MessageState.sent)
    journalled(ris, "B4", at=MONDAY + 3 * MINUTE, state=MessageState.refused)
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["B4", "B3", "A2", "A1"]),
        ({"touched": frozenset({anna})}, ["B3", "A1"]),
        ({"touched": frozenset({Ref("procedure", 1), Ref("patient", 9)})}, ["A2"]),
        ({"touched": frozenset()}, []),
        ({"control_id": "A"}, ["A2", "A1"]),
        ({"control_id": "%"}, []),
        ({"kind": "OR"}, ["B3", "A2"]),
        ({"kind": "ORM^O01"}, ["A2"]),
        ({"states": (MessageState.refused,)}, ["B4"]),
        ({"is_open": True}, ["B4"]),
        ({"direction": Direction.outbound}, ["B3"]),
        ({"partner_id": hospital.partner_id}, ["A2", "A1"]),
        ({"partner_id": NOBODY}, ["B4", "B3"]),
        ({"since": MONDAY + MINUTE}, ["B4", "B3", "A2"]),
        ({"until": MONDAY + MINUTE}, ["A1"]),
        ({"since": MONDAY + MINUTE, "until": MONDAY + 2 * MINUTE}, ["A2"]),
    ]
    assert [(wanted, control_ids(ris, **wanted)) for wanted, _ in cases] == cases


def test_a_whole_control_id_finds_its_message_and_not_those_that_begin_with_it(ris: Ris) -> None:
    for control_id in ("AB1", "AB12", "AB1"):
        journalled(ris, control_id, raw=control_id.encode())
    assert control_ids(ris, control_id="AB1") == ["AB1", "AB1"]
    assert sorted(control_ids(ris, control_id="AB")) == ["AB1", "AB1", "AB12"]


def test_both_ways_of_a_partner_are_one_list_also_over_pages(ris: Ris, hospital: Hospital) -> None:
    for number in range(5):
        direction, state = (Direction.inbound, MessageState.applied) if number % 2 else (Direction.outbound, MessageState.sent)
        journalled(ris, f"C{number}", at=MONDAY + MINUTE * number, direction=direction, state=state, partner_id=hospital.partner_id)
    with ris.read() as session:
        pages = list(parts(session, Wanted(partner_id=hospital.partner_id), limit=5))
        first = found(session, Wanted(partner_id=hospital.partner_id), limit=2)
        second = found(session, Wanted(partner_id=hospital.partner_id, before=first.older), limit=3)
    assert [row.control_id for page in pages for row in page] == ["C4", "C3", "C2", "C1", "C0"]
    assert [row.control_id for row in (*first.rows, *second.rows)] == ["C4", "C3", "C2", "C1", "C0"]
    assert second.older is None


@pytest.mark.parametrize("text", ["müller", "MÜLLER", "Müller", "pid|1"])
def test_a_text_is_found_in_either_case_and_in_either_character_set(ris: Ris, text: str) -> None:
    journalled(ris, "UTF8", raw="PID|1||||Müller^Zoë".encode())
    journalled(ris, "LATIN", raw="PID|1||||MÜLLER^ZOË".encode("cp1252"))
    journalled(ris, "NONE", raw=b"PID|2||||Mueller\x00\xff")
    assert sorted(control_ids(ris, text=text)) == ["LATIN", "UTF8"]


def test_pages_hold_each_message_once_also_those_of_one_moment(ris: Ris) -> None:
    for number in range(7):
        journalled(ris, f"C{number}", at=MONDAY + MINUTE * (number // 3))
    with ris.read() as session:
        seen, before = [], None
        while True:
            page = found(session, Wanted(before=before), limit=2)
            seen += [row.control_id for row in page.rows]
            before = page.older
            if before is None:
                break
        assert seen == ["C6", "C5", "C4", "C3", "C2", "C1", "C0"]
        assert [row.control_id for part in parts(session, Wanted(), limit=3) for row in part] == ["C6", "C5", "C4"]


def test_a_search_by_text_stops_after_so_many_and_says_where_to_go_on(ris: Ris) -> None:
    old = journalled(ris, "OLD", at=MONDAY, raw=b"needle")
    last = journalled(ris, "C1", at=MONDAY + MINUTE)
    for number in range(2, 5):
        journalled(ris, f"C{number}", at=MONDAY + MINUTE * number)
    with ris.read() as session:
        page = found(session, Wanted(text="needle"), look_through=4)
        assert (page.rows, page.older, page.looked_back_to) == ((), Cursor(MONDAY + MINUTE, last), MONDAY + MINUTE)
        rest = found(session, replace(Wanted(text="needle"), before=page.older), look_through=4)
        assert [row.id for row in rest.rows] == [old]
        assert rest.older is None


def test_the_figures_of_a_partner_count_what_came_in(ris: Ris, hospital: Hospital) -> None:
    midnight, now = MONDAY - timedelta(hours=10), MONDAY
    for ago, state in ((1, "applied"), (4, "refused"), (30, "applied"), (90, "quarantined"), (900, "refused")):
        journalled(ris, at=now - MINUTE * ago, state=MessageState(state), partner_id=hospital.partner_id, raw=f"{ago}".encode())
    journalled(ris, at=now, direction=Direction.outbound, state=MessageState.sent, partner_id=hospital.partner_id)
    with ris.read() as session:
        (ehr,) = rates.sources(session, now, midnight)
    assert (ehr.name, ehr.sender, ehr.last_at) == ("EHR", "EHR|HOSP", now - MINUTE)
    assert (ehr.five_minutes, ehr.hour, ehr.refused_today) == (2, 3, 2)


def test_unknown_senders_are_a_row_of_their_own_once_there_was_one(ris: Ris, hospital: Hospital) -> None:
    journalled(ris, at=MONDAY, state=MessageState.refused)
    with ris.read() as session:
        assert [(row.name, row.partner_id, row.refused_today) for row in rates.sources(session, MONDAY, MONDAY)] == [
            ("EHR", hospital.partner_id, 0), ("unknown senders", NOBODY, 1),
        ]  # fmt: skip
