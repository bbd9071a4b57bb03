"""The interface pages: connections, the list of messages, deliveries, and what the trail keeps of a look."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ris.base.ref import Ref
from ris.bootstrap import Ris
from ris.hl7.intake import Intake
from ris.journal.model import Message, MessageState
from ris.order.model import Order, RequestedProcedure
from ris.outbox.model import Delivery, DeliveryState
from ris.simulator.mllp import Receiver
from ris.staff.model import Role, RoleAssignment, RolePermission
from ris.staff.permission import Permission
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order
from tests.journal.entries import journalled
from tests.messages.samples import adt, merge, order, pid
from tests.outbox.outgoing import send_to, sending, until_state
from tests.waiting import until
from tests.web.visitor import NOW, Visitor, trail

Visitors = Callable[[], Visitor]


@pytest.fixture
def analyst(visitor: Visitors, hospital: Hospital) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["integration"])
    return someone


def take(ris: Ris, *messages: bytes) -> None:
    Intake(ris).take([(message, "192.0.2.1:4000") for message in messages])


def found(someone: Visitor, **query: str) -> list[str]:
    """The control ids on the page, from the top."""
    page = someone.client.get("/interfaces/messages", query_string=query).text
    return [part.split("</a>")[0].split(">")[-1] for part in page.split('class="row-name"')[1:]]


# ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_page_shows_both_ways_and_what_is_late(ris: Ris, hospital: Hospital, analyst: Visitor, clock: Clock) -> None:
    take(ris, adt("A04", pid()), adt("A04", "PID|1"))
    with ris.uow(hospital.actor("scheduler")) as uow:
        make_order(uow, hospital)
    clock.advance(minutes=5)
    page = analyst.get("/interfaces").text
    assert "EHR|HOSP" in page
    assert "late" not in page.split("<tbody")[1].split("</tbody>")[0]
    clock.advance(minutes=11)
    assert "late: 16 min" in analyst.get("/interfaces").text


def test_who_may_only_look_is_led_to_nothing_that_is_closed(ris: Ris, hospital: Hospital, visitor: Visitors) -> None:
    with ris.uow() as uow:
        role = uow.add(Role(code="watcher", name="Watcher"))
        uow.session.flush()
        uow.add(RolePermission(role_id=role.id, permission=Permission.INTERFACE_READ))
        uow.add(RoleAssignment(user_id=hospital.users["billing"], role_id=role.id, site_id=hospital.sites["MAIN"]))
    take(ris, adt("A04", "PID|1", control_id="BAD"))
    someone = visitor()
    someone.enter(hospital.users["billing"])
    pages = [someone.get("/interfaces").text, someone.get("/interfaces/deliveries").text, opened(someone, "BAD")]
    for page in pages:
        addresses = {address.replace("&amp;", "&") for address in re.findall(r'href="(/(?:interfaces|partners)[^"]*)"', page)}
        assert addresses
        assert [address for address in sorted(addresses) if someone.get(address).status_code != 200] == []


def test_a_destination_that_no_sender_process_has_says_so(ris: Ris, analyst: Visitor) -> None:
    assert "no sender process" in analyst.get("/interfaces").text
    with sending(ris):
        until(lambda: "no sender process" not in analyst.get("/interfaces").text)


def test_a_poll_without_news_is_answered_with_nothing_and_leaves_no_trace(ris: Ris, analyst: Visitor) -> None:
    version = analyst.get("/interfaces").text.split('data-version="')[1].split('"')[0]
    assert analyst.get(f"/interfaces?v={version}", X_Poll="1").status_code == 204
    journalled(ris, at=NOW - timedelta(minutes=1))
    assert analyst.get(f"/interfaces?v={version}", X_Poll="1").text.lstrip().startswith("<tbody")
    assert len(trail(ris, what="interfaces")) == 1


def test_a_destination_is_held_for_a_reason_and_released(ris: Ris, hospital: Hospital, analyst: Visitor) -> None:
    address = f"/interfaces/destinations/{hospital.destination_id}"
    assert analyst.post(f"{address}/hold", reason=" ").status_code == 422
    assert analyst.post(f"{address}/hold", reason="their upgrade").status_code == 303
    assert "their upgrade" in analyst.get("/interfaces").text
    assert analyst.post(f"{address}/release").status_code == 303
    assert "their upgrade" not in analyst.get("/interfaces").text
    (held,) = trail(ris, what="delivery.held")
    assert (held.actor_id, held.detail["reason"]) == (hospital.users["integration"], "their upgrade")


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_messages_are_found_by_patient_also_by_one_that_was_merged_away(ris: Ris, analyst: Visitor) -> None:
    take(ris, adt("A04", pid("M1", "Ash^Bo"), control_id="ONE"), adt("A04", pid("M2", "Ash^Bo"), control_id="TWO"))
    take(ris, adt("A04", pid("M3", "Fern^Cy"), control_id="OTHER"))
    assert found(analyst, patient="M2") == ["TWO"]
    take(ris, merge("M1", "M2", control_id="MERGE"))
    for query in ("M1", "M2", "ash"):
        assert found(analyst, patient=query) == ["MERGE", "TWO", "ONE"]


def test_where_several_patients_fit_the_page_asks_which(ris: Ris, analyst: Visitor) -> None:
    take(ris, adt("A04", pid("M1", "Ash^Bo"), control_id="ONE"), adt("A04", pid("M2", "Ash^Cy"), control_id="TWO"))
    page = analyst.get("/interfaces/messages?patient=ash").text
    assert "Which patient?" in page
    address = page.split("Which patient?")[1].split('href="')[2].split('"')[0].replace("&amp;", "&")
    assert "TWO" in analyst.get(address).text
    assert "ONE" not in analyst.get(address).text


def test_messages_are_found_by_accession_and_placer_number(ris: Ris, analyst: Visitor) -> None:
    take(ris, order("P1^EHR", control_id="ONE"), order("P2^EHR", control_id="TWO"))
    with ris.read() as session:
        accession = session.scalars(sa.select(RequestedProcedure.accession_number).join(Order).where(Order.placer_number == "P2")).one()
    assert found(analyst, number=accession) == ["TWO"]
    assert found(analyst, number=accession.lower()) == ["TWO"]
    assert found(analyst, number="P1") == ["ONE"]
    assert found(analyst, number="P") == []


def test_a_refused_message_is_found_by_its_text_and_the_page_says_so(ris: Ris, analyst: Visitor) -> None:
    take(ris, adt("A04", "PID|1||||Rowan^Zed", control_id="BAD"))
    assert "look for the text instead" in analyst.get("/interfaces/messages?patient=rowan").text
    assert found(analyst, text="rowan") == ["BAD"]
    assert found(analyst, state="open") == ["BAD"]


def test_times_are_those_of_the_reader_s_site(ris: Ris, analyst: Visitor) -> None:
    journalled(ris, "SEEN", at=NOW)
    assert "2026-11-30 10:00:00" in analyst.get("/interfaces/messages").text
    assert found(analyst, since="2026-11-30T10:00", until="2026-11-30T10:01") == ["SEEN"]
    assert found(analyst, since="2026-11-30T10:01") == []
    assert analyst.get("/interfaces/messages?since=soon").status_code == 422
    assert analyst.get("/interfaces/messages?before=x").status_code == 422


def test_older_messages_are_a_page_further(ris: Ris, analyst: Visitor) -> None:
    for number in range(51):
        journalled(ris, f"C{number:02}", at=NOW + timedelta(seconds=number))
    page = analyst.get("/interfaces/messages").text
    assert page.count('class="row-name"') == 50
    older = page.split("Older messages")[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert "C00" in analyst.get(older).text


def test_each_search_is_a_query_in_the_trail(ris: Ris, hospital: Hospital, analyst: Visitor) -> None:
    found(analyst, patient="M1", state="open")
    analyst.get("/interfaces/messages/export.csv?kind=ADT")
    search, file = trail(ris, action="query")
    assert (search.what, search.detail, search.actor_id) == ("messages", {"patient": "M1", "state": "open"}, hospital.users["integration"])
    assert (file.what, file.detail) == ("messages export", {"kind": "ADT"})


def test_the_file_of_a_search_holds_the_list_and_no_formula(ris: Ris, analyst: Visitor) -> None:
    journalled(ris, "=HYPERLINK(1)", state=MessageState.refused)
    journalled(ris, "C2", kind="ORM^O01")
    answer = analyst.get("/interfaces/messages/export.csv?kind=ADT")
    header, line = answer.text.splitlines()
    assert answer.mimetype == "text/csv"
    assert header.startswith("time,way,partner,type,control id")
    assert line.split(",")[3:7] == ["ADT^A08", "'=HYPERLINK(1)", "refused", "AE"]


# ── one message ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_is_saved_byte_for_byte_and_the_save_is_in_the_trail(ris: Ris, hospital: Hospital, analyst: Visitor) -> None:
    raw = b"MSH|^~\\&|EHR|HOSP\rPID|\xff\x00\r"
    message_id = journalled(ris, "C1", Ref("patient", 7), raw=raw)
    answer = analyst.get(f"/interfaces/messages/{message_id}/raw")
    assert answer.data == raw
    assert f"message-{message_id}.hl7" in answer.headers["Content-Disposition"]
    (entry,) = trail(ris, what="message export")
    assert (entry.object_id, entry.patient_id, entry.actor_id) == (message_id, 7, hospital.users["integration"])


def test_a_message_that_is_not_there_is_not_found(analyst: Visitor) -> None:
    assert analyst.get("/interfaces/messages/1").status_code == 404
    assert analyst.get("/interfaces/messages/1/raw").status_code == 404


def opened(someone: Visitor, control_id: str) -> str:
    """The page of the newest message with that control id."""
    page = someone.client.get("/interfaces/messages", query_string={"control_id": control_id}).text
    return someone.get(page.split('class="row-name" href="')[1].split('"')[0]).text


def test_a_message_shows_what_it_holds_what_it_touched_and_what_was_told(ris: Ris, analyst: Visitor) -> None:
    take(ris, order("P1^EHR", control_id="ONE"))
    page = opened(analyst, "ONE")
    for expected in (
        "Patient identifier list",
        "MR M1 of HOSP",
        "CTHEAD: CT head without contrast",
        "Meadow, Anna",
        "orm_o01 to EHR results",
    ):
        assert expected in page, expected
    (entry,) = trail(ris, what="message")
    assert entry.patient_id is not None


def test_an_outbound_message_shows_its_delivery_each_try_and_the_message_that_it_came_from(
    ris: Ris, hospital: Hospital, analyst: Visitor
) -> None:
    take(ris, order("P1^EHR", control_id="ONE"))
    with ris.read() as session:
        delivery_id, control_id = session.execute(sa.select(Delivery.id, Delivery.control_id)).one()
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, delivery_id, DeliveryState.delivered)
    page = opened(analyst, control_id)
    assert "Delivery to EHR results" in page
    assert "order.placed" in page
    assert page.split("<caption")[1].count("<tr>") >= 2
    cause = page.split('Because of <a href="')[1].split('"')[0]
    assert "ONE" in analyst.get(cause).text


def test_what_was_read_stands_beside_the_first_of_several(ris: Ris, analyst: Visitor) -> None:
    take(ris, adt("A04", pid("M1~M2^^^OTHER^MR"), control_id="TWO"))
    row = opened(analyst, "TWO").split(">PID-3[1]<")[1].split("</tr>")[0]
    assert "MR M1 of HOSP; MR M2 of OTHER" in row


def test_what_is_no_hl7_is_shown_as_it_came(ris: Ris, analyst: Visitor) -> None:
    message_id = journalled(ris, "", state=MessageState.refused, raw=b"<b>hello\xff")
    page = analyst.get(f"/interfaces/messages/{message_id}").text
    assert "It cannot be read as HL7." in page
    assert "&lt;b&gt;hello" in page


def test_a_huge_message_opens_with_its_beginning(ris: Ris, analyst: Visitor) -> None:
    message_id = journalled(ris, "BIG", raw=order() + b"NTE|1||" + b"x" * 3_000_000 + b"\r")
    page = analyst.get(f"/interfaces/messages/{message_id}").text
    assert len(page) < 400_000
    assert "the file has it whole" in page
    assert "longer than 256 KB" in page


def test_messages_with_one_control_id_and_different_content_name_each_other(ris: Ris, analyst: Visitor) -> None:
    take(ris, order("P1^EHR", control_id="C7"), order("P2^EHR", control_id="C7"), order("P3^EHR", control_id="C8"))
    with ris.read() as session:
        ids = list(session.scalars(sa.select(Message.id).order_by(Message.control_id, Message.id)))
    pages = [analyst.get(f"/interfaces/messages/{message_id}").text for message_id in ids]
    assert [("Other content" in page) for page in pages] == [True, True, False]
    assert f"/messages/{ids[1]}" in pages[0]
    assert f"/messages/{ids[0]}" in pages[1]
