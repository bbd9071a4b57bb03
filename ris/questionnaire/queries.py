"""What pages, worklists and the check list show: questionnaires, which an exam asks for, and what was answered."""

import functools
import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.catalog.model import Procedure, Site
from ris.order.model import Order, RequestedProcedure
from ris.patient.model import Patient, Sex
from ris.questionnaire.answers import asked, missing
from ris.questionnaire.content import Content, is_for
from ris.questionnaire.model import Questionnaire, QuestionnaireResponse, QuestionnaireVersion, ResponseStatus
from ris.questionnaire.reading import read


@dataclass(frozen=True, slots=True)
class VersionRow:
    questionnaire_id: int
    code: str
    retired_at: datetime | None
    version_id: int
    number: int
    content: Content
    changed_at: datetime
    changed_by: str
    published_at: datetime | None
    published_by: str
    row_version: int


@dataclass(frozen=True, slots=True)
class Found:
    """A positive answer, as it stands with the response."""

    response_id: int
    key: str
    text: str
    holds_until: datetime | None
    stops: bool
    has_point: bool
    """Whether the safety screen says it too, so that the check list has a point about it already."""


@dataclass(frozen=True, slots=True)
class ResponseRow:
    response_id: int
    patient_id: int
    procedure_id: int
    site_id: int
    zone: str
    version_id: int
    questionnaire_id: int
    code: str
    number: int
    content: Content
    status: ResponseStatus
    language: str
    answers: Mapping[str, str]
    findings: tuple[Found, ...]
    begun_at: datetime
    changed_at: datetime
    completed_at: datetime | None
    completed_by: str
    by_patient: bool
    valid_until: datetime | None
    corrects_id: int | None
    correction_reason: str
    row_version: int

    def is_valid(self, procedure_id: int, now: datetime) -> bool:
        """Whether an exam need not ask again."""
        if self.status is not ResponseStatus.completed:
            return False
        if self.content.valid_days == 0:
            return self.procedure_id == procedure_id
        return self.valid_until is None or self.valid_until > now

    @property
    def progress(self) -> tuple[int, int]:
        """How many are answered, and how many are asked by now."""
        items = asked(self.content, self.answers)
        return len(items) - len(missing(self.content, self.answers)), len(items)


@dataclass(frozen=True, slots=True)
class Needed:
    """A form that an exam asks for. Without `response` nobody has begun it."""

    version: VersionRow
    response: ResponseRow | None
    is_valid: bool

    @property
    def name(self) -> str:
        return self.version.content.name


@dataclass(frozen=True, slots=True)
class FormState:
    """A form that an exam asks for, in few words."""

    name: str
    is_valid: bool
    completed_at: datetime | None
    """Of the response that counts."""
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Exam:
    procedure_id: int
    patient_id: int
    code: str
    modality: str
    contrast: bool
    sex: Sex
    birth_date: date | None
    zone: str


_VERSION = (
    Questionnaire.id, Questionnaire.code, Questionnaire.retired_at, QuestionnaireVersion.id, QuestionnaireVersion.number,
    QuestionnaireVersion.content, QuestionnaireVersion.changed_at, QuestionnaireVersion.changed_by, QuestionnaireVersion.published_at,
    QuestionnaireVersion.published_by, QuestionnaireVersion.row_version,
)  # fmt: skip

_CONTENT_AT = 5


def versions(session: Session, questionnaire_id: int | None = None) -> list[VersionRow]:
    """Of one questionnaire or all, by code, the newest first."""
    wanted = sa.select(*_VERSION).join(QuestionnaireVersion, QuestionnaireVersion.questionnaire_id == Questionnaire.id)
    if questionnaire_id is not None:
        wanted = wanted.where(Questionnaire.id == questionnaire_id)
    return [_version(row) for row in session.execute(wanted.order_by(Questionnaire.code, QuestionnaireVersion.number.desc()))]


def in_force(session: Session) -> list[VersionRow]:
    """The newest published version of each questionnaire that is not retired."""
    of = QuestionnaireVersion
    newest = sa.select(sa.func.max(of.number)).where(of.questionnaire_id == Questionnaire.id, of.published_at.is_not(None))
    wanted = (
        sa.select(*_VERSION)
        .join(of, of.questionnaire_id == Questionnaire.id)
        .where(Questionnaire.retired_at.is_(None), of.number == newest.correlate(Questionnaire).scalar_subquery())
        .order_by(Questionnaire.code)
    )
    return [_version(row) for row in session.execute(wanted)]


def procedure_codes(session: Session) -> frozenset[str]:
    """Of the catalogue: what an audience may name."""
    return frozenset(session.scalars(sa.select(Procedure.code)))


def needed(session: Session, procedure_id: int, now: datetime) -> list[Needed]:
    """The forms that an exam asks for, each with the response that counts."""
    return needed_of(session, [procedure_id], now).get(procedure_id, [])


def needed_of(session: Session, procedure_ids: Collection[int], now: datetime) -> dict[int, list[Needed]]:
    """As `needed`, for many exams with three queries."""
    current = in_force(session)
    if not current or not procedure_ids:
        return {}
    exams = _exams(session, procedure_ids)
    wanted = {exam.procedure_id: [version for version in current if _asks(exam, version, now)] for exam in exams}
    by_patient: dict[int, list[ResponseRow]] = defaultdict(list)
    for row in _responses(session, QuestionnaireResponse.patient_id.in_({exam.patient_id for exam in exams if wanted[exam.procedure_id]})):
        by_patient[row.patient_id].append(row)
    return {
        exam.procedure_id: [_needed(exam, version, by_patient[exam.patient_id], now) for version in wanted[exam.procedure_id]]
        for exam in exams
    }


