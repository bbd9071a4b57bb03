"""Answering a questionnaire: begun for an exam, kept answer by answer, completed once; then what it says takes effect."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.order.status import OPEN
from ris.patient import alerts, screening
from ris.patient.model import AlertKind, Answer, Question
from ris.patient.screening import Said
from ris.questionnaire.answers import Fact, asked, facts, missing, normal, positives
from ris.questionnaire.content import Content
from ris.questionnaire.model import Questionnaire, QuestionnaireResponse, QuestionnaireVersion, ResponseStatus
from ris.questionnaire.reading import read
from ris.task import service as tasks

TASK = "form_positive"
KIND = "response"
"""Of the pointers to a response."""


@service
def begin(uow: UnitOfWork, *, procedure_id: int, version_id: int, language: str = "en") -> QuestionnaireResponse:
    """The response that an exam's form is answered in: one that is under way for the patient goes on, in its own version.

    Raises Invalid for a version that is not published, NotAllowedNow for an exam that has ended.
    """
    procedure = orders.get_procedure(uow, procedure_id)
    if procedure.status not in OPEN:
        raise NotAllowedNow(f"the exam is {procedure.status}: there is nothing to ask any more")
    version = uow.session.get(QuestionnaireVersion, version_id)
    if version is None or version.published_at is None:
        raise Invalid("choose one of the forms that the exam asks for")
    known = _under_way(uow, procedure.order.patient_id, version.questionnaire_id)
    if known is not None:
        return known
    return _add(uow, procedure, version_id, language)


@service
def answer(uow: UnitOfWork, response_id: int, key: str, text: str) -> None:
    """Keeps one answer. Raises WrongAnswer, NotFound for a question that is not asked, NotAllowedNow once it is completed."""
    response, content = open_one(uow, response_id)
    item = next((one for one in asked(content, response.answers) if one.key == key), None)
    if item is None:
        raise NotFound("this question is not asked")
    kept = normal(item, text)
    uow.touch()
    response.answers = {**response.answers, key: kept}
    response.changed_at = uow.now


@service
def speak(uow: UnitOfWork, response_id: int, language: str) -> None:
    """The questions are read in another language of the questionnaire from now on. Raises NotFound for one that it has not."""
    response, content = open_one(uow, response_id)
    if language not in content.languages:
        raise NotFound("the questionnaire is not written in this language")
    if response.language != language:
        uow.touch()
        response.language = language


@service
def complete(uow: UnitOfWork, response_id: int, *, by_patient: bool) -> QuestionnaireResponse:
    """Makes it valid, with everything that follows: facts of the safety screen, alerts, a task for what is positive.

    Raises NotAllowedNow naming the questions that are not answered.
    """
    response, content = open_one(uow, response_id)
    left = tuple(item.key for item in missing(content, response.answers))
    if left:
        raise NotAllowedNow(f"not answered: {', '.join(left)}", missing=left)
    uow.touch()
    response.answers = {item.key: response.answers[item.key] for item in asked(content, response.answers)}
    response.status, response.completed_at, response.completed_by = ResponseStatus.completed, uow.now, uow.actor.name
    response.changed_at, response.by_patient = uow.now, by_patient
    response.valid_until = _after(uow.now, content.valid_days)
    denied = _tell_screen(uow, response, content)
    response.findings = [*_raise_alerts(uow, response, content), *denied]
    _end_what_is_past(uow, response, kept={Question(one["denied"]) for one in denied}, content=content)
    _call(uow, response, content)
    _emit(uow, "questionnaire.completed", response, positive=len(response.findings), by_patient=by_patient, language=response.language)
    return response


@service
def correct(uow: UnitOfWork, response_id: int, reason: str) -> QuestionnaireResponse:
    """A new response with the same answers, to be changed and completed; until then the old one counts.

    Raises Invalid without a reason, NotAllowedNow for one that is not completed, or is being corrected already.
    """
    old = _locked(uow, response_id)
    if not reason.strip():
        raise Invalid("say what was wrong", error_code="101")
    if old.status is not ResponseStatus.completed:
        raise NotAllowedNow(f"it is {old.status}: there is nothing to correct")
    version = uow.session.get_one(QuestionnaireVersion, old.version_id)
    if _under_way(uow, old.patient_id, version.questionnaire_id) is not None:
        raise NotAllowedNow("the same form is being filled now: complete it, or put it away")
    procedure = orders.get_procedure(uow, old.procedure_id)
    new = _add(uow, procedure, old.version_id, old.language, patient_id=old.patient_id)
    new.answers, new.corrects_id, new.correction_reason = dict(old.answers), old.id, reason.strip()
    _emit(uow, "questionnaire.correction_begun", new, corrects=old.id, reason=reason.strip())
    return new


@service
def stop(uow: UnitOfWork, response_id: int) -> None:
    """Nobody goes on with it: whoever begins again begins anew."""
    response, _ = open_one(uow, response_id)
    uow.touch()
    response.status, response.changed_at = ResponseStatus.stopped, uow.now
    _emit(uow, "questionnaire.stopped", response)


@service
def clear(uow: UnitOfWork, response_id: int, outcome: str) -> None:
    """Somebody has cleared up with the patient what was positive. Raises Invalid without a word about it."""
    if not outcome.strip():
        raise Invalid("say what was found out", error_code="101")
    response = _locked(uow, response_id)
    tasks.settle(uow, TASK, Ref(KIND, response.id))
    _emit(uow, "questionnaire.cleared_up", response, outcome=outcome.strip())


def is_to_clear(session: Session, response_id: int) -> bool:
    """Whether what is positive in it waits for somebody."""
    return tasks.is_open(session, TASK, Ref(KIND, response_id))


# ── reactions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def settle_begun(uow: UnitOfWork, event: Event) -> None:
    """To hang on `exam.started`: whoever began it went through the check list, which says the same."""
    of = QuestionnaireResponse
    for response_id in uow.session.scalars(sa.select(of.id).where(of.procedure_id == event.procedure_id)):
        tasks.settle(uow, TASK, Ref(KIND, response_id))


def rows_of_patient(uow: UnitOfWork, patient_id: int) -> list[int]:
    """The responses that a merge of this patient would move."""
    of = QuestionnaireResponse
    return list(uow.session.scalars(sa.select(of.id).where(of.patient_id == patient_id).order_by(of.id)))


def move_patient(uow: UnitOfWork, event: Event) -> None:
    rows = rows_of_patient(uow, event.facts["loser_id"])
    event.facts["moved"][QuestionnaireResponse.__tablename__] = rows
    _give(uow, rows, event.facts["survivor_id"])


def return_patient(uow: UnitOfWork, event: Event) -> None:
    _give(uow, event.facts["moved"].get(QuestionnaireResponse.__tablename__, []), event.facts["loser_id"])


def _give(uow: UnitOfWork, response_ids: list[int], patient_id: int) -> None:
    for response in uow.session.scalars(sa.select(QuestionnaireResponse).where(QuestionnaireResponse.id.in_(response_ids))):
        uow.touch()
        response.patient_id = patient_id


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def open_one(uow: UnitOfWork, response_id: int) -> tuple[QuestionnaireResponse, Content]:
    """A response that is under way, locked, with what it answers. Raises NotFound, NotAllowedNow."""
    response = _locked(uow, response_id)
    if response.status is not ResponseStatus.in_progress:
        raise NotAllowedNow(f"the form is {response.status}: its answers are not changed any more")
    return response, read(uow.session.get_one(QuestionnaireVersion, response.version_id).content)


def _locked(uow: UnitOfWork, response_id: int) -> QuestionnaireResponse:
    uow.session.flush()
    response = uow.session.get(QuestionnaireResponse, response_id, with_for_update=True, populate_existing=True)
    if response is None:
        raise NotFound("there is no such form")
    return response


def _under_way(uow: UnitOfWork, patient_id: int, questionnaire_id: int) -> QuestionnaireResponse | None:
    of = QuestionnaireResponse
    uow.session.flush()
    return uow.session.scalars(
        sa.select(of)
        .join(QuestionnaireVersion, QuestionnaireVersion.id == of.version_id)
        .where(
            of.patient_id == patient_id,
            of.status == ResponseStatus.in_progress,
            QuestionnaireVersion.questionnaire_id == questionnaire_id,
        )
        .order_by(of.id.desc())
        .limit(1)
    ).first()


def _add(
    uow: UnitOfWork, procedure: RequestedProcedure, version_id: int, language: str, patient_id: int | None = None
) -> QuestionnaireResponse:  # fmt: skip
    response = uow.add(
        QuestionnaireResponse(
            id=new_id(), patient_id=patient_id or procedure.order.patient_id, procedure_id=procedure.id, version_id=version_id,
            status=ResponseStatus.in_progress, language=language, answers={}, findings=[], begun_at=uow.now, changed_at=uow.now,
            completed_at=None, completed_by="", by_patient=False, valid_until=None, corrects_id=None, correction_reason="",
        )
    )  # fmt: skip
    uow.session.flush()
    return response


def _after(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now + timedelta(days=days)


def _tell_screen(uow: UnitOfWork, response: QuestionnaireResponse, content: Content) -> list[dict[str, Any]]:
    """Writes the facts; returns those that deny what is on record, which stays until somebody has cleared that up."""
    known = {row.question: row for row in screening.screened(uow.session, response.patient_id, uow.now)}
    said, denied = [], []
    for fact in facts(content, response.answers):
        before = known.get(fact.question)
        if fact.answer is Answer.no and response.corrects_id is None and before is not None and before.answer is not Answer.no:
            denied.append(_denied(fact, before.text))
        else:
            said.append(Said(fact.question, fact.answer, fact.detail, _after(uow.now, fact.days)))
    if said:
        screening.screen(uow, response.patient_id, said)
    return denied


def _denied(fact: Fact, before: str) -> dict[str, Any]:
    text = f"Denied now, but on record: {before}"
    return {"key": "", "text": text, "holds_until": None, "stops": False, "has_point": True, "alert_id": None, "denied": fact.question}


def _raise_alerts(uow: UnitOfWork, response: QuestionnaireResponse, content: Content) -> list[dict[str, Any]]:
    found = []
    for positive in positives(content, response.answers):
        until = _after(uow.now, positive.item.days)
        text = positive.text[: alerts.LONGEST]
        alert = alerts.raise_alert(uow, response.patient_id, AlertKind.safety, text, holds_until=until)
        found.append(
            {
                "key": positive.item.key, "text": positive.text, "holds_until": until.isoformat() if until else None,
                "stops": positive.item.stops, "has_point": positive.item.safety is not None, "alert_id": alert.id,
            }
        )  # fmt: skip
    return found


def _end_what_is_past(uow: UnitOfWork, response: QuestionnaireResponse, *, kept: set[Question], content: Content) -> None:
    """Ends the alerts of earlier responses to the same questionnaire that this one does not say again."""
    now = {one["alert_id"] for one in response.findings}
    of = QuestionnaireResponse
    questionnaire_id = uow.session.get_one(QuestionnaireVersion, response.version_id).questionnaire_id
    same = sa.select(QuestionnaireVersion.id).where(QuestionnaireVersion.questionnaire_id == questionnaire_id)
    earlier = uow.session.scalars(
        sa.select(of).where(
            of.patient_id == response.patient_id, of.version_id.in_(same), of.status == ResponseStatus.completed, of.id != response.id
        )
    ).all()
    for old in earlier:
        for one in old.findings:
            item = content.item(one["key"])
            if one["alert_id"] and one["alert_id"] not in now and not (item and item.safety in kept):
                alerts.end_alert(uow, response.patient_id, one["alert_id"])
        tasks.settle(uow, TASK, Ref(KIND, old.id))
        if old.id == response.corrects_id:
            uow.touch()
            old.status = ResponseStatus.amended


def _call(uow: UnitOfWork, response: QuestionnaireResponse, content: Content) -> None:
    """A task for the technologist where something is positive."""
    if not response.findings:
        return
    reason = f"{content.name}: {'; '.join(one['text'] for one in response.findings)}"
    site_id = uow.session.get_one(RequestedProcedure, response.procedure_id).site_id
    tasks.open(uow, TASK, Ref(KIND, response.id), reason, site_id=site_id, facts={"procedure_id": response.procedure_id})


def _emit(uow: UnitOfWork, name: str, response: QuestionnaireResponse, **further: Any) -> None:
    """By its questionnaire, never by its answers: the trail is read by people who may not see those."""
    version = uow.session.get_one(QuestionnaireVersion, response.version_id)
    code = uow.session.get_one(Questionnaire, version.questionnaire_id).code
    procedure = uow.session.get_one(RequestedProcedure, response.procedure_id)
    uow.emit(
        Event(
            name, Ref(KIND, response.id), patient_id=response.patient_id, order_id=procedure.order_id, procedure_id=procedure.id,
            site_id=procedure.site_id, facts={"code": code, "version": version.number, **further},
        )
    )  # fmt: skip
