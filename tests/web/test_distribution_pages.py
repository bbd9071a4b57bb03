"""The pages of distribution: who gets it, the print queue, the link of an e-mail, and the check of a printed version."""

import io
from collections.abc import Callable

import pypdf
import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.distribution import queries
from ris.referrer.model import Delivery as By
from ris.report.model import ReportVersion
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.results import exam_with_copies, referrer, sign
from tests.web.visitor import Visitor, trail


@pytest.fixture
def desk(visitor: Callable[[], Visitor], hospital: Hospital) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["front_desk"])
    return someone


def text_of(drawn: bytes) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(drawn)).pages]


def test_letters_are_printed_in_one_file_marked_and_taken_back(ris: Ris, hospital: Hospital, desk: Visitor) -> None:
    referrer(ris, "Adler", By.print)
    referrer(ris, "Fern", By.fax, fax="217 555 0199")
    exam = exam_with_copies(ris, hospital, "Adler", "Fern")
    sign(ris, hospital, exam)
    with ris.read() as session:
        waiting = {row.recipient: row.dispatch_id for row in queries.to_print(session, hospital.sites.values())}
    page = desk.get("/print-queue").text
    assert "217 555 0199" in page
    assert "Adler practice, 1 Hill, Dale" in page
    drawn = desk.post("/print-queue/letters.pdf", d=[waiting["Adler"], waiting["Fern"]])
    pages = text_of(drawn.data)
    assert drawn.mimetype == "application/pdf"
    assert ["Page 1 of 1" in page for page in pages] == [True, True]
    assert "Adler\nAdler practice\n1 Hill" in pages[0]
    assert desk.post("/print-queue/letters.pdf").status_code == 303
    assert desk.post("/print-queue/letters.pdf", d=["1"] * 51).status_code == 400
    assert desk.post("/print-queue/printed", d=list(waiting.values()), form_key="a" * 22).status_code == 303
    page = desk.get("/print-queue").text
    assert "Nothing waits to be printed." in page
    assert "3 marked as printed." in page
    assert desk.post(f"/print-queue/{waiting['Adler']}/undo").status_code == 303
    again = desk.post(f"/print-queue/{waiting['Adler']}/undo")
    assert (again.status_code, "Cannot undo printed" in again.text) == (409, True)
    looks = [entry.detail["form"] for entry in trail(ris, what="report", procedure_id=exam.id) if "form" in entry.detail]
    assert looks == ["letter", "letter"]


def test_a_copy_a_stop_and_once_more_are_done_on_the_page_of_the_exam(ris: Ris, hospital: Hospital, desk: Visitor) -> None:
    referrer(ris, "Adler", By.print)
    exam = exam_with_copies(ris, hospital)
    here = f"/exams/{exam.id}/distribution"
    assert "Grove, Oscar" in desk.get(here).text, "who will get it is shown before anything is published"
    refused = desk.post(f"{here}/copy", referrer="Adler")
    assert (refused.status_code, "say why the report goes there" in refused.text) == (422, True)
    assert 'value="Adler"' in refused.text
    assert desk.post(f"{here}/copy", referrer="Nobody", reason="x").status_code == 422
    assert desk.post(f"{here}/copy", referrer="Adler", reason="treats the patient now").status_code == 303
    report_id = sign(ris, hospital, exam)
    with ris.read() as session:
        rows = {row.recipient: row.dispatch_id for row in queries.of_report(session, report_id)}
    assert rows.keys() == {"Oscar Grove", "Adler"}
    assert desk.post(f"/dispatches/{rows['Adler']}/drop", reason="").status_code == 422
    assert desk.post(f"/dispatches/{rows['Adler']}/drop", reason="sent by hand").status_code == 303
    assert desk.post(f"/dispatches/{rows['Adler']}/again", reason="got lost").status_code == 303
    page = desk.get(here).text
    assert "once more" in page
    assert "Sent by hand" in page
    assert "treats the patient now" in page
    assert desk.get(f"/dispatches/{rows['Adler']}").location == f"{here}#d-{rows['Adler']}"
    link = desk.get(f"/results/{rows['Adler']}")
    assert (link.status_code, link.location) == (303, f"/exams/{exam.id}/report")
    assert [entry.object_id for entry in trail(ris, what="link of an e-mail", procedure_id=exam.id)] == [rows["Adler"]]


def test_whoever_scans_the_paper_learns_whether_it_holds_and_nothing_else(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], clock: Clock
) -> None:
    exam = exam_with_copies(ris, hospital)
    passer_by = visitor()

    def asked(number: int) -> str:
        with ris.read() as session:
            digest = session.scalars(sa.select(ReportVersion.digest).where(ReportVersion.number == number)).one()
        answer = passer_by.get(f"/verify/{digest}")
        assert answer.status_code == 200
        for secret in ("Meadow", "Anna", "1970", exam.accession_number, "fracture", "CT head"):
            assert secret not in answer.text
        return answer.text

    sign(ris, hospital, exam, "preliminary")
    assert "version 1 is the current one" in asked(1)
    assert "It is preliminary" in asked(1)
    sign(ris, hospital, exam)
    assert "version 2 took its place" in asked(1)
    assert "version 2 is the current one" in asked(2)
    sign(ris, hospital, exam, "retraction")
    assert "the report was retracted" in asked(2)
    assert "the report was retracted" in asked(3)
    for wrong in ("0" * 64, "x", "%00"):
        answer = passer_by.get(f"/verify/{wrong}")
        assert (answer.status_code, "Not known here" in answer.text) == (404, True)
    answers = [passer_by.get("/verify/" + "0" * 64) for _ in range(30)]
    slow = answers[-1]
    assert (slow.status_code, slow.headers["Retry-After"], "Please wait a minute" in slow.text) == (429, "2", True)
