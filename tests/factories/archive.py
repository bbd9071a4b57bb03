"""Years of work of a department, written as rows: every exam done, and read but for the newest."""

from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ris.base.orm import Base
from ris.bootstrap import Ris
from ris.exam.model import Arrival, PerformedProcedureStep, PerformedStatus
from ris.order.model import Order, RequestedProcedure
from ris.order.status import OrderStatus, Priority, ProcedureStatus
from ris.patient.keys import search_keys
from ris.patient.model import Patient, PatientIdentifier
from ris.report.model import Report, ReportProcedure, UnreadExam
from ris.report.status import ReportStatus
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.status import StepStatus
from tests.factories.hospital import Hospital

CHUNK = 5_000
Rows = dict[type[Base], list[dict[str, Any]]]


def fill_archive(ris: Ris, hospital: Hospital, *, exams: int, unread: int, every: timedelta = timedelta(minutes=5)) -> None:
    """So many exams in one room of MAIN, the last of them done now; two to a patient."""
    now = ris.clock()
    for first in range(1, exams + 1, CHUNK):
        numbers = range(first, min(first + CHUNK, exams + 1))
        rows = _patients(numbers)
        for number in numbers:
            _add_exam(rows, hospital, number, now - every * (exams - number), is_read=number <= exams - unread)
        with ris.uow() as uow:
            for model, its_rows in rows.items():
                uow.session.execute(sa.insert(model), its_rows)
    with ris.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def _patients(exams: range) -> Rows:
    keys = sorted({_patient_of(number) for number in exams if number % 2})
    return {
        Patient: [
            {"id": key, "family": f"Family{key}", "given": "Given", "birth_date": date(1970, 1, 1),
             **search_keys(f"Family{key}", "Given", "")}
            for key in keys
        ],
        PatientIdentifier: [
            {"patient_id": key, "key": f"{kind}|{key}", "value": f"{kind}{key}", "authority": "HOSP", "type": kind}
            for key in keys
            for kind in ("SS", "MR")
        ],
    }  # fmt: skip


def _patient_of(exam: int) -> int:
    return (exam + 1) // 2


def _add_exam(rows: Rows, hospital: Hospital, number: int, done_at: datetime, *, is_read: bool) -> None:
    """Its rows all have the same key."""
    site_id, room_id = hospital.sites["MAIN"], hospital.rooms["CT1"]

    def add(model: type[Base], **columns: object) -> None:
        rows.setdefault(model, []).append(columns)

    add(Order, id=number, patient_id=_patient_of(number), site_id=site_id, filler_number=f"F{number}", status=OrderStatus.completed,
        priority=Priority.routine, placed_at=done_at)  # fmt: skip
    add(RequestedProcedure, id=number, order_id=number, sequence=1, site_id=site_id, accession_number=f"A{number}",
        study_instance_uid=f"2.25.{number}", procedure_id=hospital.procedures["CTHEAD"], status=ProcedureStatus.completed,
        started_at=done_at, ended_at=done_at)  # fmt: skip
    add(ScheduledProcedureStep, id=number, procedure_id=number, site_id=site_id, room_id=room_id, starts_at=done_at,
        ends_at=done_at + timedelta(minutes=5), status=StepStatus.finished, booked_by="Clerk", booked_at=done_at)  # fmt: skip
    add(Arrival, step_id=number, procedure_id=number, at=done_at, checked_in_by="Clerk")
    add(PerformedProcedureStep, procedure_id=number, step_id=number, room_id=room_id, technologist_id=hospital.users["technologist"],
        status=PerformedStatus.completed, started_at=done_at, ended_at=done_at)  # fmt: skip
    if is_read:
        add(Report, id=number, order_id=number, status=ReportStatus.final)
        add(ReportProcedure, procedure_id=number, report_id=number)
    else:
        add(UnreadExam, procedure_id=number, site_id=site_id, catalog_id=hospital.procedures["CTHEAD"], rank=5, since=done_at)
