"""The room by plain forms: check list, what was given, dose, reaction, completion, undo."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.catalog.model import Material, MaterialKind
from ris.exam.performed import PerformedRow, performed_of
from ris.order.model import RequestedProcedure
from ris.patient import clinical
from ris.patient.clinical import AllergyData
from tests.factories.hospital import Hospital
from tests.factories.orders import booked
from tests.web.visitor import NOW, Visitor


@pytest.fixture
def technologist(hospital: Hospital, visitor: Callable[[], Visitor]) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["technologist"])
    return someone


def done(ris: Ris, exam: RequestedProcedure) -> PerformedRow:
    with ris.read() as session:
        found = performed_of(session, exam.id)
    assert found is not None
    return found


def test_an_exam_with_a_stop_begins_with_a_reason_and_the_radiologist_reads_what_was_done(
    ris: Ris, hospital: Hospital, technologist: Visitor, visitor: Callable[[], Visitor]
) -> None:
    exam = booked(ris, hospital, "CTCHESTC", starts_at=NOW)
    with ris.uow() as uow:
        uow.session.execute(sa.text("UPDATE procedure SET contrast = true WHERE code = 'CTCHESTC'"))
        iohexol = uow.add(Material(code="IOH", name="Iohexol 300", kind=MaterialKind.contrast, unit="ml"))
        patient_id = uow.session.get_one(RequestedProcedure, exam.id).order.patient_id
        clinical.note_allergy(uow, patient_id, AllergyData("DA", "", "Iodinated <contrast>", "SV", "hives"))
    at = f"/exams/{exam.id}/perform"
    page = technologist.get(f"{at}/start?room=Room+CT1").text
    assert "Allergy to Iodinated &lt;contrast&gt; (hives)" in page
    assert "/worklists/technologist?room=Room+CT1" in page
    refused = technologist.post(f"{at}/start", confirmed=["identity"])
    assert refused.status_code == 409
    assert "say why it begins all the same" in refused.text
    assert "not confirmed: No kidney disease" in refused.text
    sent = {"confirmed": ["identity", "kidneys"], "reason-allergy": "premedicated"}
    begun = technologist.post(f"{at}/start?room=Room+CT1", **sent)
    assert (begun.status_code, begun.location) == (303, "/worklists/technologist?room=Room+CT1")
    assert technologist.post(f"{at}/give", material_id=str(iohexol.id), amount="82,5").status_code == 422
    technologist.post(f"{at}/give", material_id=str(iohexol.id), amount="82,5", lot="L7")
    technologist.post(f"{at}/give", amount="1", kind="medication", name="Saline", unit="ml")
    technologist.post(f"{at}/take-back", given_id=str(done(ris, exam).given[1].id))
    technologist.post(f"{at}/measure", dlp="412.5", ctdi_vol="")
    technologist.post(f"{at}/react", substance="Iohexol 300", severity="MI", reaction="itching")
    technologist.post(f"{at}/pause")
    assert "paused" in technologist.get("/worklists/technologist").text
    technologist.post(f"{at}/resume")
    assert technologist.post(f"{at}/complete", image_count="many").status_code == 422
    technologist.post(f"{at}/complete", image_count="240", note="moved")
    shown = technologist.get(at).text
    for text in ("Iohexol 300", "82.5 ml", "L7", "taken back", "412.5", "240", "moved", "itching", "premedicated"):
        assert text in shown
    reader = visitor()
    reader.enter(hospital.users["radiologist"])
    report = reader.get(f"/exams/{exam.id}/report").text
    for text in ("Iohexol 300, 82.5 ml", "240", "moved", "premedicated"):
        assert text in report
    assert "Saline" not in report
    technologist.post(f"{at}/undo")
    row = done(ris, exam)
    assert (row.status, row.note) == ("IN PROGRESS", "moved")


def test_what_is_no_number_is_named_and_nothing_is_done(ris: Ris, hospital: Hospital, technologist: Visitor) -> None:
    exam = booked(ris, hospital, starts_at=NOW)
    at = f"/exams/{exam.id}/perform"
    assert technologist.post(f"{at}/pause").status_code == 409
    technologist.post(f"{at}/start", confirmed="identity")
    for path, fields, reason in (
        ("give", {"amount": "NaN", "kind": "supply", "name": "Needle", "unit": "piece"}, "The amount is not a number"),
        ("give", {"amount": "1", "kind": "gift", "name": "Needle", "unit": "piece"}, "say what kind of thing"),
        ("measure", {"dlp": "much"}, "Dlp is not a number"),
        ("react", {"substance": "", "severity": "MI", "reaction": ""}, "a reaction needs"),
    ):
        refused = technologist.post(f"{at}/{path}", **fields)
        assert refused.status_code == 422
        assert reason in refused.text
    assert done(ris, exam).given == ()


def test_the_start_of_the_list_leads_to_the_check_list_and_not_around_it(ris: Ris, hospital: Hospital, technologist: Visitor) -> None:
    exam = booked(ris, hospital, starts_at=NOW)
    answer = technologist.post(f"/worklists/technologist/{exam.id}/start", status="booked")
    assert (answer.status_code, answer.location) == (303, f"/exams/{exam.id}/perform/start?status=booked")
    with ris.read() as session:
        assert session.get_one(RequestedProcedure, exam.id).status == "scheduled"


def test_another_and_a_further_procedure_are_written_down_on_the_page(ris: Ris, hospital: Hospital, technologist: Visitor) -> None:
    exam = booked(ris, hospital, starts_at=NOW)
    at = f"/exams/{exam.id}/perform"
    technologist.post(f"{at}/start", confirmed="identity", together="17")
    chest = str(hospital.procedures["CTCHESTC"])
    technologist.post(f"{at}/instead", done_id=chest)
    technologist.post(f"{at}/also", done_id=chest)
    page = technologist.get(at).text
    assert "Done: <strong>CT chest with contrast</strong>. Asked for: CT head without contrast." in page
    assert "In one go with" in page
    technologist.post(f"{at}/complete", image_count="12")
    assert technologist.get("/worklists/technologist").text.count("status-finished") == 2


def test_an_exam_that_needs_consent_does_not_begin_without_it_and_a_withdrawn_one_is_none(
    ris: Ris, hospital: Hospital, technologist: Visitor
) -> None:
    exam = booked(ris, hospital, starts_at=NOW)
    with ris.uow() as uow:
        uow.session.execute(sa.text("UPDATE procedure SET needs_consent = true"))
    at = f"/exams/{exam.id}"
    stopped = technologist.post(f"{at}/perform/start", confirmed="identity")
    assert (stopped.status_code, "No consent is on record" in stopped.text) == (409, True)
    assert technologist.post(f"{at}/consent/give", form="sung", given_by="the patient").status_code == 422
    assert technologist.post(f"{at}/consent/give", form="written", given_by=" ").status_code == 422
    technologist.post(f"{at}/consent/give", form="spoken", given_by="Her mother")
    assert technologist.post(f"{at}/consent/give", form="written", given_by="the patient").status_code == 409
    assert technologist.post(f"{at}/consent/withdraw", reason="").status_code == 422
    technologist.post(f"{at}/consent/withdraw", reason="She does not want it")
    assert technologist.post(f"{at}/consent/withdraw", reason="again").status_code == 409
    page = technologist.get(f"{at}/consent").text
    assert "Her mother" in page
    assert "She does not want it" in page
    assert technologist.post(f"{at}/perform/start", confirmed="identity").status_code == 409
    technologist.post(f"{at}/consent/give", form="written", given_by="the patient")
    assert "Consent (written) by the patient" in technologist.get(f"{at}/perform/start").text
    assert technologist.post(f"{at}/perform/start", confirmed="identity").status_code == 303
    with ris.read() as session:
        names = session.scalars(sa.text("SELECT name FROM event WHERE name LIKE 'exam.consent%' ORDER BY id")).all()
    assert names == ["exam.consent_given", "exam.consent_withdrawn", "exam.consent_given"]
