"""What people do with messages to patients: write their texts, send one again, say that one came back."""

import re
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotFound
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.notice import queries, texts
from ris.notice.model import MailText, Notice, NoticeKind
from ris.notice.sending import REFUSED, event_about
from ris.notice.status import NOTICE
from ris.task import service as task
from ris.task.model import Task, TaskState

LATE = "mail_late"
_MAIL = Ref("system", 0)
_CALLED = sa.select(Task.id).where(Task.kind == LATE, Task.state == TaskState.open)
_CODE = re.compile(r"[a-z]{2,3}(-[a-z]{2})?")


@service
def write_text(uow: UnitOfWork, kind: NoticeKind, language: str, *, subject: str, body: str) -> MailText | None:
    """A new version, which holds from the next message on; None when nothing is different. Raises Invalid as `texts.check`."""
    if not _CODE.fullmatch(language):
        raise Invalid("language: a code such as en, es or pt-br")
    subject, body = subject.strip(), body.replace("\r\n", "\n").strip() + "\n"
    texts.check(uow.session, subject, body)
    known = texts.versions(uow.session, kind, language)
    if known and (known[0].written.subject, known[0].written.body) == (subject, body):
        return None
    number = known[0].number + 1 if known else 1
    row = uow.add(
        MailText(kind=kind, language=language, number=number, subject=subject, body=body, written_by=uow.actor.name, written_at=uow.now)
    )
    uow.session.flush()
    facts = {"kind": kind, "language": language, "number": number}
    uow.emit(Event("notice.text_changed", Ref("mail_text", row.id), facts=facts))
    return row


@service
def send_again(uow: UnitOfWork, notice_id: int) -> Notice:
    """Once more, to the address that the patient has now; a message of its own for the mail programs. Raises NotAllowedNow."""
    notice = _locked(uow, notice_id)
    uow.touch()
    notice.state = NOTICE.go("send_again", notice.state)
    notice.series, notice.attempts, notice.due_at, notice.reason, notice.sent_at = notice.series + 1, 0, uow.now, "", None
    task.settle(uow, REFUSED, Ref("notice", notice_id))
    uow.emit(event_about(uow, "notice.sent_again", notice))
    return notice


@service
def come_back(uow: UnitOfWork, notice_id: int, reason: str) -> Notice:
    """It was taken and came back later. Raises Invalid without a reason, NotAllowedNow for one that was not sent."""
    if not reason.strip():
        raise Invalid("say what the mail server wrote", error_code="101")
    notice = _locked(uow, notice_id)
    uow.touch()
    notice.state, notice.reason = NOTICE.go("come_back", notice.state), reason.strip()
    uow.emit(event_about(uow, "notice.came_back", notice))
    task.open(uow, REFUSED, Ref("notice", notice_id), f"{notice.kind} came back: {notice.reason}", site_id=notice.site_id)
    return notice


def is_call_due(session: Session, now: datetime) -> bool:
    """Whether `call_for_late` would change anything."""
    return queries.queue(session, now, now).is_alarming(now) is not (session.scalar(_CALLED) is not None)


@service
def call_for_late(uow: UnitOfWork) -> None:
    """A task while what is due has waited for too long; it settles by itself when that has left."""
    found = queries.queue(uow.session, uow.now, uow.now)
    if found.is_alarming(uow.now):
        task.open(
            uow, LATE, _MAIL, f"{found.waiting} waiting since {found.oldest_at:%Y-%m-%d %H:%M} UTC: {found.reason or 'no sender process'}"
        )
    else:
        task.settle(uow, LATE, _MAIL)


def _locked(uow: UnitOfWork, notice_id: int) -> Notice:
    notice = uow.session.get(Notice, notice_id, with_for_update=True, populate_existing=True)
    if notice is None:
        raise NotFound(f"message {notice_id} does not exist")
    return notice
