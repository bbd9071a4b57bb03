"""What can be done with patients and visits: take what a sender says, merge, take a merge back."""

from dataclasses import dataclass, fields, replace
from datetime import date, datetime

import sqlalchemy as sa

from ris.base.errors import Conflict, Duplicate, Missing, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.patient import following, naming
from ris.patient.heard import is_language_a_senders
from ris.patient.keys import folded, search_keys
from ris.patient.model import Merge, Patient, PatientIdentifier, ReachedBy, Sex, Visit, VisitState
from ris.task import service as task


@dataclass(frozen=True, slots=True)
class IdentifierData:
    """PID-3: what one authority calls a patient."""

    value: str
    authority: str
    type: str

    @property
    def key(self) -> str:
        return f"{self.authority}|{self.type}|{self.value}"


@dataclass(frozen=True, slots=True)
class PatientData:
    """What a sender says about a patient. None makes no statement, an empty text clears the value."""

    identifiers: tuple[IdentifierData, ...]
    family: str | None = None
    given: str | None = None
    middle: str | None = None
    suffix: str | None = None
    prefix: str | None = None
    birth_date: date | None = None
    sex: Sex | None = None
    street: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None
    phone: str | None = None
    other_phone: str | None = None
    reached_by: ReachedBy | None = None
    email: str | None = None
    language: str | None = None
    deceased: bool | None = None


@dataclass(frozen=True, slots=True)
class VisitData:
    """What a sender says about an encounter; None makes no statement."""

    visit_number: str
    authority: str = ""
    account_key: str | None = None
    patient_class: str | None = None
    location: str | None = None
    attending: str | None = None
    ambulatory_status: str | None = None
    state: VisitState | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def key(self) -> str:
        return f"{self.authority}|{self.visit_number}"


DEMOGRAPHICS = tuple(f.name for f in fields(PatientData) if f.name != "identifiers")


def lock_name(identifier_key: str) -> str:
    """Of the lock that is held (`uow.lock`) by whoever works on the patient whom the identifier leads to."""
    return f"patient|{identifier_key}"


@service
def upsert(
    uow: UnitOfWork, data: PatientData, visit: VisitData | None = None, *, owns_demographics: bool = True
) -> tuple[Patient, Visit | None]:
    """The patient that the identifiers lead to, created when there is none, and its visit.

    A message that names a merged patient finds the survivor, whose demographics it does not touch. Raises Missing without an
    identifier (HL7 table 0357: 101), Conflict when the identifiers lead to two patients.
    """
    patient, came_by_merged = find(uow, data)
    if patient is None:
        return _register(uow, data, visit)
    if owns_demographics and not came_by_merged:
        keeps_language = data.language is not None and not is_language_a_senders(patient)
        amend(uow, patient, replace(data, language=None) if keeps_language else data)
    return patient, _visit(uow, patient, visit) if visit else None


def known_visit(uow: UnitOfWork, key: str) -> Visit | None:
    """The visit that the number leads to: of one that was merged the survivor."""
    visit: Visit | None = uow.find(Visit.key, key)
    return current_visit(uow, visit) if visit is not None else None


def current_visit(uow: UnitOfWork, visit: Visit) -> Visit:
    while visit.merged_into_id is not None:
        visit = uow.session.get_one(Visit, visit.merged_into_id)
    return visit


def check_visit(uow: UnitOfWork, patient: Patient | None, visit: VisitData) -> None:
    """Raises Duplicate when the visit number is another patient's (`patient` None: a new one)."""
    if not may_have_visit(uow, patient, visit):
        raise Duplicate("this visit number belongs to another patient")


def may_have_visit(uow: UnitOfWork, patient: Patient | None, visit: VisitData) -> bool:
    """Whether the visit number is new or the patient's (`patient` None: a new one)."""
    known = known_visit(uow, visit.key)
    return known is None or (patient is not None and known.patient_id == patient.id)


