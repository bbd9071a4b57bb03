"""Tables of patients; `patient_id` stands in few others, so that a merge is small."""

import enum
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, index_where_set, references

BY_CODE_POINT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Compared as SQLite does, so that an index finds what begins with a text."""


class Sex(enum.StrEnum):
    """Table 0001."""

    female = "F"
    male = "M"
    other = "O"
    unknown = "U"


class ReachedBy(enum.StrEnum):
    phone = "phone"
    other_phone = "other_phone"
    email = "email"
    post = "post"


class Patient(Versioned, Base):
    __tablename__ = "patient"
    __table_args__ = (
        sa.Index("ix_patient_name", "family_key", "given_key", "birth_date"),
        sa.Index("ix_patient_given", "given_key"),
        sa.Index("ix_patient_sound", "sound"),
        sa.Index("ix_patient_birth_date", "birth_date"),
        sa.Index("ix_patient_phone", "phone_key", sqlite_where=sa.text("phone_key <> ''"), postgresql_where=sa.text("phone_key <> ''")),
        sa.Index("ix_patient_email", "email", sqlite_where=sa.text("email <> ''"), postgresql_where=sa.text("email <> ''")),
        index_where_set("ix_patient_merged_into_id", "merged_into_id"),
        sa.Index("ix_patient_family_last", "family_last", "given_key", sqlite_where=sa.text("family_last <> ''"),
                 postgresql_where=sa.text("family_last <> ''")),
    )  # fmt: skip

    id: Mapped[Key]
    family: Mapped[str] = mapped_column(default="")
    """PID-5.1."""
    given: Mapped[str] = mapped_column(default="")
    middle: Mapped[str] = mapped_column(default="")
    suffix: Mapped[str] = mapped_column(default="")
    prefix: Mapped[str] = mapped_column(default="")
    family_key: Mapped[str] = mapped_column(BY_CODE_POINT, default="")
    """This and the keys after it: see `ris.patient.keys`."""
    given_key: Mapped[str] = mapped_column(BY_CODE_POINT, default="")
    family_last: Mapped[str] = mapped_column(BY_CODE_POINT, default="")
    """The last word of a family name of several."""
    sound: Mapped[str] = mapped_column(BY_CODE_POINT, default="")
    phone_key: Mapped[str] = mapped_column(BY_CODE_POINT, default="")
    birth_date: Mapped[date | None]
    """PID-7."""
    sex: Mapped[Sex] = mapped_column(default=Sex.unknown)
    """PID-8, table 0001."""
    street: Mapped[str] = mapped_column(default="")
    city: Mapped[str] = mapped_column(default="")
    region: Mapped[str] = mapped_column(default="")
    postal_code: Mapped[str] = mapped_column(default="")
    country: Mapped[str] = mapped_column(default="")
    phone: Mapped[str] = mapped_column(default="")
    """PID-13, first repetition."""
    other_phone: Mapped[str] = mapped_column(default="")
    """PID-13, second repetition, else PID-14."""
    reached_by: Mapped[ReachedBy | None]
    """The way that the patient prefers; None: not asked."""
    email: Mapped[str] = mapped_column(default="")
    """PID-13.4; see `ris.patient.email`."""
    language: Mapped[str] = mapped_column(default="")
    """PID-15: an ISO 639-1 code, in small letters, of the language that the patient is written to in; empty: not known."""
    deceased: Mapped[bool] = mapped_column(default=False)
    """PID-30."""
    temporary: Mapped[bool] = mapped_column(default=False)
    """Whether the name was made up here, for somebody who could not say it."""
    merged_into_id: Mapped[int | None] = mapped_column(references("patient.id"))
    """The survivor; a merged patient has nothing of its own any more."""
    heard: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """What each sender said last of what alerts follow from: see `ris.patient.heard`."""

    @property
    def name(self) -> str:
        return ", ".join(part for part in (self.family, " ".join(p for p in (self.given, self.middle) if p)) if part)


class PatientIdentifier(Base):
    """PID-3: what one authority calls a patient. `key` is authority, type and value, and leads to one patient only."""

    __tablename__ = "patient_identifier"

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    key: Mapped[str] = mapped_column(unique=True)
    value: Mapped[str] = mapped_column(index=True)
    """CX.1."""
    authority: Mapped[str]
    """CX.4.1."""
    type: Mapped[str]
    """CX.5, table 0203."""
    merged: Mapped[bool] = mapped_column(default=False)
    """It came from a merged patient: it still finds the survivor, and is sent to nobody."""


class VisitState(enum.StrEnum):
    expected = "expected"
    open = "open"
    closed = "closed"
    cancelled = "cancelled"


class Visit(Versioned, Base):
    """PV1: one encounter. `key` is authority and visit number (PV1-19, else PID-18)."""

    __tablename__ = "visit"
    __table_args__ = (index_where_set("ix_visit_merged_into_id", "merged_into_id"),)

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    key: Mapped[str] = mapped_column(unique=True)
    visit_number: Mapped[str]
    account_key: Mapped[str] = mapped_column(default="", index=True)
    """PID-18: authority and number of the account that it belongs to."""
    merged_into_id: Mapped[int | None] = mapped_column(references("visit.id"))
    """The visit that it was found to be; its number leads there."""
    patient_class: Mapped[str] = mapped_column(default="U")
    """PV1-2, table 0004."""
    location: Mapped[str] = mapped_column(default="")
    """PV1-3: point of care, room, bed."""
    attending: Mapped[str] = mapped_column(default="")
    ambulatory_status: Mapped[str] = mapped_column(default="")
    """PV1-15: codes of table 0009, parted by spaces."""
    state: Mapped[VisitState]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Allergy(Base):
    """AL1: what a patient must not be given, as one sender says it (the sender's next list replaces its last), or as it was seen here."""

    __tablename__ = "allergy"

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    partner_id: Mapped[int | None] = mapped_column(references("partner.id"))
    """Who says it; None for what was seen here."""
    kind: Mapped[str]
    """AL1-2, table 0127."""
    code: Mapped[str]
    """AL1-3.1."""
    text: Mapped[str]
    severity: Mapped[str]
    """AL1-4, table 0128."""
    reaction: Mapped[str]
    """AL1-5."""


class Coverage(Versioned, Base):
    """IN1: who pays. A sender's next list replaces its last; what the desk says (`partner_id` None) it ends itself."""

    __tablename__ = "coverage"

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    partner_id: Mapped[int | None] = mapped_column(references("partner.id"))
    payer: Mapped[str]
    payer_code: Mapped[str]
    plan: Mapped[str]
    member_number: Mapped[str]
    group_number: Mapped[str]
    rank: Mapped[int] = mapped_column(sa.Integer)
    """1 pays first."""
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    """The last day."""
    ended_at: Mapped[datetime | None]


class Authorization(Versioned, Base):
    """What an insurer has agreed to beforehand: so many exams, of these codes, within these days."""

    __tablename__ = "coverage_authorization"

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    coverage_id: Mapped[int | None] = mapped_column(references("coverage.id"))
    number: Mapped[str]
    codes: Mapped[list[str]]
    """Our procedure codes; empty: any."""
    units: Mapped[int] = mapped_column(sa.Integer)
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    """The last day."""
    ended_at: Mapped[datetime | None]


class PatientContact(Versioned, Base):
    """NK1: whom to ask or call about a patient. A sender's next list replaces its last; what the desk says it ends itself."""

    __tablename__ = "patient_contact"

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    partner_id: Mapped[int | None] = mapped_column(references("partner.id"))
    """The sender; None: the desk."""
    name: Mapped[str]
    relation: Mapped[str]
    """As people say it: mother, neighbour."""
    phone: Mapped[str]
    other_phone: Mapped[str]
    email: Mapped[str]
    is_guardian: Mapped[bool]
    """Whether this person decides for the patient."""
    is_called_first: Mapped[bool]
    """Whether this person is called in the place of the patient, or in an emergency."""
    ended_at: Mapped[datetime | None]


class AlertKind(enum.StrEnum):
    """In the order in which they are shown."""

    language = "language"
    isolation = "isolation"
    fall_risk = "fall_risk"
    vip = "vip"
    safety = "safety"
    """What a patient answered on a form."""
    other = "other"


class PatientAlert(Base):
    """What everybody must know of a patient, as the desk, a form or a sender says it; it is ended, never deleted."""

    __tablename__ = "patient_alert"

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    partner_id: Mapped[int | None] = mapped_column(references("partner.id"))
    """The sender; None: the desk."""
    place: Mapped[str]
    """The field that says it, such as `PID-15`."""
    kind: Mapped[AlertKind]
    text: Mapped[str]
    raised_by: Mapped[str]
    raised_at: Mapped[datetime]
    holds_until: Mapped[datetime | None]
    """When it ends by itself; None for one that somebody ends."""
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str]


