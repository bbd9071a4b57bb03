"""Fix and replay on the pages: compared before it is sent, once, with the reason; one message or many."""

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.hl7.intake import Intake
from ris.journal.model import Message, MessageState
from ris.outbox.model import Delivery, DeliveryState
from ris.simulator.mllp import Receiver
from tests.factories.hospital import Hospital
from tests.hl7.asking import counts
from tests.journal.entries import journalled
from tests.messages.samples import adt, cancel, order, pid
from tests.outbox.outgoing import delivery, send_to, sending, until_state
from tests.web.visitor import Visitor, trail

Visitors = Callable[[], Visitor]


@pytest.fixture
def analyst(visitor: Visitors, hospital: Hospital) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["integration"])
    return someone


def refused(ris: Ris, raw: bytes) -> int:
    Intake(ris).take([(raw, "192.0.2.1:4000")])
    with ris.read() as session:
        return session.scalars(
            sa.select(Message.id).where(Message.state == MessageState.refused).order_by(Message.id.desc()).limit(1)
        ).one()


def lines(raw: bytes) -> str:
    return raw.decode().replace("\r", "\r\n")


def compared(page: str) -> str:
    return re.findall(r'name="compared" value="([^"]*)"', page)[0]


# ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_refused_message_is_edited_compared_and_replayed(ris: Ris, hospital: Hospital, analyst: Visitor) -> None:
    message_id = refused(ris, order(mrn="", control_id="X1"))
    address = f"/interfaces/messages/{message_id}/replay"
    assert "Fix and replay" in analyst.get(f"/interfaces/messages/{message_id}").text
    text = lines(order(mrn="M7", control_id="X1"))
    page = analyst.post(address, do="corrected", text=text)
    assert page.status_code == 200
    assert "<ins>M7^^^HOSP^MR</ins>" in page.text
    assert counts(ris)["imaging_order"] == 0
    answer = analyst.post(address, do="corrected", text=text, compared=compared(page.text))
    assert answer.status_code == 303
    result = analyst.get(answer.headers["Location"]).text
    for expected in ("It was applied.", "A replay", "<ins>M7^^^HOSP^MR</ins>", "Test Integration"):
        assert expected in result, expected
    assert counts(ris)["imaging_order"] == 1
    assert "Fix and replay" not in analyst.get(f"/interfaces/messages/{message_id}").text
    assert [entry.actor_id for entry in trail(ris, what="message.replayed")] == [hospital.users["integration"]]


def test_what_was_changed_after_the_comparison_is_compared_again(ris: Ris, analyst: Visitor) -> None:
    address = f"/interfaces/messages/{refused(ris, order(mrn=''))}/replay"
    page = analyst.post(address, do="compare", text=lines(order(mrn="M7"))).text
    again = analyst.post(address, do="corrected", text=lines(order(mrn="M8")), compared=compared(page))
    assert again.status_code == 200
    assert "<ins>M8^^^HOSP^MR</ins>" in again.text
    assert counts(ris)["imaging_order"] == 0


def test_a_second_replay_is_answered_with_what_became_of_the_first(ris: Ris, analyst: Visitor) -> None:
    address = f"/interfaces/messages/{refused(ris, cancel())}/replay"
    Intake(ris).take([(order(), "192.0.2.1:4000")])
    assert analyst.post(address, do="unchanged").status_code == 303
    before = counts(ris, "audit_entry", "web_session")
    again = analyst.post(address, do="unchanged")
    assert again.status_code == 409
    assert "applied already" in again.text
    assert counts(ris, "audit_entry", "web_session") == before


def test_what_is_still_wrong_is_refused_again_and_says_why(ris: Ris, analyst: Visitor) -> None:
    answer = analyst.post(f"/interfaces/messages/{refused(ris, cancel())}/replay", do="unchanged")
    assert "It was refused again: 204" in analyst.get(answer.headers["Location"]).text


def test_a_text_that_is_no_message_comes_back_with_the_reason(ris: Ris, analyst: Visitor) -> None:
    answer = analyst.post(f"/interfaces/messages/{refused(ris, cancel())}/replay", do="compare", text="<b>hello")
    assert answer.status_code == 422
    assert "&lt;b&gt;hello" in answer.text


def test_what_stopped_the_program_is_replayed_only_by_who_was_warned(ris: Ris, hospital: Hospital, analyst: Visitor) -> None:
    message_id = journalled(ris, "Q1", state=MessageState.quarantined, partner_id=hospital.partner_id, raw=adt("A04", pid("M9")))
    address = f"/interfaces/messages/{message_id}/replay"
    assert "stopped the program three times" in analyst.get(address).text
    assert analyst.post(address, do="unchanged").status_code == 422
    assert counts(ris)["patient"] == 0
    assert analyst.post(address, do="unchanged", warned="yes").status_code == 303
    assert counts(ris)["patient"] == 1


def test_many_are_confirmed_replayed_and_their_progress_is_shown(ris: Ris, hospital: Hospital, analyst: Visitor) -> None:
    for number in range(3):
        refused(ris, cancel(f"P{number}^EHR"))
    journalled(ris, "Q1", state=MessageState.quarantined)
    Intake(ris).take([(order(f"P{number}^EHR"), "192.0.2.1:4000") for number in range(2)])
    assert "Replay all that this finds" in analyst.get("/interfaces/messages?state=open&kind=ORM").text
    page = analyst.get("/interfaces/replays/new?kind=ORM").text
    assert "Replay 3 messages" in page
    assert "204 at ORC^1^2" in page
    ids = re.findall(r'name="messages" value="([^"]*)"', page)[0]
    key = re.findall(r'name="form_key" value="([^"]*)"', page)[0]
    answer = analyst.post("/interfaces/replays", messages=ids, form_key=key)
    assert analyst.post("/interfaces/replays", messages=ids, form_key=key).headers["Location"] == answer.headers["Location"]
    address = answer.headers["Location"]
    assert "0 of 3" in analyst.get(address).text
    assert analyst.post(address).status_code == 303
    done = analyst.get(address).text
    assert "3 of 3" in done
    assert "Go on" not in done
    with ris.read() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM imaging_order WHERE status = 'cancelled'")) == 2
    assert "Nothing that this search finds" in analyst.get("/interfaces/replays/new?kind=ADT").text


# ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def parked(ris: Ris, hospital: Hospital) -> int:
    """A delivery that the receiver refused."""
    Intake(ris).take([(order("P1^EHR"), "192.0.2.1:4000")])
    with ris.read() as session:
        delivery_id = session.scalars(sa.select(Delivery.id)).one()
    with Receiver(answer="AE") as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, delivery_id, DeliveryState.parked)
    return delivery_id


def test_the_task_and_the_exam_lead_to_the_delivery(ris: Ris, analyst: Visitor, parked: int) -> None:
    assert f"/interfaces/deliveries/{parked}" in analyst.get("/tasks").text
    with ris.read() as session:
        procedure_id, accession = session.execute(sa.text("SELECT id, accession_number FROM requested_procedure")).one()
    assert f"/interfaces/deliveries?number={accession}" in analyst.get(f"/exams/{procedure_id}").text


def test_a_parked_message_is_corrected_compared_and_sent_under_a_new_control_id(ris: Ris, analyst: Visitor, parked: int) -> None:
    address = f"/interfaces/deliveries/{parked}/correct"
    text = re.findall(r"<textarea[^>]*>(.*?)</textarea>", analyst.get(address).text, re.DOTALL)[0].replace("&amp;", "&")
    changed = text.replace("CT head", "CT of the head")
    page = analyst.post(address, do="compare", text=changed).text
    assert "CT of the head" in page.split('class="diff')[1].split("<textarea")[0]
    answer = analyst.post(address, do="send", text=changed, compared=changed)
    assert answer.status_code == 303
    corrected = int(answer.headers["Location"].rsplit("/", 1)[1])
    assert delivery(ris, corrected).state is DeliveryState.waiting
    assert delivery(ris, corrected).control_id != delivery(ris, parked).control_id
    assert delivery(ris, parked).state is DeliveryState.skipped
    assert delivery(ris, parked).control_id in analyst.get(answer.headers["Location"]).text
    assert analyst.get(address).status_code == 409
    assert len(trail(ris, what="delivery.corrected")) == 1


def test_a_correction_that_makes_another_kind_of_message_is_refused(ris: Ris, analyst: Visitor, parked: int) -> None:
    text = adt("A04", pid()).decode().replace("\r", "\n").strip()
    answer = analyst.post(f"/interfaces/deliveries/{parked}/correct", do="send", text=text, compared=text)
    assert answer.status_code == 422
    assert "cannot become another kind" in answer.text


def test_a_delivery_is_resent_skipped_and_sent_once_more(ris: Ris, hospital: Hospital, analyst: Visitor, parked: int) -> None:
    address = f"/interfaces/deliveries/{parked}"
    assert analyst.post(address, do="resend").status_code == 303
    assert delivery(ris, parked).state is DeliveryState.waiting
    assert analyst.post(address, do="repeat", reason="lost").status_code == 409
    assert analyst.post(address, do="skip").status_code == 422
    assert analyst.post(address, do="skip", reason="not wanted").status_code == 303
    assert analyst.post(address, do="repeat").status_code == 422
    assert analyst.post(address, do="repeat", reason="they lost it").status_code == 303
    with ris.read() as session:
        again = session.scalars(sa.select(Delivery).where(Delivery.id != parked)).one()
    assert (again.event_id, again.correction, again.message_id, again.state) == (
        delivery(ris, parked).event_id, 1, None, DeliveryState.waiting,
    )  # fmt: skip
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until_state(ris, again.id, DeliveryState.delivered)
    assert again.control_id in receiver.arrivals[-1].payload.decode()
    (entry,) = trail(ris, what="delivery.repeated")
    assert (entry.actor_id, entry.detail["reason"]) == (hospital.users["integration"], "they lost it")


def test_everything_that_was_told_of_an_exam_is_found_and_sent_once_more_together(ris: Ris, analyst: Visitor, parked: int) -> None:
    with ris.read() as session:
        accession = session.scalar(sa.text("SELECT accession_number FROM requested_procedure"))
    assert analyst.get(f"/interfaces/deliveries?number={accession.lower()}").text.count('name="delivery"') == 1
    assert analyst.get("/interfaces/deliveries?number=NONE").text.count('name="delivery"') == 0
    assert analyst.post("/interfaces/deliveries", do="skip", delivery=[parked]).status_code == 422
    analyst.post("/interfaces/deliveries", do="skip", reason="together", delivery=[parked])
    answer = analyst.post("/interfaces/deliveries", do="repeat", reason="they lost it", delivery=[parked, 77], number=accession)
    assert answer.status_code == 404
    analyst.post("/interfaces/deliveries", do="repeat", reason="they lost it", delivery=[parked], number=accession)
    page = analyst.get(f"/interfaces/deliveries?number={accession}").text
    assert page.count('name="delivery"') == 2


def test_of_many_those_that_have_moved_on_are_left_as_they_are(ris: Ris, analyst: Visitor, parked: int) -> None:
    analyst.post(f"/interfaces/deliveries/{parked}", do="skip", reason="done")
    answer = analyst.post("/interfaces/deliveries", do="resend", delivery=[parked])
    assert "0 are sent again. 1 were left as they are" in analyst.get(answer.headers["Location"]).text
