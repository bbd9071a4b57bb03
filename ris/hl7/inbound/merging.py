"""ADT in: merges and moves of patients, accounts, visits and identifiers (HL7 v2.5.1 ch. 3.3.18, 3.3.30 to 3.3.47, 3.6.2)."""

from collections.abc import Iterator
from typing import NamedTuple

from ris.base.errors import Conflict, Duplicate, Location, Missing, NotFound
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.hl7.er7 import Segment
from ris.hl7.inbound import fields
from ris.hl7.inbound.adt import located
from ris.hl7.inbound.reading import Reading
from ris.patient import encounters
from ris.patient import service as patients
from ris.patient.model import Patient, Visit
from ris.patient.service import IdentifierData, PatientData, VisitData

NAMES_ACCOUNTS = frozenset({"A18", "A36"})
"""Merges of patients that may name a prior account as well."""


class Pair(NamedTuple):
    """PID is who it is found to be, MRG what is no more."""

    pid: Segment
    mrg: Segment
    pv1: Segment | None


def merge(uow: UnitOfWork, reading: Reading) -> None:
    """A18, A34, A36, A39, A40: PID-3 survives, MRG-1 is merged into it; several pairs in their order."""
    for pair in _pairs(reading):
        kept = _merge_patients(uow, reading, pair)
        if reading.message.msh.value(9, 2) in NAMES_ACCOUNTS and pair.mrg.value(3) and pair.pid.value(18):
            _merge_account(uow, reading, pair, kept)


def merge_accounts(uow: UnitOfWork, reading: Reading) -> None:
    """A35, A41: account MRG-3 of the patient becomes account PID-18."""
    for pair in _pairs(reading):
        _merge_account(uow, reading, pair, _target(uow, reading, pair))


def merge_visits(uow: UnitOfWork, reading: Reading) -> None:
    """A42: visit MRG-5 of the patient becomes visit PV1-19."""
    for pair in _pairs(reading):
        patient = _target(uow, reading, pair)
        gone = _visit(uow, reading, pair.mrg, 5)
        with located("PV1", 19):
            kept = _visit(uow, reading, pair.pv1, 19) if pair.pv1 else None
            if kept is None:
                raise Missing("the surviving visit is not named: PV1 is missing", error_code="100", location=Location("PV1"))
        for visit in (kept, gone):
            if visit.patient_id != patient.id:
                raise Duplicate("this visit belongs to another patient", location=pair.mrg.location(5))
        with located("MRG", 5):
            encounters.merge_visit(uow, survivor=kept, loser=gone)
        reading.touched.update((Ref("visit", kept.id), Ref("patient", patient.id)))


def move_identifiers(uow: UnitOfWork, reading: Reading) -> None:
    """A43: the identifiers that stand in both PID-3 and MRG-1 (all of MRG-1 where none does) go to the patient of the rest of PID-3."""
    for pair in _pairs(reading):
        wanted, prior = (fields.identifiers(field, reading.partner) for field in (pair.pid.field(3), pair.mrg.field(1)))
        moved = tuple(i for i in prior if i in wanted) or prior
        if not moved:
            raise Missing("the move names no prior identifier", location=pair.mrg.location(1))
        others = tuple(i for i in wanted if i not in moved) or fields.identifiers(pair.pid.field(2), reading.partner)
        if not others:
            raise Missing("nothing but what is moved says to whom it goes", location=pair.pid.location(3))
        with located("PID", 3):
            target, _ = patients.upsert(uow, PatientData(others))
        with located("MRG", 1):
            encounters.move_identifiers(uow, moved, target)
        reading.touched.add(Ref("patient", target.id))


def move_account(uow: UnitOfWork, reading: Reading) -> None:
    """A44: every visit of account MRG-3 goes from the patient MRG-1 to the patient PID-3, and is of account PID-18 then."""
    for pair in _pairs(reading):
        source, target = _source(uow, reading, pair), _target(uow, reading, pair, create=True)
        account = _number(reading, pair.mrg, 3)
        if account is None:
            raise Missing("the account is not named", location=pair.mrg.location(3))
        new = _number(reading, pair.pid, 18) or account
        visits = encounters.visits_of_account(uow, account.key) or encounters.visits_of_account(uow, new.key)
        if not visits:
            raise NotFound("we know no visit of this account", location=pair.mrg.location(3))
        _move(uow, reading, visits, source, target, pair.mrg.location(3))
        if new.key != account.key:
            encounters.merge_account(uow, target, prior=account.key, new=new.key, new_number=new.visit_number)


def move_visits(uow: UnitOfWork, reading: Reading) -> None:
    """A45: visit MRG-5 goes from the patient MRG-1 to PID-3 and is called PV1-19 then; MRG and PV1 repeat under one PID."""
    for pair in _pairs(reading):
        source, target = _source(uow, reading, pair), _target(uow, reading, pair, create=True)
        new = _number(reading, pair.pv1, 19) if pair.pv1 else None
        visit = _visit(uow, reading, pair.mrg, 5, or_key=new.key if new else "")
        _move(uow, reading, [visit], source, target, pair.mrg.location(5))
        if new is not None:
            with located("PV1", 19):
                encounters.renumber(uow, visit, key=new.key, number=new.visit_number)


def change_identifier(uow: UnitOfWork, reading: Reading) -> None:
    """A47: the patient that was MRG-1 is called PID-3 from now on; MRG-1 still finds them."""
    for pair in _pairs(reading):
        prior, new = _identifiers(reading, pair)
        with located("PID", 3):
            patient = encounters.change_identifiers(uow, prior, new)
        reading.touched.add(Ref("patient", patient.id))


