"""The report as a PDF file from its page."""

import io
from collections.abc import Callable

import pypdf

from ris.bootstrap import Ris
from ris.report import service as reports
from tests.factories.hospital import Hospital
from tests.factories.orders import completed, reported
from tests.web.visitor import Visitor, trail


def words(drawn: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(drawn)).pages)


def test_each_version_is_a_file_of_its_own_and_each_look_is_in_the_trail(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    exam = reported(ris, hospital, text="No fracture.")
    with ris.uow(hospital.actor("radiologist")) as uow:
        report_id = reports.open_for(uow, exam.id).id
        reports.addend(uow, report_id=report_id, text="A fracture after all.", password_checked=True)
    someone = visitor()
    someone.enter(hospital.users["technologist"])
    page = someone.get(f"/exams/{exam.id}/report").text
    assert f"/exams/{exam.id}/report/paper.pdf?version=1" in page
    newest = someone.get(f"/exams/{exam.id}/report/paper.pdf")
    first = someone.get(f"/exams/{exam.id}/report/paper.pdf?version=1")
    assert (newest.mimetype, newest.headers["Content-Disposition"]) == (
        "application/pdf", f'inline; filename="report-{exam.accession_number}-2.pdf"',
    )  # fmt: skip
    assert "A fracture after all." in words(newest.data)
    assert "SUPERSEDED. Version 2 took its place" in words(first.data)
    looks = [entry for entry in trail(ris, what="report", procedure_id=exam.id) if entry.detail.get("form") == "PDF"]
    assert [(entry.detail["version"], entry.actor_id) for entry in looks] == [
        (2, hospital.users["technologist"]), (1, hospital.users["technologist"]),
    ]  # fmt: skip
    assert someone.get(f"/exams/{exam.id}/report/paper.pdf?version=9").status_code == 404


def test_an_exam_without_a_signed_report_has_nothing_to_print(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    exam = completed(ris, hospital)
    someone = visitor()
    someone.enter(hospital.users["radiologist"])
    answer = someone.get(f"/exams/{exam.id}/report/paper.pdf")
    assert (answer.status_code, answer.location) == (303, f"/exams/{exam.id}/report")
    assert "paper.pdf" not in someone.get(answer.location).text