class ObservationKind(enum.StrEnum):
    """What is kept of the many things that are measured, because an exam depends on it."""

    weight = "weight"
    height = "height"
    pregnancy = "pregnancy"
    creatinine = "creatinine"
    egfr = "egfr"


class Observation(Versioned, Base):
    """OBX: one finding about a patient. A correction replaces that of the same kind and moment."""

    __tablename__ = "observation"

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    partner_id: Mapped[int | None] = mapped_column(references("partner.id"))
    """Who sent it; None for what the desk was told."""
    kind: Mapped[ObservationKind]
    value: Mapped[str]
    """OBX-5 as it was sent, a comparator before the number."""
    unit: Mapped[str]
    """OBX-6."""
    observed_at: Mapped[datetime]
    """OBX-14, else OBR-7, else when it arrived."""
    status: Mapped[str]
    """OBX-11, table 0085."""


class Question(enum.StrEnum):
    """What a patient is asked before an exam."""

    implant = "implant"
    pregnancy = "pregnancy"
    contrast_reaction = "contrast_reaction"
    kidney_disease = "kidney_disease"


class Answer(enum.StrEnum):
    no = "no"
    yes = "yes"
    conditional = "conditional"
    """Of an implant: under the conditions of its maker."""


class ScreeningAnswer(Base):
    """What a patient said in a safety screen. Never changed: a newer one counts, and follows the patient from order to order."""

    __tablename__ = "screening_answer"

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    question: Mapped[Question]
    answer: Mapped[Answer]
    detail: Mapped[str]
    """Which device, which reaction; needed where the answer is not no."""
    answered_at: Mapped[datetime]
    holds_until: Mapped[datetime | None]
    """From then on it is as if nobody had asked; None for ever."""
    asked_by: Mapped[str]


