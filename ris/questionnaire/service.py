"""Changing questionnaires: a draft is written, published, and never changed again; the next change makes the next version."""

import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from ris.base.errors import Duplicate, Invalid, NotAllowedNow, NotFound, Stale
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import CHANGED_MEANWHILE, Event, UnitOfWork, service
from ris.questionnaire.content import Content, faults, written
from ris.questionnaire.model import Questionnaire, QuestionnaireVersion
from ris.questionnaire.queries import procedure_codes
from ris.questionnaire.reading import Unreadable, read

_CODE = re.compile(r"[a-z][a-z0-9-]{1,39}")


@service
def add(uow: UnitOfWork, code: str, content: Content) -> QuestionnaireVersion:
    """A new questionnaire with its first draft. Raises Invalid for a poor code, Duplicate for one that is taken."""
    code = code.strip()
    if not _CODE.fullmatch(code):
        raise Invalid("code: small letters, digits and hyphens, beginning with a letter, 2 to 40 characters", error_code="101")
    if uow.session.scalar(sa.select(Questionnaire.id).where(Questionnaire.code == code)) is not None:
        raise Duplicate("another questionnaire has this code")
    head = uow.add(Questionnaire(id=new_id(), code=code, retired_at=None))
    draft = _draft(uow, head, 1, written(content))
    uow.session.flush()
    _tell(uow, "questionnaire.added", head, draft)
    return draft


@service
def change(uow: UnitOfWork, questionnaire_id: int, content: Content, *, row_version: int | None = None) -> QuestionnaireVersion:
    """Writes the draft; one is begun where the newest version was published. Raises NotFound, and Stale for an older draft."""
    head = _head(uow, questionnaire_id)
    newest = _newest(uow, questionnaire_id)
    if row_version is not None and newest.row_version != row_version:
        raise Stale(CHANGED_MEANWHILE)
    text = written(content)
    if newest.published_at is not None:
        newest = _draft(uow, head, newest.number + 1, text)
    elif newest.content == text:
        return newest
    else:
        uow.touch()
        newest.content, newest.changed_at, newest.changed_by = text, uow.now, uow.actor.name
    uow.session.flush()
    _tell(uow, "questionnaire.drafted", head, newest)
    return newest


@service
def publish(uow: UnitOfWork, questionnaire_id: int, *, row_version: int | None = None) -> QuestionnaireVersion:
    """Exams ask for it from now on. Raises Unreadable naming everything that is wrong, NotAllowedNow without a draft, Stale."""
    head = _head(uow, questionnaire_id)
    draft = _newest(uow, questionnaire_id)
    if draft.published_at is not None:
        raise NotAllowedNow(f"version {draft.number} is published already, and there is no draft")
    if row_version is not None and draft.row_version != row_version:
        raise Stale(CHANGED_MEANWHILE)
    wrong = faults(read(draft.content), procedure_codes(uow.session))
    if wrong:
        raise Unreadable(wrong)
    uow.touch()
    draft.published_at, draft.published_by = uow.now, uow.actor.name
    uow.session.flush()
    _tell(uow, "questionnaire.published", head, draft)
    return draft


@service
def discard(uow: UnitOfWork, questionnaire_id: int) -> None:
    """Takes the draft away; the published version stays. Raises NotAllowedNow without one, or where nothing else is there."""
    head = _head(uow, questionnaire_id)
    draft = _newest(uow, questionnaire_id)
    if draft.published_at is not None or draft.number == 1:
        raise NotAllowedNow("there is no draft beside a published version")
    uow.touch()
    uow.session.delete(draft)
    _tell(uow, "questionnaire.draft_discarded", head, draft)


@service
def set_retired(uow: UnitOfWork, questionnaire_id: int, *, retired: bool) -> None:
    """No exam asks for a retired one; what was answered stays, and holds. Again is no change."""
    head = _head(uow, questionnaire_id)
    if (head.retired_at is not None) is retired:
        return
    uow.touch()
    head.retired_at = uow.now if retired else None
    _tell(uow, "questionnaire.retired" if retired else "questionnaire.restored", head, _newest(uow, questionnaire_id))


@service
def take_in(uow: UnitOfWork, raw: Mapping[str, Any]) -> QuestionnaireVersion:
    """A questionnaire of a file as a draft: a new one, or the next version of that with the same code.

    Raises Unreadable naming everything that is wrong with it.
    """
    rest = dict(raw)
    code = str(rest.pop("code", ""))
    content = read(rest)
    wrong = faults(content, procedure_codes(uow.session))
    if wrong:
        raise Unreadable(wrong)
    known = uow.session.scalar(sa.select(Questionnaire.id).where(Questionnaire.code == code))
    return add(uow, code, content) if known is None else change(uow, known, content)


def _draft(uow: UnitOfWork, head: Questionnaire, number: int, content: dict[str, Any]) -> QuestionnaireVersion:
    return uow.add(
        QuestionnaireVersion(
            id=new_id(), questionnaire_id=head.id, number=number, content=content, changed_at=uow.now, changed_by=uow.actor.name,
            published_at=None, published_by="",
        )
    )  # fmt: skip


def _head(uow: UnitOfWork, questionnaire_id: int) -> Questionnaire:
    head = uow.session.get(Questionnaire, questionnaire_id, with_for_update=True, populate_existing=True)
    if head is None:
        raise NotFound("there is no such questionnaire")
    return head


def _newest(uow: UnitOfWork, questionnaire_id: int) -> QuestionnaireVersion:
    of = QuestionnaireVersion
    return uow.session.scalars(sa.select(of).where(of.questionnaire_id == questionnaire_id).order_by(of.number.desc()).limit(1)).one()


def _tell(uow: UnitOfWork, name: str, head: Questionnaire, version: QuestionnaireVersion) -> None:
    uow.emit(Event(name, Ref("questionnaire", head.id), facts={"code": head.code, "version": version.number}))
