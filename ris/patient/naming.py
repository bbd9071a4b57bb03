"""Names that a patient is or was also known by: maiden, former and other names, kept with who said them and when."""

import enum
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from ris.base.errors import Invalid, NotFound
from ris.base.ids import new_id
from ris.base.orm import Base, Key, references
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.patient.keys import folded, search_keys
from ris.patient.model import BY_CODE_POINT, Patient
from ris.patient.name import Named, called


class NameKind(enum.StrEnum):
    """Why it is not the name of the record: table 0200, and what happens here."""

    former = "former"
    """What the record was called before."""
    maiden = "maiden"
    birth = "birth"
    alias = "alias"
    nickname = "nickname"
    merged = "merged"
    """What a record was called that was merged into this one."""
    other = "other"


class PatientName(Base):
    """PID-9, PID-5 beyond the first, a name before a change, or what the desk was told; it is ended, never deleted."""

    __tablename__ = "patient_name"
    __table_args__ = (
        sa.Index("ix_patient_name_family_key", "family_key", "given_key"),
        sa.Index("ix_patient_name_given_key", "given_key"),
        sa.Index("ix_patient_name_sound", "sound"),
        sa.Index("ix_patient_name_family_last", "family_last", "given_key", sqlite_where=sa.text("family_last <> ''"),
                 postgresql_where=sa.text("family_last <> ''")),
    )  # fmt: skip

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    partner_id: Mapped[int | None] = mapped_column(references("partner.id"))
    """The sender; None: the desk, or the record itself."""
    place: Mapped[str]
    """The field that says it, such as `PID-9`; empty for what no message says."""
    kind: Mapped[NameKind]
    family: Mapped[str]
    given: Mapped[str]
    """Where only a family name was said, the given name that the patient had then."""
    family_key: Mapped[str] = mapped_column(BY_CODE_POINT)
    """This and the keys after it: see `ris.patient.keys`."""
    given_key: Mapped[str] = mapped_column(BY_CODE_POINT)
    family_last: Mapped[str] = mapped_column(BY_CODE_POINT)
    sound: Mapped[str] = mapped_column(BY_CODE_POINT)
    said_by: Mapped[str]
    said_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str]


WORDS = {
    NameKind.former: "formerly", NameKind.maiden: "maiden name", NameKind.birth: "name at birth", NameKind.alias: "also known as",
    NameKind.nickname: "called", NameKind.merged: "of a merged record", NameKind.other: "also",
}  # fmt: skip
SAID_AT_THE_DESK = (NameKind.maiden, NameKind.birth, NameKind.former, NameKind.alias, NameKind.nickname)
LONGEST = 100


def described(kind: NameKind, family: str, given: str) -> str:
    """`formerly Brook, Anna`."""
    return f"{WORDS[kind]} {called(family, given)}"


@dataclass(frozen=True, slots=True)
class OtherName:
    """One name as somebody says it."""

    kind: NameKind
    family: str
    given: str = ""


@dataclass(frozen=True, slots=True)
class NameRow(Named):
    name_id: int
    kind: NameKind
    family: str
    given: str
    said_by: str
    said_at: datetime
    place: str
    ended_at: datetime | None
    ended_by: str

    @property
    def label(self) -> str:
        return WORDS[self.kind]


def names(session: Session, patient_id: int, ended_after: datetime) -> list[NameRow]:
    """What one patient is also known by, each name once; what was ended after a moment, and so can be put back, last."""
    n = PatientName
    columns = (n.id, n.kind, n.family, n.given, n.said_by, n.said_at, n.place, n.ended_at, n.ended_by)
    own = session.execute(sa.select(Patient.family_key, Patient.given_key).where(Patient.id == patient_id)).one_or_none()
    rows = session.execute(
        sa.select(*columns, n.family_key, n.given_key)
        .where(n.patient_id == patient_id, n.ended_at.is_(None) | (n.ended_at > ended_after))
        .order_by(n.ended_at.is_not(None), n.id)
    )
    seen = {tuple(own)} if own else set()
    found = []
    for *values, family_key, given_key in rows:
        if (family_key, given_key) not in seen:
            seen.add((family_key, given_key))
            found.append(NameRow(*values))
    return found


def also_known(session: Session, patient_ids: Collection[int]) -> Mapping[int, Sequence[OtherName]]:
    """The other names of each patient who has any."""
    n, found = PatientName, defaultdict(list)
    if patient_ids:
        query = sa.select(n.patient_id, n.kind, n.family, n.given).where(n.patient_id.in_(patient_ids), n.ended_at.is_(None)).order_by(n.id)
        for patient_id, kind, family, given in session.execute(query):
            found[patient_id].append(OtherName(kind, family, given))
    return found


@service
def hear(uow: UnitOfWork, patient: Patient, partner_id: int, said: Iterable[tuple[str, Sequence[OtherName]]]) -> None:
    """Takes what a field of a sender's message says now in the place of what the same field said before.

    Who says what it said before costs no query, and brings back nothing that a person has ended.
    """
    everything = patient.heard or {}
    before = everything.get(str(partner_id), {})
    changed = {}
    for place, others in said:
        known = before.get(place, [])
        # What the record is called itself is said by many, for everybody.
        others = [one for one in others if not _is_own(patient, one)]
        listed = [[one.kind.value, one.family, one.given] for one in others]
        if listed == known:
            continue
        changed[place] = listed
        for one in others:
            if [one.kind.value, one.family, one.given] not in known:
                _keep(uow, patient, one, partner_id=partner_id, place=place)
        if gone := [one for one in known if one not in listed]:
            _end_said(uow, patient, partner_id, place, gone)
    if changed:
        uow.touch()
        patient.heard = {**everything, str(partner_id): {**before, **changed}}


