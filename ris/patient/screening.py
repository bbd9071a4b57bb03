"""The safety screen: what a patient was asked before an exam and said; the newest answer counts, for every order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.patient.model import Answer, Patient, Question, ScreeningAnswer

ANSWERS = {
    Question.implant: {
        Answer.no: "No implant, no metal in the body",
        Answer.conditional: "An implant that may be scanned under conditions",
        Answer.yes: "An implant or metal that is not safe, or nobody knows which",
    },
    Question.pregnancy: {Answer.no: "Not pregnant", Answer.yes: "Pregnant, or it is possible"},
    Question.contrast_reaction: {Answer.no: "Never reacted to contrast medium", Answer.yes: "Reacted to contrast medium before"},
    Question.kidney_disease: {Answer.no: "No kidney disease", Answer.yes: "Kidney disease, or the kidneys work badly"},
}
"""What may be answered to what, as a person reads it."""
LONGEST_DETAIL = 300


@dataclass(frozen=True, slots=True)
class Said:
    """One answer as a form gives it."""

    question: Question
    answer: Answer
    detail: str = ""
    holds_until: datetime | None = None
    """None: until something else is said."""


@dataclass(frozen=True, slots=True)
class ScreenRow:
    question: Question
    answer: Answer
    detail: str
    answered_at: datetime
    asked_by: str
    holds_until: datetime | None

    @property
    def text(self) -> str:
        """As a person reads it, with the detail."""
        said = ANSWERS[self.question][self.answer]
        return f"{said}: {self.detail}" if self.detail else said


@service
def screen(uow: UnitOfWork, patient_id: int, said: Sequence[Said]) -> None:
    """Keeps what a patient has said now. Raises Invalid, naming the question, for an answer without the detail that it needs."""
    if uow.session.get(Patient, patient_id) is None:
        raise NotFound(f"patient {patient_id} does not exist")
    if not said:
        raise Invalid("no question is answered: choose an answer to at least one", error_code="101")
    for one in said:
        _check(one)
        uow.add(
            ScreeningAnswer(
                id=new_id(), patient_id=patient_id, question=one.question, answer=one.answer, detail=one.detail.strip(),
                answered_at=uow.now, holds_until=one.holds_until, asked_by=uow.actor.name,
            )
        )  # fmt: skip
    facts = {"questions": sorted(one.question.value for one in said)}
    uow.emit(Event("patient.screened", Ref("patient", patient_id), patient_id=patient_id, facts=facts))


def screened(session: Session, patient_id: int, now: datetime) -> tuple[ScreenRow, ...]:
    """The newest answer to each question, as far as it still holds."""
    of = ScreeningAnswer
    newest = sa.select(sa.func.max(of.id)).where(of.patient_id == patient_id).group_by(of.question)
    holds = of.holds_until.is_(None) | (of.holds_until > now)
    return tuple(_row(row) for row in session.scalars(sa.select(of).where(of.id.in_(newest), holds).order_by(of.question)))


def history(session: Session, patient_id: int, limit: int = 100) -> list[ScreenRow]:
    """Newest first."""
    of = ScreeningAnswer
    return [_row(row) for row in session.scalars(sa.select(of).where(of.patient_id == patient_id).order_by(of.id.desc()).limit(limit))]


def _row(row: ScreeningAnswer) -> ScreenRow:
    return ScreenRow(row.question, row.answer, row.detail, row.answered_at, row.asked_by, row.holds_until)


def _check(one: Said) -> None:
    name = one.question.replace("_", " ")
    if one.answer not in ANSWERS[one.question]:
        raise Invalid(f"{name}: this cannot be answered to it")
    if one.answer is not Answer.no and not one.detail.strip() and one.question is not Question.pregnancy:
        raise Invalid(f"{name}: say which", error_code="101")
    if len(one.detail) > LONGEST_DETAIL:
        raise Invalid(f"{name}: at most {LONGEST_DETAIL} characters")
