"""E-mails to members of staff about a critical result whose time has run out: that there is one, and where to log in; nothing else."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork, service
from ris.critical.model import CriticalMail, CriticalResult
from ris.critical.service import event
from ris.critical.status import LIVE
from ris.notice import letter as letters
from ris.notice.letter import Letter
from ris.notice.model import MailPolicy
from ris.notice.policy import sender_of
from ris.notice.sending import Verdict
from ris.notice.status import NOTICE, WAITING, NoticeState
from ris.settings import Settings
from ris.staff.model import User

LEASE = "critical mail"
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=15), timedelta(minutes=5)
MOST_ATTEMPTS = 100
SUBJECT = "Somebody waits for you in the RIS"
TEXT = "Something in the RIS has passed its time limit and is yours to act on now.\n\nLog in to see what it is: {link}\n"


def due(session: Session, now: datetime, limit: int = 50) -> Sequence[int]:
    """What may leave now, the longest due first."""
    query = sa.select(CriticalMail.id).where(CriticalMail.state.in_(WAITING), CriticalMail.due_at <= now)
    return session.scalars(query.order_by(CriticalMail.due_at, CriticalMail.id).limit(limit)).all()


@service
def begin(uow: UnitOfWork, mail_id: int, settings: Settings, /) -> Letter | None:
    """The message as it is to leave, written down as under way; None when it is not sent."""
    mail = _locked(uow, mail_id)
    if mail is None or mail.state not in WAITING or mail.due_at > uow.now:
        return None
    uow.touch()
    result = uow.session.get_one(CriticalResult, mail.critical_result_id)
    person = uow.session.get_one(User, mail.user_id)
    writes = uow.session.get(MailPolicy, result.site_id)
    if reason := _why_not(result, person, writes):
        mail.state, mail.reason = NOTICE.go("drop", mail.state), reason
        return None
    mail.state, mail.attempts, mail.tried_at, mail.address = NOTICE.go("send", mail.state), mail.attempts + 1, uow.now, person.email
    return _letter(uow, mail, writes, settings) if writes else None


@service
def finish(uow: UnitOfWork, mail_id: int, verdict: Verdict, /) -> None:
    """What became of a message that was begun."""
    mail = uow.session.get_one(CriticalMail, mail_id, with_for_update=True, populate_existing=True)
    uow.touch()
    mail.reason = verdict.answer
    if verdict.taken:
        mail.state, mail.sent_at = NOTICE.go("be_taken", mail.state), uow.now
    elif verdict.for_good or mail.attempts >= MOST_ATTEMPTS:
        mail.state = NOTICE.go("be_refused", mail.state)
    else:
        mail.state = NOTICE.go("be_put_off", mail.state)
        mail.due_at = uow.now + min(FIRST_WAIT * 2 ** min(mail.attempts - 1, 10), LONGEST_WAIT)
        return
    result = uow.session.get_one(CriticalResult, mail.critical_result_id)
    uow.emit(event(uow, f"critical.mail_{mail.state}", result, user_id=mail.user_id, step=mail.step))


@service
def put_back(uow: UnitOfWork, mail_id: int, reason: str, /, *, is_begun: bool) -> None:
    """There is no mail server to talk to: it has not left, and that was no try of its own."""
    mail = uow.session.get_one(CriticalMail, mail_id, with_for_update=True, populate_existing=True)
    uow.touch()
    mail.reason = reason
    if is_begun:
        mail.state, mail.attempts = NOTICE.go("be_put_off", mail.state), mail.attempts - 1


@service
def recover(uow: UnitOfWork, /) -> int:
    """After a stop between the server's answer and its record: sent again under the Message-ID that it had. How many there were."""
    stuck = uow.session.scalars(sa.select(CriticalMail).where(CriticalMail.state == NoticeState.sending).with_for_update()).all()
    for mail in stuck:
        uow.touch()
        mail.state, mail.reason = NOTICE.go("be_put_off", mail.state), "the program stopped while it was sent: it is sent once more"
    return len(stuck)


def _why_not(result: CriticalResult, person: User, writes: MailPolicy | None) -> str:
    """Why it need not or cannot be sent; empty when it is."""
    if result.status not in LIVE:
        return "somebody was told meanwhile"
    if not person.email:
        return "no e-mail address of this person is known"
    if writes is None or not writes.sender:
        return "the site has no address to write from"
    return "" if person.active else "this person may not log in any more"


def _letter(uow: UnitOfWork, mail: CriticalMail, writes: MailPolicy, settings: Settings) -> Letter:
    sender = sender_of(uow.session, writes)
    identifier = letters.message_id(f"critical-{mail.id}", sender.address)
    link = f"{settings.public_url}/critical/{mail.critical_result_id}" if settings.public_url else "page Critical"
    letter, text = EmailMessage(policy.SMTP.clone(cte_type="7bit")), TEXT.format(link=link)
    letters.head(letter, identifier, sender, mail.address, SUBJECT, "", uow.now)
    letter.set_content(text, charset="utf-8")
    return Letter(identifier, sender.address, mail.address, "en", SUBJECT, text, letter.as_bytes())


def _locked(uow: UnitOfWork, mail_id: int) -> CriticalMail | None:
    return uow.session.get(CriticalMail, mail_id, with_for_update=True, populate_existing=True)
