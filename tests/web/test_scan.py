"""What a scanner opens, where it stops, and what is printed for it."""

from collections.abc import Callable

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from ris.patient.model import PatientIdentifier
from tests.factories.hospital import Hospital
from tests.factories.orders import booked, completed
from tests.web.people import somebody
from tests.web.visitor import NOW, Visitor


def patient_of(ris: Ris, exam: RequestedProcedure) -> tuple[int, str]:
    with ris.read() as session:
        patient_id = session.get_one(RequestedProcedure, exam.id).order.patient_id
        return patient_id, session.scalars(sa.select(PatientIdentifier.value).where(PatientIdentifier.patient_id == patient_id)).one()


def test_an_accession_number_or_a_wristband_opens_the_exam_and_another_patient_stops(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    exam, other, done = booked(ris, hospital, starts_at=NOW), booked(ris, hospital, "MRBRAIN", "MR1"), completed(ris, hospital)
    (patient_id, mrn), (_, other_mrn), (done_id, done_mrn) = (patient_of(ris, each) for each in (exam, other, done))
    someone = visitor()
    someone.enter(hospital.users["technologist"])
    for code, leads_to in (
        (exam.accession_number, f"/exams/{exam.id}"),
        (exam.accession_number.lower(), f"/exams/{exam.id}"),
        (mrn, f"/exams/{exam.id}"),
        (done_mrn, f"/patients/{done_id}"),
        ("NOBODY", "/search?q=NOBODY"),
    ):
        answer = someone.get(f"/scan?code={code}")
        assert (answer.status_code, answer.location) == (303, leads_to)
    on_screen = f"patient_id={patient_id}&procedure_id={exam.id}"
    assert someone.get(f"/scan?code={mrn}&{on_screen}").location == f"/exams/{exam.id}/perform"
    stopped = someone.get(f"/scan?code={other_mrn}&{on_screen}")
    assert stopped.status_code == 409
    assert "Stop: another patient" in stopped.text
    assert f'href="/exams/{other.id}"' in stopped.text
    assert f'href="/patients/{patient_id}"' in stopped.text
    elsewhere = visitor()
    elsewhere.enter(somebody(ris, hospital, "west", technologist="WEST"))
    for code in (exam.accession_number, other_mrn):
        assert elsewhere.get(f"/scan?code={code}").location.startswith("/search")


def test_labels_are_printed_as_pdf_and_zpl_and_the_print_is_in_the_trail(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    exam = booked(ris, hospital, starts_at=NOW)
    someone = visitor()
    someone.enter(hospital.users["front_desk"])
    assert "Wristband" in someone.get(f"/exams/{exam.id}/labels").text
    drawn = someone.get(f"/exams/{exam.id}/labels/pdf?what=wristband")
    assert (drawn.mimetype, drawn.data[:5]) == ("application/pdf", b"%PDF-")
    assert exam.accession_number in someone.get(f"/exams/{exam.id}/labels/zpl").text
    assert someone.get(f"/exams/{exam.id}/labels/zpl?what=poster").status_code == 422
    assert "wristband printed" in someone.get(f"/exams/{exam.id}").text
