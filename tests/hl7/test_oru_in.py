"""Results in: what a laboratory found, and reports from a dictation system or from outside."""

from datetime import UTC, datetime

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from ris.patient import queries as patients
from ris.report import service as reports
from ris.report.model import Report
from ris.report.status import ReportStatus
from tests.factories.hospital import Hospital
from tests.factories.orders import completed, reported
from tests.hl7.asking import accept, agree, ask, counts, order_of, patient_of, rows, tasks
from tests.messages.samples import adt, message, msh, order, pid

CREATININE = "OBX|1|NM|2160-0^Creatinine^LN||1.3|mg/dL|0.6-1.2|H|||F|||20261120081500"
EGFR = "OBX|2|SN|33914-3^eGFR^LN||<^30|mL/min/1.73m2|||||F"
SODIUM = "OBX|3|NM|2951-2^Sodium^LN||140|mmol/L|||||F"


def oru(*segments: str, control_id: str = "") -> bytes:
    return message(msh("ORU^R01^ORU_R01", control_id), *segments)


def lab(*obx: str, mrn: str = "M1") -> bytes:
    return oru(pid(mrn), "OBR|1|L1|L2|24323-8^Comprehensive panel^LN|||20261120080000", *obx)


def told(exam: RequestedProcedure, *lines: str, mrn: str, number: str = "") -> bytes:
    obx = [f"OBX|{n}|TX|18748-4^Report^LN||{line}||||||P" for n, line in enumerate(lines, 1)]
    return oru(pid(mrn), f"OBR|1||{number or exam.accession_number}|CTHEAD^CT head^L|||||||||||||||||||||P", *obx)


def mrn_of(ris: Ris, exam: RequestedProcedure) -> str:
    ((mrn,),) = rows(
        ris,
        "SELECT i.value FROM patient_identifier i JOIN imaging_order o ON o.patient_id = i.patient_id WHERE o.id = :id",
        id=exam.order_id,
    )
    return str(mrn)


def report_of(ris: Ris) -> Report | None:
    with ris.read() as session:
        return session.scalars(sa.select(Report)).one_or_none()


# ── laboratory ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_creatinine_and_egfr_are_kept_with_value_unit_and_time(ris: Ris, hospital: Hospital) -> None:
    accept(ris, adt("A04", pid("M1", "Meadow^Anna")), lab(CREATININE, EGFR, SODIUM))
    with ris.read() as session:
        kept = patients.observations(session, patient_of(session, "M1").id)
    assert [(o.kind, o.value, o.unit, o.observed_at) for o in kept] == [
        ("creatinine", "1.3", "mg/dL", datetime(2026, 11, 20, 13, 15, tzinfo=UTC)),
        ("egfr", "<30", "mL/min/1.73m2", datetime(2026, 11, 20, 13, tzinfo=UTC)),
    ]


def test_a_patient_whom_only_the_laboratory_knows_is_there_when_the_order_comes(ris: Ris, hospital: Hospital) -> None:
    accept(ris, lab(CREATININE), order())
    with ris.read() as session:
        assert len(patients.observations(session, order_of(session).patient_id)) == 1


def test_results_that_nobody_needs_are_passed_over_and_make_no_patient(ris: Ris, hospital: Hospital) -> None:
    before = counts(ris, "message")
    accept(ris, lab(SODIUM), lab("OBX|1|TX|^Comment||Haemolysed||||||F"))
    assert counts(ris, "message") == before


def test_a_withdrawn_result_is_shown_no_more_and_the_one_before_is(ris: Ris, hospital: Hospital) -> None:
    older = CREATININE.replace("1.3", "1.0").replace("20261120", "20261020")
    accept(ris, lab(older), lab(CREATININE), lab(CREATININE.replace("|F|", "|W|")))
    with ris.read() as session:
        assert [o.value for o in patients.observations(session, patient_of(session, "M1").id)] == ["1.0"]


def test_a_result_of_nothing_or_of_nobody_is_refused(ris: Ris, hospital: Hospital) -> None:
    assert ask(ris, oru(pid("M1")), oru(pid(""), "OBR|1")) == [("AE", "100", "OBR^1"), ("AE", "101", "PID^1^3")]


# ── reports ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dictated_report_becomes_the_draft_of_its_exam(ris: Ris, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    dictated = told(exam, "FINDINGS:", r"No fracture.\.br\No bleeding.", mrn=mrn_of(ris, exam))
    accept(ris, dictated)
    report = report_of(ris)
    assert (report.status, report.draft_text) == (ReportStatus.draft, "FINDINGS:\nNo fracture.\nNo bleeding.")
    accept(ris, told(exam, "FINDINGS:", r"No fracture.\.br\No bleeding.", mrn=mrn_of(ris, exam)))
    assert tasks(ris) == []
    assert rows(ris, "SELECT count(*) FROM event WHERE name = 'report.dictated'") == [(1,)]


def test_a_report_is_found_by_the_placer_number_and_the_code(ris: Ris, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    number = exam.order.placer_number
    accept(ris, oru(pid(mrn_of(ris, exam)), f"OBR|1|{number}^EHR||CTHEAD^CT head^L", "OBX|1|FT|^Report||All well.||||||F"))
    assert report_of(ris).draft_text == "All well."


def test_a_report_never_overwrites_a_persons_words_nor_a_signed_report(ris: Ris, hospital: Hospital) -> None:
    written, signed = completed(ris, hospital), reported(ris, hospital)
    with ris.uow(hospital.actor("radiologist")) as uow:
        report = reports.open_for(uow, written.id)
        reports.claim(uow, report.id)
        uow.session.flush()
        reports.save_draft(uow, report_id=report.id, text="My own words.", row_version=report.row_version)
        reports.release(uow, report.id)
    for exam in (written, signed):
        accept(ris, told(exam, "Something else.", mrn=mrn_of(ris, exam)))
    assert {text for (text,) in rows(ris, "SELECT draft_text FROM report")} == {"My own words.", ""}
    assert tasks(ris) == [("report_arrived", "open")] * 2


def test_a_report_before_the_exam_is_completed_raises_a_task(ris: Ris, hospital: Hospital) -> None:
    accept(ris, order())
    with ris.read() as session:
        exam = order_of(session).procedures[0]
    accept(ris, told(exam, "Too early.", mrn="M1"))
    assert report_of(ris) is None
    assert tasks(ris) == [("report_arrived", "open")]


def test_a_partner_may_agree_that_reports_are_only_announced(ris: Ris, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    agree(ris, hospital, report_from_outside="task")
    accept(ris, told(exam, "From outside.", mrn=mrn_of(ris, exam)))
    assert report_of(ris) is None
    assert tasks(ris) == [("report_arrived", "open")]


def test_a_report_of_another_patients_exam_is_refused_with_a_task(ris: Ris, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    accept(ris, adt("A04", pid("M7", "Brook^Ida")))
    assert ask(ris, told(exam, "Mixed up.", mrn="M7")) == [("AE", "205", "OBR^1^3")]
    assert report_of(ris) is None
    assert tasks(ris) == [("order_conflict", "open")]


def test_a_report_of_imaging_without_an_exam_here_goes_to_the_work_queue(ris: Ris, hospital: Hospital) -> None:
    obr = "OBR|1||E99|CTX^CT elsewhere^L" + "|" * 20 + "RAD"
    accept(ris, oru(pid("M1"), obr, "OBX|1|TX|^Report||Seen elsewhere.||||||F"))
    assert tasks(ris) == [("report_unmatched", "open")]