def states(session: Session, procedure_id: int, now: datetime) -> list[FormState]:
    """As `needed`, for a page that only says how it stands."""
    found = []
    for form in needed(session, procedure_id, now):
        counts = form.response if form.is_valid else None
        texts = tuple(one.text for one in counts.findings) if counts else ()
        found.append(FormState(form.name, form.is_valid, counts.completed_at if counts else None, texts))
    return found


def open_count(forms: Collection[Needed]) -> int:
    """How many are still to be filled."""
    return sum(not form.is_valid for form in forms)


def response(session: Session, response_id: int) -> ResponseRow | None:
    return next(iter(_responses(session, QuestionnaireResponse.id == response_id)), None)


def responses(session: Session, response_ids: Collection[int]) -> list[ResponseRow]:
    """In the order of the keys given; those that are not there are left out."""
    found = {row.response_id: row for row in _responses(session, QuestionnaireResponse.id.in_(response_ids))}
    return [found[key] for key in response_ids if key in found]


def of_patient(session: Session, patient_id: int, site_ids: Collection[int] | None = None) -> list[ResponseRow]:
    """Newest first, also what was corrected; only those of exams at the given sites."""
    where = [QuestionnaireResponse.patient_id == patient_id]
    if site_ids is not None:
        where.append(RequestedProcedure.site_id.in_(site_ids))
    return _responses(session, *where)


def findings(session: Session, patient_id: int, now: datetime) -> list[Found]:
    """What was answered positively and still holds."""
    rows = _responses(session, QuestionnaireResponse.patient_id == patient_id, QuestionnaireResponse.status == ResponseStatus.completed)
    newest: dict[int, ResponseRow] = {}
    for row in rows:
        newest.setdefault(row.questionnaire_id, row)
    return [one for row in newest.values() for one in row.findings if one.holds_until is None or one.holds_until > now]


def _asks(exam: _Exam, version: VersionRow, now: datetime) -> bool:
    return is_for(
        version.content.audience, code=exam.code, modality=exam.modality, contrast=exam.contrast, sex=exam.sex,
        birth_date=exam.birth_date, today=local(now, exam.zone).date(),
    )  # fmt: skip


def _needed(exam: _Exam, version: VersionRow, rows: list[ResponseRow], now: datetime) -> Needed:
    """Of the responses, newest first, the newest that holds counts, else one that is under way, else the last one."""
    own = [row for row in rows if row.questionnaire_id == version.questionnaire_id]
    valid = next((row for row in own if row.is_valid(exam.procedure_id, now)), None)
    begun = next((row for row in own if row.status is ResponseStatus.in_progress), None)
    last = next((row for row in own if row.status is ResponseStatus.completed), None)
    return Needed(version, valid or begun or last, valid is not None)


def _exams(session: Session, procedure_ids: Collection[int]) -> list[_Exam]:
    rows = session.execute(
        sa.select(
            RequestedProcedure.id, Order.patient_id, Procedure.code, sa.type_coerce(Procedure.modality, sa.Text), Procedure.contrast,
            Patient.sex, Patient.birth_date, Site.zone,
        )
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .where(RequestedProcedure.id.in_(procedure_ids))
    )  # fmt: skip
    return [_Exam(*row) for row in rows]


def _responses(session: Session, *where: sa.ColumnElement[bool]) -> list[ResponseRow]:
    of = QuestionnaireResponse
    rows = session.execute(
        sa.select(of, RequestedProcedure.site_id, Site.zone, Questionnaire.id, Questionnaire.code, QuestionnaireVersion)
        .join(RequestedProcedure, RequestedProcedure.id == of.procedure_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .join(QuestionnaireVersion, QuestionnaireVersion.id == of.version_id)
        .join(Questionnaire, Questionnaire.id == QuestionnaireVersion.questionnaire_id)
        .where(*where)
        .order_by(of.id.desc())
    )
    return [
        ResponseRow(
            row.id, row.patient_id, row.procedure_id, site_id, zone, row.version_id, questionnaire_id, code, version.number,
            _content(version.content), row.status, row.language, dict(row.answers), tuple(_found(row.id, one) for one in row.findings),
            row.begun_at, row.changed_at, row.completed_at, row.completed_by, row.by_patient, row.valid_until, row.corrects_id,
            row.correction_reason, row.row_version,
        )
        for row, site_id, zone, questionnaire_id, code, version in rows
    ]  # fmt: skip


def _found(response_id: int, raw: Mapping[str, Any]) -> Found:
    until = raw["holds_until"]
    return Found(response_id, raw["key"], raw["text"], datetime.fromisoformat(until) if until else None, raw["stops"], raw["has_point"])


def _version(row: sa.Row[Any]) -> VersionRow:
    values = list(row)
    values[_CONTENT_AT] = _content(values[_CONTENT_AT])
    return VersionRow(*values)


def _content(raw: Mapping[str, Any]) -> Content:
    """Lists ask for the same few again and again."""
    return _read(json.dumps(raw))


@functools.lru_cache(maxsize=256)
def _read(text: str) -> Content:
    return read(json.loads(text))