def keep_former(uow: UnitOfWork, patient: Patient, family: str, given: str) -> None:
    """What the patient was called until now, where that is another name and not only a shorter one."""
    old, new = (folded(family), folded(given)), (patient.family_key, patient.given_key)
    if not old[0] or (old[0] == new[0] and new[1].startswith(old[1])) or _is_known(uow, patient, *old):
        return
    _keep(uow, patient, OtherName(NameKind.former, family, given))


def keep_merged(uow: UnitOfWork, survivor: Patient, loser: Patient) -> list[int]:
    """The name of the record that is no more, where the survivor is called otherwise: the key of its row, for the undo record."""
    same = (loser.family_key, loser.given_key) == (survivor.family_key, survivor.given_key)
    if same or loser.temporary or not loser.family_key or _is_known(uow, survivor, loser.family_key, loser.given_key):
        return []
    return [_keep(uow, survivor, OtherName(NameKind.merged, loser.family, loser.given)).id]


def forget(uow: UnitOfWork, name_ids: Collection[int]) -> None:
    """Of a merge that is taken back: nobody had these names."""
    uow.session.execute(sa.delete(PatientName).where(PatientName.id.in_(name_ids)))


@service
def add(uow: UnitOfWork, patient_id: int, name: OtherName) -> None:
    """What the desk was told. Raises Invalid without a family name or for the name that the record has, NotFound."""
    family, given = name.family.strip(), name.given.strip()
    if not family:
        raise Invalid("the other name needs a family name", error_code="101")
    uow.session.flush()
    patient = uow.session.get(Patient, patient_id, populate_existing=True, with_for_update=True)
    if patient is None or patient.merged_into_id is not None:
        raise NotFound("there is no such patient")
    keys = folded(family), folded(given) or patient.given_key
    if keys == (patient.family_key, patient.given_key):
        raise Invalid("this is the name of the record itself")
    if not _is_known(uow, patient, *keys):
        _keep(uow, patient, OtherName(name.kind, family, given))


@service
def end(uow: UnitOfWork, patient_id: int, name_id: int) -> None:
    """Nobody is to be found by it any more, also when its sender says it again; again is no change. Raises NotFound."""
    row = _of(uow, patient_id, name_id)
    if row.ended_at is None:
        uow.touch()
        row.ended_at, row.ended_by = uow.now, uow.actor.name
        _tell(uow, "patient.name_ended", row)


@service
def restore(uow: UnitOfWork, patient_id: int, name_id: int) -> None:
    """It was ended by mistake. Raises NotFound."""
    row = _of(uow, patient_id, name_id)
    if row.ended_at is not None:
        uow.touch()
        row.ended_at, row.ended_by = None, ""
        _tell(uow, "patient.name_added", row)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _keep(uow: UnitOfWork, patient: Patient, name: OtherName, *, partner_id: int | None = None, place: str = "") -> PatientName:
    given = name.given or patient.given
    keys = search_keys(name.family, given, "")
    del keys["phone_key"]
    row = uow.create(
        PatientName, id=new_id(), patient_id=patient.id, partner_id=partner_id, place=place, kind=name.kind, family=name.family,
        given=given, said_by=uow.actor.name, said_at=uow.now, ended_at=None, ended_by="", **keys,
    )  # fmt: skip
    _tell(uow, "patient.name_added", row)
    return row


def _is_own(patient: Patient, name: OtherName) -> bool:
    return folded(name.family) == patient.family_key and folded(name.given) in ("", patient.given_key)


def _is_known(uow: UnitOfWork, patient: Patient, family_key: str, given_key: str) -> bool:
    uow.session.flush()
    where = (PatientName.patient_id == patient.id, PatientName.family_key == family_key, PatientName.given_key == given_key)
    return uow.session.scalar(sa.select(PatientName.id).where(*where, PatientName.ended_at.is_(None)).limit(1)) is not None


def _end_said(uow: UnitOfWork, patient: Patient, partner_id: int, place: str, gone: list[list[str]]) -> None:
    uow.session.flush()
    keys = {(kind, folded(family), folded(given)) for kind, family, given in gone}
    of_sender = (PatientName.patient_id == patient.id, PatientName.partner_id == partner_id, PatientName.place == place)
    for row in uow.session.scalars(sa.select(PatientName).where(*of_sender, PatientName.ended_at.is_(None))):
        if {(row.kind.value, row.family_key, row.given_key), (row.kind.value, row.family_key, "")} & keys:
            row.ended_at, row.ended_by = uow.now, uow.actor.name
            _tell(uow, "patient.name_ended", row)


def _of(uow: UnitOfWork, patient_id: int, name_id: int) -> PatientName:
    row = uow.session.get(PatientName, name_id, populate_existing=True, with_for_update=True)
    if row is None or row.patient_id != patient_id:
        raise NotFound("the patient has no such name")
    return row


def _tell(uow: UnitOfWork, name: str, row: PatientName) -> None:
    """By its kind, never by what it says: the trail is read by people who may not see that."""
    uow.emit(Event(name, Ref("patient", row.patient_id), patient_id=row.patient_id, facts={"kind": row.kind.value}))