# ── patients ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _merge_patients(uow: UnitOfWork, reading: Reading, pair: Pair) -> Patient:
    survivor = fields.patient(reading.message, reading.partner, pair.pid)
    losers, _ = _identifiers(reading, pair)
    with located("PID", 3):
        kept, kept_was_merged = patients.find(uow, survivor)
    with located("MRG", 1):
        gone, gone_was_merged = patients.find(uow, PatientData(losers))
        if gone is not None and gone_was_merged and kept is not None and kept.id == gone.id:
            reading.touched.add(Ref("patient", kept.id))
            return kept  # merged so before
        if gone is not None and (gone_was_merged or (kept_was_merged and kept is not None and kept.id == gone.id)):
            reading.refusal_tasks.append(("merge_conflict", Ref("patient", gone.id), "it contradicts a merge that was made before", None))
            raise Conflict("it contradicts a merge that was made before")
        kept = kept or patients.upsert(uow, survivor)[0]
        gone = gone or patients.upsert(uow, PatientData(losers))[0]
        uow.session.flush()
        patients.merge(uow, survivor_id=kept.id, loser_id=gone.id)
    reading.touched.update((Ref("patient", kept.id), Ref("patient", gone.id)))
    return kept


def _identifiers(reading: Reading, pair: Pair) -> tuple[tuple[IdentifierData, ...], tuple[IdentifierData, ...]]:
    """Prior and surviving ones, of which one type at least is the same."""
    new = fields.patient(reading.message, reading.partner, pair.pid).identifiers
    if not new:
        raise Missing("the survivor has no identifier", location=pair.pid.location(3))
    prior = fields.identifiers(pair.mrg.field(1), reading.partner) or fields.identifiers(pair.mrg.field(4), reading.partner)
    if not prior:
        raise Missing("the merge names no prior identifier", location=pair.mrg.location(1))
    if {i.key for i in prior} & {i.key for i in new}:
        raise Duplicate("prior and surviving identifier are the same", location=pair.mrg.location(1))
    if not {i.type for i in prior} & {i.type for i in new}:
        raise Conflict("prior and surviving identifier are of different types", location=pair.mrg.location(1))
    return prior, new


def _target(uow: UnitOfWork, reading: Reading, pair: Pair, *, create: bool = False) -> Patient:
    data = fields.patient(reading.message, reading.partner, pair.pid)
    with located("PID", 3):
        found, _ = patients.find(uow, data)
        if found is None and not create:
            raise NotFound("we know no such patient")
        return found or patients.upsert(uow, data)[0]


def _source(uow: UnitOfWork, reading: Reading, pair: Pair) -> Patient | None:
    """Of MRG-1; None for somebody whom we do not know."""
    prior = fields.identifiers(pair.mrg.field(1), reading.partner)
    if not prior:
        raise Missing("the move names no prior patient", location=pair.mrg.location(1))
    with located("MRG", 1):
        return patients.find(uow, PatientData(prior))[0]


def _pairs(reading: Reading) -> Iterator[Pair]:
    """Each MRG with the PID before it and the PV1 after it. Raises Missing without one."""
    groups = [group for group in reading.message.groups(("PID",)) if group[0].name == "PID"]
    if not groups:
        raise Missing("a merge names its survivor in PID", location=Location("PID"))
    for group in groups:
        starts = [position for position, segment in enumerate(group) if segment.name == "MRG"]
        if not starts:
            raise Missing("the merge names no prior identifier", location=Location("MRG"))
        for start, end in zip(starts, [*starts[1:], len(group)], strict=True):
            yield Pair(group[0], group[start], next((s for s in group[start:end] if s.name == "PV1"), None))


# ── accounts and visits ──────────────────────────────────────────────────────────────────────────────────────────────


def _merge_account(uow: UnitOfWork, reading: Reading, pair: Pair, patient: Patient) -> None:
    prior, new = _number(reading, pair.mrg, 3), _number(reading, pair.pid, 18)
    if prior is None or new is None:
        raise Missing("the merge names no account", location=pair.mrg.location(3) if prior is None else pair.pid.location(18))
    if prior.key == new.key:
        raise Duplicate("prior and surviving account are the same", location=pair.mrg.location(3))
    with located("MRG", 3):
        encounters.merge_account(uow, patient, prior=prior.key, new=new.key, new_number=new.visit_number)
    reading.touched.add(Ref("patient", patient.id))


def _number(reading: Reading, segment: Segment, field: int) -> VisitData | None:
    """An account is numbered as a visit is."""
    return fields.visit_number(segment.field(field), reading.partner)


def _visit(uow: UnitOfWork, reading: Reading, segment: Segment, field: int, *, or_key: str = "") -> Visit:
    """The visit of that number, else the one that has been numbered anew already. Raises Missing and NotFound."""
    number = _number(reading, segment, field)
    if number is None:
        raise Missing("the visit is not named", location=segment.location(field))
    visit: Visit | None = uow.find(Visit.key, number.key) or (uow.find(Visit.key, or_key) if or_key else None)
    if visit is None:
        raise NotFound("we know no such visit", location=segment.location(field))
    return visit


def _move(uow: UnitOfWork, reading: Reading, visits: list[Visit], source: Patient | None, target: Patient, location: Location) -> None:
    """Visits that are there already stay; one of a third patient is not moved."""
    owners = {target.id} | ({source.id} if source else set())
    if any(visit.patient_id not in owners for visit in visits):
        raise Duplicate("this visit belongs to another patient", location=location)
    for visit in visits:
        encounters.move_visit(uow, visit, target)
        reading.touched.add(Ref("visit", visit.id))
    reading.touched.update(Ref("patient", owner) for owner in owners)
