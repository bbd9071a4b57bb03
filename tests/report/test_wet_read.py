"""A first look is told at once under its own status, while the report is still a draft; how far the final one is from it is kept."""

import pytest
import sqlalchemy as sa

from ris.base.errors import NotAllowedNow
from ris.billing.model import Charge, Component
from ris.bootstrap import Ris
from ris.hl7 import er7
from ris.report import integrity, reading, service, wet
from ris.report.model import Report, ReportDiscrepancy, UnreadExam
from ris.report.status import Grade
from tests.factories.hospital import Hospital
from tests.hl7 import building
from tests.outbox.outgoing import do_exam, place, retract


def claim(ris: Ris, hospital: Hospital, procedure_id: int, role: str) -> Report:
    with ris.uow(hospital.actor(role)) as uow:
        return service.claim(uow, service.open_for(uow, procedure_id).id)


def tell(ris: Ris, hospital: Hospital, report: Report, text: str, role: str = "resident") -> None:
    with ris.uow(hospital.actor(role)) as uow:
        wet.tell(uow, report_id=report.id, text=text)


def test_a_wet_read_is_told_at_once_and_kept_beside_what_the_reader_finds(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    (exam,) = placed.procedure_ids
    report = claim(ris, hospital, exam, "resident")
    with ris.uow(hospital.actor("resident")) as uow:
        service.save_draft(uow, report_id=report.id, text="FINDINGS:\nStill writing.", row_version=report.row_version)
    with pytest.raises(NotAllowedNow, match="there is no text"):
        tell(ris, hospital, report, " ")
    tell(ris, hospital, report, "No large embolus.")
    message = er7.Message.parse(building.raw(ris, "report.published").decode())
    assert (message.value("OBR", 25), message.value("ORC", 5), message.value("OBR", 33, 1, 1), building.findings(message)) == (
        "R", "IP", "", [],
    )  # fmt: skip
    texts = [(obx.value(5), obx.value(11)) for obx in message.all("OBX") if obx.value(2) == "TX"]
    assert texts == [("No large embolus.", "R")]
    with ris.read() as session:
        row = reading.report_of(session, exam)
        waits = session.scalars(sa.select(UnreadExam.procedure_id)).all()
        charged = session.scalars(sa.select(Charge).where(Charge.component == Component.professional)).all()
        assert integrity.broken(session, integrity.after(session, 0)) == []
    assert (row.status, row.draft_text, row.shown.text, waits, charged) == (
        "draft", "FINDINGS:\nStill writing.", "No large embolus.", [exam], [],
    )  # fmt: skip
    with ris.uow(hospital.actor("resident")) as uow:
        service.release(uow, report.id)
    report = claim(ris, hospital, exam, "radiologist")
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.sign_final(
            uow, report_id=report.id, text="An embolus, large.", row_version=report.row_version, password_checked=True, grade=Grade.major
        )
    with ris.read() as session:
        kept = session.scalars(sa.select(ReportDiscrepancy)).one()
    assert (kept.grade, kept.author_id, kept.reviewer_id) == (Grade.major, hospital.users["resident"], hospital.users["radiologist"])
    with pytest.raises(NotAllowedNow, match="it is final"):
        tell(ris, hospital, report, "Late.", "radiologist")


def test_a_wet_read_of_the_wrong_patient_is_taken_back_and_none_follows_a_reading(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    (exam,) = placed.procedure_ids
    tell(ris, hospital, claim(ris, hospital, exam, "radiologist"), "Bleeding.", "radiologist")
    retract(ris, hospital, placed)
    message = er7.Message.parse(building.raw(ris, "report.published").decode())
    assert (message.value("OBR", 25), next(obx.value(11) for obx in message.all("OBX") if obx.value(2) == "TX")) == ("X", "W")
    tell(ris, hospital, claim(ris, hospital, exam, "radiologist"), "No bleeding.", "radiologist")
    report = claim(ris, hospital, exam, "radiologist")
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.sign_preliminary(uow, report_id=report.id, text="No bleeding.", row_version=report.row_version)
    report = claim(ris, hospital, exam, "radiologist")
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.save_draft(uow, report_id=report.id, text="No bleeding at all.", row_version=report.row_version)
    with pytest.raises(NotAllowedNow, match="a reading stands already"):
        tell(ris, hospital, report, "Bleeding.", "radiologist")
