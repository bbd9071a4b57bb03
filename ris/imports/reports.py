"""Prior reports as a file: kept beside the exams of a patient, shown to who reads, told to nobody."""

from collections.abc import Sequence
from typing import Any

from ris.base.uow import UnitOfWork
from ris.catalog.records.field import Field, Known, Lines
from ris.imports import cells
from ris.imports.cells import Day, number_fields
from ris.imports.kind import Kind, Line, TakeOne
from ris.patient.outside import OutsideData, keep
from ris.staff.permission import Permission

_PATIENT = number_fields("patient_")
_OWN: tuple[Field, ...] = (
    Field("source", "Source", "The system or the house that it comes from.", required=True, longest=60),
    Field("number", "Number", "What the source calls the exam: its accession number.", required=True, longest=60),
    Day("study_date", "Day of the exam", required=True),
    Field("procedure", "Exam", "In words.", required=True),
    Field("modality", "Modality", longest=16),
    Field("region", "Body region", longest=60),
    Field("author", "Author", "Who has signed it.", longest=120),
    Day("signed_on", "Day of the signature"),
    Field("study_instance_uid", "Study Instance UID", "(0020,000D), where the images are known by it.", longest=64),
    Lines("text", "Text", "The whole report.", required=True, longest=100_000),
)


def _begin(uow: UnitOfWork, lines: Sequence[Line]) -> TakeOne:
    known = Known(uow.session)
    cells.load_identifiers(uow, lines, "patient_")

    def take(line: Line) -> None:
        values = cells.read(known, (*_PATIENT, *_OWN), line)
        patient_id = cells.patient_of(uow, line, values) if values else None
        if values is None or patient_id is None:
            return
        own: dict[str, Any] = {field.name: values[field.name] for field in _OWN}
        is_new, changed = keep(uow, OutsideData(patient_id=patient_id, **own))
        if is_new:
            line.new()
        else:
            line.saved(dict.fromkeys(changed, "as it was"), dict.fromkeys(changed, "as the file has it"))

    return take


REPORTS = Kind(
    "prior_report",
    "Prior reports",
    "Reports that were written before or elsewhere: shown among the earlier reports of a patient, never sent, never charged.",
    Permission.PATIENT_IMPORT,
    cells.columns((*_PATIENT, *_OWN)),
    ("source", "number"),
    _begin,
)