def find(uow: UnitOfWork, data: PatientData) -> tuple[Patient | None, bool]:
    """The patient of any of the identifiers, and whether it was found by one of a merged record."""
    if not data.identifiers:
        raise Missing("no patient identifier")
    rows = [row for i in data.identifiers if (row := uow.find(PatientIdentifier.key, i.key))]
    if not rows:
        return None, False
    current = [row for row in rows if not row.merged] or rows
    ids = {row.patient_id for row in current}
    if len(ids) > 1:
        raise Conflict("the identifiers belong to different patients: merge them first", error_code="204")
    patient = uow.find(Patient.id, current[0].patient_id)
    if patient is None:
        raise NotFound("the identifier leads to no patient")
    return patient, current[0].merged


@service
def merge(uow: UnitOfWork, *, survivor_id: int, loser_id: int) -> Merge | None:
    """The loser's identifiers, visits and everything above become the survivor's; None when it was merged so before.

    Raises Duplicate for a merge into itself and Conflict for one that would run in a circle (HL7 v2.5.1 ch. 3.6.2).
    """
    if survivor_id == loser_id:
        raise Duplicate("a patient cannot be merged into itself")
    survivor, loser = _two(uow, survivor_id, loser_id)
    if loser.merged_into_id is not None:
        if resolve(uow, loser).id == resolve(uow, survivor).id:
            return None
        raise Conflict("this patient was merged into another one before")
    while (further := survivor.merged_into_id) is not None:
        if further == loser_id:
            raise Conflict("the other way round was merged before: the survivor would be merged into its own loser")
        survivor, loser = _two(uow, further, loser_id)
    return _merge(uow, survivor, loser)


@service
def unmerge(uow: UnitOfWork, merge_id: int) -> Merge:
    """Takes back what a merge moved, by its undo record. Raises Conflict when it was taken back, or merged on since."""
    record = uow.session.get(Merge, merge_id, with_for_update=True, populate_existing=True)
    if record is None:
        raise NotFound(f"merge {merge_id} does not exist")
    survivor, loser = _two(uow, record.survivor_id, record.loser_id)
    if record.undone_at is not None:
        raise Conflict("this merge was taken back before")
    if survivor.merged_into_id is not None:
        raise Conflict("the survivor was merged on since: take that merge back first")
    uow.touch()
    record.undone_at = uow.now
    loser.merged_into_id = None
    if loser.temporary:
        task.open(uow, "unknown_patient", Ref("patient", loser.id), "its merge was taken back")
    for row in _identifiers(uow, record.moved.get("patient_identifier", [])):
        row.patient_id = loser.id
        row.merged = row.id not in record.moved["current_identifier"]
    following.give(uow, record.moved, loser.id)
    following.part_words(uow, survivor, loser, record)
    _tell_merge(uow, "patient.unmerging", survivor, loser, record.moved)
    uow.drain()
    _tell_merge(uow, "patient.unmerged", survivor, loser)
    for patient in (survivor, loser):
        # Who does not know how to part two records is told each of them as it is now.
        uow.emit(Event("patient.updated", Ref("patient", patient.id), patient_id=patient.id, facts={"changed": ["identifiers"]}))
    return record


def resolve(uow: UnitOfWork, patient: Patient) -> Patient:
    """The survivor at the end of a chain of merges."""
    while patient.merged_into_id is not None:
        further = uow.find(Patient.id, patient.merged_into_id)
        if further is None:
            raise NotFound("a merged patient leads nowhere")
        patient = further
    return patient


_SOUGHT = frozenset({"family", "given", "phone"})
"""What the search keys are made of."""


