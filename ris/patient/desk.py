"""What the front desk does with patients: register somebody new, take in somebody unknown, correct what is known."""

from collections.abc import Collection
from dataclasses import replace

from ris.base.errors import Conflict, Duplicate, Invalid, NotFound
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork, service
from ris.patient import guard, naming
from ris.patient.guard import Alike, Person
from ris.patient.keys import folded
from ris.patient.model import Patient, PatientIdentifier, Sex
from ris.patient.mrn import MEDICAL_RECORD
from ris.patient.naming import NameKind, OtherName
from ris.patient.service import IdentifierData, PatientData, amend, upsert
from ris.task import service as task

OUR_AUTHORITY = "RIS"
"""Who assigns the numbers of patients that are registered here (CX.4)."""
UNKNOWN_FAMILY = "Unknown"


class LooksAlike(Conflict):
    """Somebody is here already who could be the same person; `candidates` are to be looked at first."""

    def __init__(self, message: str, candidates: list[Alike]) -> None:
        super().__init__(message)
        self.candidates = candidates


@service
def register(uow: UnitOfWork, data: PatientData, *, earlier: str = "", looked_at: Collection[int] = ()) -> Patient:
    """A new patient with a number of ours; `looked_at` are those who were found to be others, `earlier` a former family name.

    Raises LooksAlike for candidates that nobody has looked at, and for a twin of whom nothing tells the new one apart; Duplicate
    where a number is another patient's; Invalid without a family name.
    """
    if not (data.family or "").strip():
        raise Invalid("a patient needs a family name", error_code="101")
    also = [OtherName(NameKind.former, earlier)] if folded(earlier) not in ("", folded(data.family or "")) else []
    person = replace(person_of(data), also=also)
    # Two who register one person at once: the second sees the first's record.
    uow.lock(f"register|{data.birth_date}")
    candidates = guard.alike(uow.session, person)
    if any(candidate.is_twin for candidate in candidates):
        raise LooksAlike("this person is here already: open the record, or give what tells the two apart", candidates)
    if any(candidate.patient_id not in looked_at for candidate in candidates):
        raise LooksAlike("somebody is here already who could be this person", candidates)
    _check_new(uow, data.identifiers)
    patient, _ = upsert(uow, replace(data, identifiers=(*data.identifiers, _number(uow))))
    uow.session.flush()
    for name in also:
        naming.add(uow, patient.id, name)
    return patient


@service
def register_unknown(uow: UnitOfWork, *, sex: Sex, found: str, site_id: int | None = None) -> Patient:
    """Somebody who cannot say who they are, under a name that nobody has; a task asks for the right one.

    `found` says by what they are known until then, in a few words for the task; it names nobody.
    """
    number = _number(uow)
    patient, _ = upsert(uow, PatientData((number,), family=UNKNOWN_FAMILY, given=f"Trauma {number.value.lstrip('R0')}", sex=sex))
    patient.temporary = True
    task.open(uow, "unknown_patient", Ref("patient", patient.id), found or "registered without a name", site_id=site_id)
    return patient


@service
def correct(uow: UnitOfWork, patient_id: int, data: PatientData, *, row_version: int, keeps_former: bool = True) -> Patient:
    """What a person says of a known patient; numbers stay. A name that was only written wrongly is not kept as a former one.

    Raises Conflict where somebody has changed it in the meantime.
    """
    patient = uow.session.get(Patient, patient_id, populate_existing=True, with_for_update=True)
    if patient is None or patient.merged_into_id is not None:
        raise NotFound("there is no such patient")
    if patient.row_version != row_version:
        raise Conflict("somebody else has changed this patient in the meantime: compare, and save again")
    if not (data.family or "").strip():
        raise Invalid("a patient needs a family name", error_code="101")
    amend(uow, patient, data, keeps_former=keeps_former)
    return patient


def person_of(data: PatientData) -> Person:
    return Person(
        data.family or "", data.given or "", data.middle or "", data.birth_date, data.sex or Sex.unknown, data.phone or "",
        data.street or "", data.city or "",
    )  # fmt: skip


def _number(uow: UnitOfWork) -> IdentifierData:
    return IdentifierData(f"R{uow.number('patient'):07d}", OUR_AUTHORITY, MEDICAL_RECORD)


def _check_new(uow: UnitOfWork, identifiers: Collection[IdentifierData]) -> None:
    if any(uow.find(PatientIdentifier.key, identifier.key) is not None for identifier in identifiers):
        raise Duplicate("this number is another patient's here: search for it")
