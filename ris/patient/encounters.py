"""What can be done with visits, accounts and identifiers of patients beyond taking them: move, merge, change."""

from collections.abc import Sequence

import sqlalchemy as sa

from ris.base.errors import Conflict, Duplicate, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.patient.model import Patient, PatientIdentifier, Visit, VisitState
from ris.patient.service import IdentifierData, PatientData, current_visit, find, known_visit, upsert


def visits_of_account(uow: UnitOfWork, account_key: str) -> list[Visit]:
    """Those that name the account, and the one that has no number but the account's."""
    uow.session.flush()
    return list(
        uow.session.scalars(
            sa.select(Visit)
            .where(sa.or_(Visit.account_key == account_key, Visit.key == account_key), Visit.merged_into_id.is_(None))
            .order_by(Visit.id)
        )
    )


@service
def move_visit(uow: UnitOfWork, visit: Visit, target: Patient) -> None:
    """The visit was another patient's: its orders and appointments go with it. No change when it is there already."""
    if visit.patient_id == target.id:
        return
    uow.touch()
    former, visit.patient_id = visit.patient_id, target.id
    uow.session.flush()
    uow.emit(Event("patient.visit_moved", Ref("visit", visit.id), patient_id=target.id, facts={"from_patient_id": former}))


@service
def merge_visit(uow: UnitOfWork, *, survivor: Visit, loser: Visit) -> None:
    """The orders of the one become the other's, and its number leads there from now on; again is no change.

    Raises Duplicate for a merge into itself and Conflict when the loser was merged into a third, or the other way round.
    """
    survivor, known = current_visit(uow, survivor), current_visit(uow, loser)
    if known.id == survivor.id and loser.merged_into_id is not None:
        return
    if loser.id == survivor.id:
        raise Duplicate("prior and surviving visit are the same")
    if loser.merged_into_id is not None:
        raise Conflict("this visit was merged into another one before")
    uow.touch()
    loser.merged_into_id, loser.state = survivor.id, VisitState.cancelled
    uow.session.flush()
    facts = {"into_visit_id": survivor.id}
    uow.emit(Event("patient.visit_merged", Ref("visit", loser.id), patient_id=survivor.patient_id, facts=facts))


@service
def renumber(uow: UnitOfWork, visit: Visit, *, key: str, number: str) -> None:
    """The visit is called otherwise from now on; where the patient has a visit of that number, it is merged into that.

    Raises Duplicate when the number is another patient's.
    """
    if visit.key == key:
        return
    known = known_visit(uow, key)
    if known is not None and known.patient_id != visit.patient_id:
        raise Duplicate("this visit number belongs to another patient")
    if known is not None:
        merge_visit(uow, survivor=known, loser=visit)
        return
    uow.touch()
    uow.put(Visit.key, visit.key, None)
    visit.key, visit.visit_number = key, number
    uow.put(Visit.key, key, visit)
    uow.session.flush()
    uow.emit(Event("patient.visit_updated", Ref("visit", visit.id), patient_id=visit.patient_id, facts={"changed": ["number"]}))


@service
def merge_account(uow: UnitOfWork, patient: Patient, *, prior: str, new: str, new_number: str) -> None:
    """Every visit of the prior account is one of the new; a visit that has no other number is merged, or numbered anew.

    `prior` and `new` are keys as those of visits. Raises Duplicate when the prior account is another patient's.
    """
    for visit in visits_of_account(uow, prior):
        if visit.patient_id != patient.id:
            raise Duplicate("this account belongs to another patient")
        uow.touch()
        if visit.account_key == prior:
            visit.account_key = new
        if visit.key == prior:
            renumber(uow, visit, key=new, number=new_number)
        uow.emit(Event("patient.visit_updated", Ref("visit", visit.id), patient_id=patient.id, facts={"changed": ["account"]}))
    uow.session.flush()


@service
def move_identifiers(uow: UnitOfWork, moved: Sequence[IdentifierData], target: Patient) -> None:
    """Identifiers that were given to the wrong patient; again is no change.

    Raises NotFound for one that nobody has, and Conflict where the other patient would be left without any: that is a merge.
    """
    rows: list[PatientIdentifier] = [row for i in moved if (row := uow.find(PatientIdentifier.key, i.key))]
    if len(rows) < len(moved):
        raise NotFound("nobody has this identifier")
    for row in rows:
        if row.patient_id == target.id:
            continue
        uow.session.flush()
        left = sa.select(sa.func.count()).where(PatientIdentifier.patient_id == row.patient_id, ~PatientIdentifier.merged)
        if (uow.session.scalar(left) or 0) < 2:
            raise Conflict("it is the last identifier of its patient: merge the patients instead")
        uow.touch()
        former, row.patient_id = row.patient_id, target.id
        facts = {"from_patient_id": former}
        uow.emit(Event("patient.identifier_moved", Ref("patient", target.id), patient_id=target.id, facts=facts))
    uow.session.flush()


@service
def change_identifiers(uow: UnitOfWork, prior: tuple[IdentifierData, ...], new: tuple[IdentifierData, ...]) -> Patient:
    """The patient has new identifiers; by the prior ones they are still found, and nobody is told them. Again is no change.

    An unknown patient is created under the new ones. Raises Duplicate when a new one is another patient's.
    """
    patient, _ = find(uow, PatientData(prior))
    other, _ = find(uow, PatientData(new))
    if other is not None and (patient is None or other.id != patient.id):
        if patient is None:
            return other
        raise Duplicate("this identifier belongs to another patient")
    if patient is None:
        return upsert(uow, PatientData(new))[0]
    changed = False
    for identifier in prior:
        row: PatientIdentifier | None = uow.find(PatientIdentifier.key, identifier.key)
        if row is not None and not row.merged:
            uow.touch()
            row.merged = changed = True
    for identifier in new:
        if uow.find(PatientIdentifier.key, identifier.key) is None:
            uow.touch()
            added = uow.create(
                PatientIdentifier, id=new_id(), patient_id=patient.id, key=identifier.key, value=identifier.value,
                authority=identifier.authority, type=identifier.type, merged=False,
            )  # fmt: skip
            uow.put(PatientIdentifier.key, identifier.key, added)
            changed = True
    if changed:
        uow.emit(Event("patient.updated", Ref("patient", patient.id), patient_id=patient.id, facts={"changed": ["identifiers"]}))
    return patient