def amend(uow: UnitOfWork, patient: Patient, data: PatientData, *, keeps_former: bool = True) -> None:
    """Takes over what is said of a known patient; a temporary name ends with the right one, any other is kept as a former one."""
    changed = [n for n in DEMOGRAPHICS if (value := getattr(data, n)) is not None and value != getattr(patient, n)]
    former = patient.family, patient.given
    if changed:
        uow.touch()
    for name in changed:
        setattr(patient, name, getattr(data, name))
    if not _SOUGHT.isdisjoint(changed):
        for name, key in search_keys(patient.family, patient.given, patient.phone).items():
            setattr(patient, name, key)
    if keeps_former and not patient.temporary and former != (patient.family, patient.given):
        naming.keep_former(uow, patient, *former)
    if patient.temporary and "family" in changed:
        patient.temporary = False
        task.settle(uow, "unknown_patient", Ref("patient", patient.id))
    if _add_identifiers(uow, patient, data):
        changed.append("identifiers")
    if changed:
        # The names of what changed, never the values: the trail is read by people who may not see them.
        uow.emit(Event("patient.updated", Ref("patient", patient.id), patient_id=patient.id, facts={"changed": changed}))


_TELLS_APART = ("family", "given", "birth_date", "sex")


@service
def note_difference(uow: UnitOfWork, patient: Patient, data: PatientData) -> None:
    """What a sender who does not own demographics says otherwise than is known here: into the trail, by name and never by value.

    Another birth date and something else beside it may be another person: a task.
    """
    said = ((name, getattr(data, name), getattr(patient, name)) for name in _TELLS_APART)
    differ = [name for name, theirs, ours in said if theirs and ours and theirs != ours and folded(str(theirs)) != folded(str(ours))]
    if not differ:
        return
    about = Ref("patient", patient.id)
    uow.emit(Event("patient.told_otherwise", about, patient_id=patient.id, facts={"differ": differ}))
    if "birth_date" in differ and len(differ) > 1:
        task.open(uow, "identity_differs", about, f"an order names the patient with another {', '.join(differ).replace('_', ' ')}")


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _register(uow: UnitOfWork, data: PatientData, visit: VisitData | None) -> tuple[Patient, Visit | None]:
    """A new patient, with the visit that it came for: one event tells of both."""
    said = {name: value for name in DEMOGRAPHICS if (value := getattr(data, name)) is not None}
    keys = search_keys(data.family or "", data.given or "", data.phone or "")
    patient = uow.create(Patient, id=new_id(), **said, **keys)
    uow.put(Patient.id, patient.id, patient)
    _add_identifiers(uow, patient, data)
    opened = None
    if visit is not None:
        check_visit(uow, patient, visit)
        opened = _open_visit(uow, patient, visit)
    facts = {"visit_id": opened.id} if opened else {}
    uow.emit(Event("patient.registered", Ref("patient", patient.id), patient_id=patient.id, facts=facts))
    return patient, opened


def _add_identifiers(uow: UnitOfWork, patient: Patient, data: PatientData) -> bool:
    """Adds those that are new; one of a merged record stays what it is."""
    added = False
    for wanted in data.identifiers:
        if uow.find(PatientIdentifier.key, wanted.key) is None:
            row = uow.create(
                PatientIdentifier, id=new_id(), patient_id=patient.id, key=wanted.key, value=wanted.value, authority=wanted.authority,
                type=wanted.type, merged=False,
            )  # fmt: skip
            uow.put(PatientIdentifier.key, wanted.key, row)
            added = True
    return added


_VISIT_FIELDS = ("account_key", "patient_class", "location", "attending", "ambulatory_status", "state", "started_at", "ended_at")


def _open_visit(uow: UnitOfWork, patient: Patient, data: VisitData) -> Visit:
    visit = uow.create(
        Visit, id=new_id(), patient_id=patient.id, key=data.key, visit_number=data.visit_number, account_key=data.account_key or "",
        patient_class=data.patient_class or "U", location=data.location or "", attending=data.attending or "",
        ambulatory_status=data.ambulatory_status or "", state=data.state or VisitState.open,
        started_at=data.started_at, ended_at=data.ended_at,
    )  # fmt: skip
    uow.put(Visit.key, data.key, visit)
    return visit