class OutsideReport(Versioned, Base):
    """A report that was written before or elsewhere, as its source has it; `key` is source and number."""

    __tablename__ = "outside_report"

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    key: Mapped[str] = mapped_column(unique=True)
    source: Mapped[str]
    """The system or the house that it comes from."""
    number: Mapped[str]
    """What the source calls the exam."""
    study_date: Mapped[date]
    procedure: Mapped[str]
    modality: Mapped[str]
    region: Mapped[str]
    author: Mapped[str]
    signed_on: Mapped[date | None]
    study_instance_uid: Mapped[str]
    text: Mapped[str]
    kept_at: Mapped[datetime]
    kept_by: Mapped[str]


class Merge(Base):
    """That one patient was found to be another. `moved` names every row that changed hands, so that it can be taken back."""

    __tablename__ = "merge"

    id: Mapped[Key]
    survivor_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    loser_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    at: Mapped[datetime]
    actor_name: Mapped[str]
    moved: Mapped[dict[str, Any]]
    """Table name to the keys of its rows that moved."""
    undone_at: Mapped[datetime | None]


class MergeProposal(Base):
    """Two records that may be one person's, the older key first; who was told apart stays so until a person says otherwise."""

    __tablename__ = "merge_proposal"
    __table_args__ = (sa.UniqueConstraint("one_id", "other_id"),)

    id: Mapped[Key]
    one_id: Mapped[int] = mapped_column(references("patient.id"))
    other_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    score: Mapped[int] = mapped_column(sa.Integer)
    """0 to 100, see `ris.patient.guard`."""
    found_at: Mapped[datetime]
    told_apart_at: Mapped[datetime | None]
    told_apart_by: Mapped[str]


class DuplicateSearch(Base):
    """One look through all patients for likely duplicates: asked for by a person or by the clock."""

    __tablename__ = "duplicate_search"

    id: Mapped[Key]
    asked_at: Mapped[datetime]
    asked_by: Mapped[str]
    ended_at: Mapped[datetime | None]
    found: Mapped[int] = mapped_column(sa.Integer)
    """Likely pairs, those that were told apart left out."""
