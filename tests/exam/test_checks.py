"""The check list: what is known, what is asked, what stops; nothing begins over it without a reason."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.base.errors import NotAllowedNow
from ris.bootstrap import Ris
from ris.exam import checks
from ris.exam.checks import Verdict
from ris.exam.model import PerformedProcedureStep, SafetyCheck
from ris.order.model import RequestedProcedure
from ris.outbox.model import StoredEvent
from ris.patient import clinical, screening
from ris.patient.clinical import AllergyData, ObservationData
from ris.patient.model import Answer, ObservationKind, Patient, Question, Sex
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.service import RuleData
from tests.factories.hospital import Hospital
from tests.factories.orders import booked

NOW = datetime(2026, 11, 30, 15, tzinfo=UTC)
IODINE = AllergyData("DA", "", "Iodinated contrast", "SV", "hives")


def with_contrast(ris: Ris) -> None:
    with ris.engine.begin() as connection:
        connection.execute(sa.text("UPDATE procedure SET contrast = true WHERE code = 'CTCHESTC'"))


def listed(ris: Ris, exam: RequestedProcedure) -> dict[str, Verdict]:
    with ris.read() as session:
        return {point.key: point.verdict for point in checks.points(session, exam.id, NOW)}


def observe(ris: Ris, hospital: Hospital, exam: RequestedProcedure, kind: ObservationKind, value: str, ago: timedelta) -> None:
    with ris.uow() as uow:
        patient_id = uow.session.get_one(RequestedProcedure, exam.id).order.patient_id
        clinical.observe(uow, patient_id, hospital.partner_id, [ObservationData(kind, value, "mL/min", NOW - ago, "F")])


def change_patient(ris: Ris, exam: RequestedProcedure, **values: object) -> None:
    with ris.uow() as uow:
        patient_id = uow.session.get_one(RequestedProcedure, exam.id).order.patient_id
        uow.session.execute(sa.update(Patient).where(Patient.id == patient_id).values(**values))


def allergic(ris: Ris, exam: RequestedProcedure) -> None:
    with ris.uow() as uow:
        clinical.note_allergy(uow, uow.session.get_one(RequestedProcedure, exam.id).order.patient_id, IODINE)


def begin(ris: Ris, hospital: Hospital, exam: RequestedProcedure, confirmed: set[str], **reasons: str) -> None:
    with ris.uow(hospital.actor("technologist")) as uow:
        checks.begin(uow, procedure_id=exam.id, confirmed=confirmed, reasons=reasons)


def test_the_points_follow_from_the_procedure_and_the_patient(ris: Ris, hospital: Hospital) -> None:
    with_contrast(ris)
    ct, mr = booked(ris, hospital, "CTCHESTC"), booked(ris, hospital, "MRBRAIN", "MR1")
    assert set(listed(ris, ct)) == {"identity", "allergy", "kidneys"}
    assert set(listed(ris, mr)) == {"identity", "magnet"}
    change_patient(ris, ct, birth_date=date(1990, 1, 1))
    assert "pregnancy" in listed(ris, ct)
    change_patient(ris, ct, sex=Sex.male)
    assert "pregnancy" not in listed(ris, ct)


SAID = [
    (ObservationKind.egfr, "85", 200, Verdict.ask),
    (ObservationKind.egfr, "85", 3, Verdict.known),
    (ObservationKind.egfr, "<30", 2, Verdict.stop),
    (ObservationKind.pregnancy, "positive", 20, Verdict.stop),
    (ObservationKind.pregnancy, "negative", 9, Verdict.ask),
    (ObservationKind.pregnancy, "negative", 2, Verdict.known),
]
"""Kind, value, days ago, and what the point is then; the newest counts."""


def test_what_is_known_answers_a_point_while_it_is_new_and_stops_when_it_is_bad(ris: Ris, hospital: Hospital) -> None:
    with_contrast(ris)
    exam = booked(ris, hospital, "CTCHESTC")
    change_patient(ris, exam, birth_date=date(1990, 1, 1))
    for kind, value, days, expected in SAID:
        observe(ris, hospital, exam, kind, value, timedelta(days=days))
        assert listed(ris, exam)["kidneys" if kind is ObservationKind.egfr else "pregnancy"] is expected


def test_the_limits_are_those_of_the_rules_about_the_exam(ris: Ris, hospital: Hospital) -> None:
    with_contrast(ris)
    exam = booked(ris, hospital, "CTCHESTC")
    observe(ris, hospital, exam, ObservationKind.egfr, "42", timedelta(days=20))
    assert (listed(ris, exam)["kidneys"], "pregnancy" in listed(ris, exam)) == (Verdict.known, False), "56 years old"
    with ris.uow() as uow:
        rules.add(uow, RuleData("Other exams", "renal", "block", "", {"exams": "MR", "lowest": "60", "days": "1"}))
        rules.add(uow, RuleData("Switched off", "renal", "off", "", {"exams": "CT", "lowest": "60", "days": "1"}))
    assert listed(ris, exam)["kidneys"] is Verdict.known
    with ris.uow() as uow:
        rules.add(uow, RuleData("Old values", "renal", "warn", "", {"exams": "CT", "lowest": "30", "days": "14"}))
        rules.add(uow, RuleData("Ages", "pregnancy", "warn", "", {"exams": "CT", "age_from": "10", "age_to": "60", "days": "14"}))
    assert (listed(ris, exam)["kidneys"], listed(ris, exam)["pregnancy"]) == (Verdict.ask, Verdict.ask)
    with ris.uow() as uow:
        rules.add(uow, RuleData("Weak kidneys", "renal", "block", "", {"exams": "CT+C", "lowest": "45", "days": "400"}))
    assert listed(ris, exam)["kidneys"] is Verdict.stop, "of several rules the strictest"
    with ris.read() as session:
        assert any("below 45" in point.text for point in checks.points(session, exam.id, NOW))


def test_what_the_patient_said_in_the_safety_screen_counts(ris: Ris, hospital: Hospital) -> None:
    with_contrast(ris)
    ct, mr = booked(ris, hospital, "CTCHESTC"), booked(ris, hospital, "MRBRAIN", "MR1")
    for exam, question, answer, expected in (
        (mr, Question.implant, Answer.conditional, Verdict.stop),
        (mr, Question.implant, Answer.no, Verdict.ask),
        (ct, Question.contrast_reaction, Answer.no, Verdict.known),
        (ct, Question.contrast_reaction, Answer.yes, Verdict.stop),
    ):
        with ris.uow() as uow:
            patient_id = uow.session.get_one(RequestedProcedure, exam.id).order.patient_id
            screening.screen(uow, patient_id, [screening.Said(question, answer, "" if answer is Answer.no else "a clip")])
        assert listed(ris, exam)["magnet" if exam is mr else "allergy"] is expected


def test_nothing_begins_over_an_open_point_and_every_one_is_named(ris: Ris, hospital: Hospital) -> None:
    with_contrast(ris)
    exam = booked(ris, hospital, "CTCHESTC")
    allergic(ris, exam)
    with pytest.raises(NotAllowedNow) as refused:
        begin(ris, hospital, exam, {"kidneys", "allergy"}, allergy=" ")
    assert [reason.split(":")[0] for reason in refused.value.missing] == [
        "not confirmed", "Allergy to Iodinated contrast (hives)",
    ]  # fmt: skip
    with ris.read() as session:
        assert session.get_one(RequestedProcedure, exam.id).status == "scheduled"
        assert session.scalars(sa.select(SafetyCheck)).all() == []


def test_a_reason_lets_a_stop_pass_and_both_are_kept_and_told(ris: Ris, hospital: Hospital) -> None:
    with_contrast(ris)
    exam = booked(ris, hospital, "CTCHESTC")
    allergic(ris, exam)
    begin(ris, hospital, exam, {"identity", "kidneys"}, allergy="Premedicated; Dr Grove decided")
    with ris.read() as session:
        performed_id = session.scalars(sa.select(PerformedProcedureStep.id).where(PerformedProcedureStep.procedure_id == exam.id)).one()
        rows = session.scalars(sa.select(SafetyCheck).where(SafetyCheck.performed_id == performed_id).order_by(SafetyCheck.id)).all()
        overridden = session.scalars(sa.select(StoredEvent).where(StoredEvent.name == "exam.check_overridden")).one()
    assert [(row.point, row.outcome) for row in rows] == [("identity", "confirmed"), ("allergy", "overridden"), ("kidneys", "confirmed")]
    assert rows[1].reason == "Premedicated; Dr Grove decided"
    assert (overridden.facts["point"], overridden.actor_name) == ("allergy", hospital.actor("technologist").name)


def test_a_point_that_is_not_so_begins_with_a_reason_too(ris: Ris, hospital: Hospital) -> None:
    exam = booked(ris, hospital, "MRBRAIN", "MR1")
    with pytest.raises(NotAllowedNow, match="not confirmed: No pacemaker"):
        begin(ris, hospital, exam, {"identity"})
    begin(ris, hospital, exam, {"identity"}, magnet="MR-safe hip, card seen")
    with ris.read() as session:
        assert session.get_one(RequestedProcedure, exam.id).status == "in_progress"
