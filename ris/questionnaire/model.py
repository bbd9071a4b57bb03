"""Tables of questionnaires with their versions, of what was answered, and of the codes that open a tablet for it."""

import enum
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, references


class Questionnaire(Versioned, Base):
    """FHIR R4 Questionnaire: what all its versions have in common."""

    __tablename__ = "questionnaire"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    retired_at: Mapped[datetime | None]
    """Since when no exam asks for it."""


class QuestionnaireVersion(Versioned, Base):
    """The newest may be a draft; one that was published is never changed, also by raw SQL."""

    __tablename__ = "questionnaire_version"
    __table_args__ = (sa.UniqueConstraint("questionnaire_id", "number"),)

    id: Mapped[Key]
    questionnaire_id: Mapped[int] = mapped_column(references("questionnaire.id"))
    number: Mapped[int] = mapped_column(sa.Integer)
    """From 1."""
    content: Mapped[dict[str, Any]]
    """As `ris.questionnaire.content.written` makes it."""
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
    published_at: Mapped[datetime | None]
    published_by: Mapped[str]


class ResponseStatus(enum.StrEnum):
    """FHIR R4 questionnaire-answers-status."""

    in_progress = "in-progress"
    completed = "completed"
    amended = "amended"
    """Another response corrects it."""
    stopped = "stopped"
    """Nobody goes on with it."""


class QuestionnaireResponse(Versioned, Base):
    """What one patient answered to one version. Its answers change until it is completed, and never after that."""

    __tablename__ = "questionnaire_response"

    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(references("patient.id"), index=True)
    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"), index=True)
    """The exam that it was filled for."""
    version_id: Mapped[int] = mapped_column(references("questionnaire_version.id"))
    status: Mapped[ResponseStatus]
    language: Mapped[str]
    answers: Mapped[dict[str, Any]]
    """Item to answer."""
    findings: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON())
    """What is positive: item, text, holds_until (None: for ever), stops, and the alert that was raised."""
    begun_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    completed_by: Mapped[str]
    by_patient: Mapped[bool]
    """Whether the patient answered alone; else somebody wrote down what the patient said."""
    valid_until: Mapped[datetime | None]
    """Until then it is not asked again; None: never again."""
    corrects_id: Mapped[int | None] = mapped_column(references("questionnaire_response.id"))
    correction_reason: Mapped[str]


class TabletSession(Base):
    """A one-time code, and what came of it: the cookie of one tablet for the forms of one patient. Both are here as hashes."""

    __tablename__ = "tablet_session"

    id: Mapped[Key]
    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"), index=True)
    response_ids: Mapped[list[int]] = mapped_column(sa.JSON())
    code_hash: Mapped[str] = mapped_column(index=True)
    made_at: Mapped[datetime]
    made_by: Mapped[str]
    expires_at: Mapped[datetime]
    """The code is worth nothing from then on."""
    opened_at: Mapped[datetime | None]
    place: Mapped[str]
    token_hash: Mapped[str | None] = mapped_column(unique=True)
    csrf_secret: Mapped[str]
    confirmed_at: Mapped[datetime | None]
    """When whoever holds the tablet said that it is about them."""
    last_used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str]
