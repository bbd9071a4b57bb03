"""The e-mails among the records: which are due, what they say, and what became of them. They name no patient and no exam."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.ref import Ref
from ris.base.uow import UnitOfWork, service
from ris.distribution.model import Dispatch, Recipient
from ris.distribution.service import UNDELIVERED, event_of
from ris.distribution.status import DISPATCH, STANDING, Channel, DispatchState
from ris.notice import letter
from ris.notice.letter import Letter, Sender
from ris.notice.model import MailPolicy
from ris.notice.policy import sender_of
from ris.notice.sending import Verdict
from ris.referrer.model import Referrer
from ris.report.model import ReportVersion
from ris.report.status import VersionKind
from ris.settings import Settings
from ris.task import service as task

LEASE = "result-mail"
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
MOST_ATTEMPTS = 50
_NEW = ("A report is ready", "A report is ready for you.")
_CHANGED = ("A report was changed", "A report that you have had was changed. Please read the new version.")
_TAKEN_BACK = ("A report was taken back", "A report that you have had does not hold any more. Please see what is written about it.")
_BODY = """{greeting}

{what} To read it, log in here:

{link}

This message says nothing about the patient on purpose. If you did not expect it, please tell us and delete it.

{site}
"""


def due(session: Session, now: datetime, limit: int = 50) -> Sequence[int]:
    """What may leave now, the longest due first."""
    query = sa.select(Dispatch.id).where(
        Dispatch.channel == Channel.email, Dispatch.state == DispatchState.waiting, Dispatch.not_before <= now
    )
    return session.scalars(query.order_by(Dispatch.not_before, Dispatch.id).limit(limit)).all()


@service
def begin(uow: UnitOfWork, dispatch_id: int, settings: Settings) -> Letter | None:
    """The message as it is to leave, written down as under way; None when it is not due, or cannot be written and so has failed."""
    dispatch = locked(uow, dispatch_id)
    if dispatch.state is not DispatchState.waiting or dispatch.not_before > uow.now:
        return None
    uow.touch()
    dispatch.state, dispatch.attempts, dispatch.tried_at = DISPATCH.go("begin", dispatch.state), dispatch.attempts + 1, uow.now
    found = uow.session.get(MailPolicy, dispatch.site_id)
    if found is None or not found.sender:
        fail(uow, dispatch, "the site has no address to write from: see the page about e-mails")
        return None
    if not settings.public_url:
        fail(uow, dispatch, "the address of these pages is not set (results.url)")
        return None
    return _letter(uow.session, dispatch, sender_of(uow.session, found), f"{settings.public_url}/results/{dispatch.id}", uow.now)


@service
def finish(uow: UnitOfWork, dispatch_id: int, verdict: Verdict) -> None:
    """What became of a message that was begun."""
    dispatch = locked(uow, dispatch_id)
    if verdict.taken:
        arrive(uow, dispatch, verdict.answer)
    elif verdict.for_good or dispatch.attempts >= MOST_ATTEMPTS:
        fail(uow, dispatch, verdict.answer)
    else:
        put_off(uow, dispatch, verdict.answer)


@service
def put_back(uow: UnitOfWork, dispatch_id: int, reason: str, *, is_begun: bool) -> None:
    """There is no mail server to talk to: it has not left, and that was no try of its own."""
    dispatch = locked(uow, dispatch_id)
    uow.touch()
    dispatch.reason = reason
    if is_begun:
        dispatch.state, dispatch.attempts = DISPATCH.go("be_put_off", dispatch.state), dispatch.attempts - 1


@service
def recover(uow: UnitOfWork) -> int:
    """After a stop between the server's answer and its record: sent once more, under the same Message-ID. How many these were."""
    stuck = uow.session.scalars(
        sa.select(Dispatch).where(Dispatch.state == DispatchState.sending, Dispatch.channel == Channel.email).with_for_update()
    ).all()
    for dispatch in stuck:
        uow.touch()
        dispatch.state = DISPATCH.go("be_put_off", dispatch.state)
        dispatch.reason = "the program stopped while it was sent: it is sent once more under the same Message-ID"
    return len(stuck)


# ── what the writer of files needs too ───────────────────────────────────────────────────────────────────────────────


def locked(uow: UnitOfWork, dispatch_id: int) -> Dispatch:
    uow.session.flush()  # what is read anew must not take back what this unit of work has changed
    return uow.session.get_one(Dispatch, dispatch_id, with_for_update=True, populate_existing=True)


def arrive(uow: UnitOfWork, dispatch: Dispatch, reason: str) -> None:
    uow.touch()
    dispatch.state, dispatch.reason = DISPATCH.go("arrive", dispatch.state), reason
    dispatch.done_at, dispatch.done_by = uow.now, uow.actor.name
    uow.emit(event_of(uow, "result.sent", dispatch))


def fail(uow: UnitOfWork, dispatch: Dispatch, reason: str) -> None:
    """With a task: a person sends it again, or another way."""
    uow.touch()
    dispatch.state, dispatch.reason = DISPATCH.go("fail", dispatch.state), reason
    uow.emit(event_of(uow, "result.failed", dispatch))
    task.open(uow, UNDELIVERED, Ref("dispatch", dispatch.id), f"by {dispatch.channel}: {reason}", site_id=dispatch.site_id)


def put_off(uow: UnitOfWork, dispatch: Dispatch, reason: str) -> None:
    uow.touch()
    dispatch.state, dispatch.reason = DISPATCH.go("be_put_off", dispatch.state), reason
    dispatch.not_before = uow.now + min(FIRST_WAIT * 2 ** min(dispatch.attempts - 1, 10), LONGEST_WAIT)


# ── the words ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _letter(session: Session, dispatch: Dispatch, sender: Sender, link: str, now: datetime) -> Letter:
    version = session.get_one(ReportVersion, dispatch.version_id)
    subject, what = _said(version, has_had=_has_had(session, dispatch))
    referrer = session.get_one(Referrer, session.get_one(Recipient, dispatch.recipient_id).referrer_id)
    name = " ".join(part for part in (referrer.title, referrer.given, referrer.family) if part)
    text = _BODY.format(greeting=f"Dear {name},", what=what, link=link, site=sender.name or sender.site)
    mail = EmailMessage(policy.SMTP.clone(cte_type="7bit"))
    subject = f"{subject}, {sender.site}"
    letter.head(mail, letter.message_id(f"result-{dispatch.id}", sender.address), sender, dispatch.address, subject, "", now)
    mail.set_content(text, charset="utf-8")
    return Letter(str(mail["Message-ID"]), sender.address, dispatch.address, "en", subject, text, mail.as_bytes())


def _said(version: ReportVersion, *, has_had: bool) -> tuple[str, str]:
    if version.kind is VersionKind.retraction:
        return _TAKEN_BACK
    return _CHANGED if has_had else _NEW


def _has_had(session: Session, dispatch: Dispatch) -> bool:
    """Whether an earlier version went to the same recipient."""
    earlier = sa.select(Dispatch.id).where(
        Dispatch.report_id == dispatch.report_id, Dispatch.recipient_id == dispatch.recipient_id,
        Dispatch.version_id != dispatch.version_id, Dispatch.state.in_(STANDING),
    )  # fmt: skip
    return session.scalar(earlier.limit(1)) is not None
