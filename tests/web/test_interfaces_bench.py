"""The test bench on the page: pasted or uploaded, from the header's partner or a chosen one."""

import io
from collections.abc import Callable

import pytest

from ris.bootstrap import Ris
from ris.hl7.intake import Intake
from tests.factories.hospital import Hospital
from tests.hl7.asking import counts
from tests.journal.entries import journalled
from tests.messages.samples import message, msh, order, pid
from tests.web.visitor import Visitor, trail


@pytest.fixture
def analyst(visitor: Callable[[], Visitor], hospital: Hospital) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["integration"])
    return someone


def test_a_pasted_message_shows_everything_and_leaves_only_the_look_in_the_trail(ris: Ris, hospital: Hospital, analyst: Visitor) -> None:
    before = counts(ris, "audit_entry", "web_session")
    page = analyst.post("/interfaces/bench", text=order(control_id="X1").decode().replace("\r", "\r\n")).text
    for shown in ("It would be", "applied", "order.placed", "imaging order", "MSA|AA|X1", "EHR results: orm_o01", "CTHEAD: CT head"):
        assert shown in page, shown
    assert counts(ris, "audit_entry", "web_session") == before
    (entry,) = trail(ris, what="test bench")
    assert entry.actor_id == hospital.users["integration"]
    assert "Meadow" not in str(entry.detail)
    assert trail(ris, what="order.placed") == []


def test_an_uploaded_file_is_taken_without_its_frame_and_as_from_the_chosen_partner(hospital: Hospital, analyst: Visitor) -> None:
    raw = b"\x0b" + message(msh("ADT^A04", sender="NOBODY|HOSP"), pid("M1")) + b"\x1c\r"
    page = analyst.post("/interfaces/bench", file=(io.BytesIO(raw), "one.hl7"), partner=str(hospital.partner_id)).text
    assert "patient.registered" in page
    refused = analyst.post("/interfaces/bench", file=(io.BytesIO(raw), "one.hl7")).text
    assert "103 at MSH^1^3" in refused
    assert "Nobody." in refused


def test_a_message_of_the_journal_is_put_on_the_bench(ris: Ris, analyst: Visitor) -> None:
    Intake(ris).take([(order(control_id="X1"), "192.0.2.1:4000")])
    page = analyst.get("/interfaces/messages?control_id=X1").text
    message_page = analyst.get(page.split('class="row-name" href="')[1].split('"')[0]).text
    address = message_page.split("Try on the bench")[0].rsplit('href="', 1)[1].split('"')[0]
    assert "|X1|" in analyst.get(address).text


def test_nothing_and_too_much_are_refused(analyst: Visitor) -> None:
    assert analyst.post("/interfaces/bench", text=" \n").status_code == 422
    assert analyst.post("/interfaces/bench", text="x" * 1_000_001).status_code in (413, 422)


def test_what_is_typed_is_escaped(ris: Ris, analyst: Visitor) -> None:
    journalled(ris)
    page = analyst.post("/interfaces/bench", text="MSH|^~\\&|<b>x</b>").text
    assert "<b>x" not in page
