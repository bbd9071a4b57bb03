"""Reports that go with a PDF file and a link to the images, over a socket to a receiver that keeps its own account."""

import base64
import io
import sys

import pypdf
import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.documents import report_sheet
from ris.hl7 import er7
from ris.journal.model import Message
from ris.order.model import RequestedProcedure
from ris.outbox.model import Delivery
from ris.outbox.transport import CannotBuild
from ris.partner.model import Destination
from ris.simulator.mllp import Receiver
from tests.factories.hospital import Hospital
from tests.hl7 import building
from tests.hl7.building import findings
from tests.outbox.outgoing import add_destination, do_exam, forget_deliveries, place, retract, send_to, sending, sign

on_sqlite = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
VIEWER = "https://pacs.example/view?study={study_instance_uid}&number={accession_number}"


def enclosed(message: er7.Message) -> list[bytes]:
    return [base64.b64decode(obx.value(5, 5), validate=True) for obx in message.all("OBX") if obx.value(2) == "ED"]


def words(drawn: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(drawn)).pages)


def test_the_file_arrives_byte_for_byte_as_the_journal_keeps_it(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital, "P7", ("CTCHESTC", "CTHEAD"))
    do_exam(ris, hospital, placed)
    forget_deliveries(ris)
    with Receiver() as results, Receiver() as documents:
        send_to(ris, hospital, results.port, report_pdf=True, study_link=VIEWER)
        add_destination(ris, "documents", documents.port, "report.published", message="mdm_t02", version="2.3.1", report_pdf=True)
        add_destination(ris, "plain", documents.port, "report.published", message="oru_r01")
        with sending(ris):
            version_id = sign(ris, hospital, placed, "FINDINGS:\nNo embolus.\nIMPRESSION:\nNormal.")
            assert results.wait_for(1, 30)
            assert documents.wait_for(2, 30)
    (oru,) = (er7.Message.parse(arrival.payload.decode()) for arrival in results.arrivals)
    arrived = {m.value("MSH", 9): m for m in (er7.Message.parse(arrival.payload.decode()) for arrival in documents.arrivals)}
    with ris.read() as session:
        drawn = report_sheet.draw(report_sheet.read(session, version_id))
        kept = session.scalars(sa.select(Message.raw).join(Delivery, Delivery.message_id == Message.id)).all()
        exam = session.get_one(RequestedProcedure, placed.procedure_ids[0])
    assert {arrival.payload for arrival in (*results.arrivals, *documents.arrivals)} == set(kept)
    assert enclosed(oru) == [drawn]
    assert enclosed(arrived["MDM"]) == [drawn]
    assert enclosed(arrived["ORU"]) == []
    assert "No embolus." in words(drawn)
    assert [findings(message) for message in (oru, *arrived.values())] == [[], [], []]
    obx = oru.all("OBX")
    assert [(row.value(1), row.value(2), row.value(4)) for row in obx] == [
        ("1", "ST", ""), ("2", "RP", "2"), ("3", "TX", "1"), ("4", "TX", "2"), ("5", "TX", "3"), ("6", "TX", "4"), ("7", "ED", "PDF"),
    ]  # fmt: skip
    assert [obx[1].value(5, n) for n in (1, 3, 4)] == [
        f"https://pacs.example/view?study={exam.study_instance_uid}&number={exam.accession_number}", "TEXT", "HTML",
    ]  # fmt: skip
    assert [obx[-1].value(5, n) for n in (1, 2, 3, 4)] == ["RIS", "application", "pdf", "Base64"]


@on_sqlite
def test_a_file_says_what_its_version_was_whatever_was_signed_since(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    with ris.uow() as uow:
        uow.session.get_one(Destination, hospital.destination_id).report_pdf = True
    first, second = sign(ris, hospital, placed, "Normal."), retract(ris, hospital, placed)

    def file_of(version_id: int) -> str:
        message = building.built(ris, "report.published", lambda event: event.facts["version_id"] == version_id)
        (drawn,) = enclosed(message)
        return words(drawn)

    assert "SUPERSEDED" not in file_of(first)
    assert "RETRACTED. What is written below does not hold." in file_of(second)


@on_sqlite
def test_a_machine_that_cannot_draw_parks_the_delivery(ris: Ris, hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    with ris.uow() as uow:
        uow.session.get_one(Destination, hospital.destination_id).report_pdf = True
    sign(ris, hospital, placed, "Drawn by nobody.")
    with pytest.raises(CannotBuild, match="can draw no PDF"):
        building.raw(ris, "report.published")