def _visit(uow: UnitOfWork, patient: Patient, data: VisitData) -> Visit:
    visit = known_visit(uow, data.key)
    if visit is None:
        visit = _open_visit(uow, patient, data)
        uow.emit(Event("patient.visit_opened", Ref("visit", visit.id), patient_id=patient.id))
        return visit
    check_visit(uow, patient, data)
    changed = [n for n in _VISIT_FIELDS if (value := getattr(data, n)) is not None and value != getattr(visit, n)]
    if changed:
        uow.touch()
        for name in changed:
            setattr(visit, name, getattr(data, name))
        if data.state is VisitState.open and data.ended_at is None:
            visit.ended_at = None
        if "state" in changed and data.state is VisitState.cancelled:
            uow.emit(Event("patient.visit_cancelled", Ref("visit", visit.id), patient_id=patient.id))
        uow.emit(Event("patient.visit_updated", Ref("visit", visit.id), patient_id=patient.id, facts={"changed": changed}))
    return visit


def _merge(uow: UnitOfWork, survivor: Patient, loser: Patient) -> Merge:
    uow.session.flush()
    moved: dict[str, list[int]] = {
        "patient_identifier": list(
            uow.session.scalars(
                sa.select(PatientIdentifier.id).where(PatientIdentifier.patient_id == loser.id).order_by(PatientIdentifier.id)
            )
        ),
        **following.rows_of(uow, loser.id),
    }
    uow.touch()
    rows = _identifiers(uow, moved["patient_identifier"])
    moved["current_identifier"] = [row.id for row in rows if not row.merged]
    for row in rows:
        row.patient_id, row.merged = survivor.id, True
    following.give(uow, moved, survivor.id)
    following.join_words(uow, survivor, loser, moved)
    loser.merged_into_id = survivor.id
    if loser.temporary:
        task.settle(uow, "unknown_patient", Ref("patient", loser.id))
    _tell_merge(uow, "patient.merging", survivor, loser, moved)
    # The floors above move their rows now, and write into `moved` which these were.
    uow.drain()
    record = uow.add(Merge(id=new_id(), survivor_id=survivor.id, loser_id=loser.id, at=uow.now, actor_name=uow.actor.name, moved=moved))
    _tell_merge(uow, "patient.merged", survivor, loser)
    return record


def _tell_merge(uow: UnitOfWork, name: str, survivor: Patient, loser: Patient, moved: dict[str, list[int]] | None = None) -> None:
    facts = {"survivor_id": survivor.id, "loser_id": loser.id}
    uow.emit(Event(name, Ref("patient", loser.id), patient_id=survivor.id, facts=facts if moved is None else {**facts, "moved": moved}))


def _two(uow: UnitOfWork, survivor_id: int, loser_id: int) -> tuple[Patient, Patient]:
    """Both patients as they are now, and nobody else at work on either of them.

    A message takes the locks of the identifiers that it names before it looks where they lead: whoever has taken one of any
    identifier of the two is waited for, and whoever comes later finds what was done here.
    """
    uow.session.flush()
    ids = (survivor_id, loser_id)
    uow.lock(*map(lock_name, uow.session.scalars(sa.select(PatientIdentifier.key).where(PatientIdentifier.patient_id.in_(ids)))))
    query = sa.select(Patient).where(Patient.id.in_(ids)).order_by(Patient.id).with_for_update()
    found = {patient.id: patient for patient in uow.session.scalars(query.execution_options(populate_existing=True))}
    if len(found) < 2:
        raise NotFound("one of the two patients does not exist")
    return found[survivor_id], found[loser_id]


def _identifiers(uow: UnitOfWork, ids: list[int]) -> list[PatientIdentifier]:
    return list(uow.session.scalars(sa.select(PatientIdentifier).where(PatientIdentifier.id.in_(ids))))
