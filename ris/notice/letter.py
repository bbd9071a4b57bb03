"""The e-mail itself: what stands in its head and its text, and the calendar files beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from ris.base.clock import local
from ris.notice import texts
from ris.notice.calendar import Entry, calendar
from ris.notice.language import Written, language
from ris.notice.model import NoticeKind

# Every mail server takes seven bits.
_POLICY = policy.SMTP.clone(cte_type="7bit")
_NOTHING = ("", "none", "none.")


@dataclass(frozen=True, slots=True)
class Appointment:
    step_id: int
    version: int
    starts_at: datetime
    ends_at: datetime
    exam: str
    preparation: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Of a site."""

    site: str
    zone: str
    address: str
    name: str
    reply_to: str
    phone: str
    place: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What leaves, and what is kept of it."""

    message_id: str
    sender: str
    recipient: str
    language: str
    subject: str
    text: str
    payload: bytes


def message_id(key: str, sender: str) -> str:
    """The same for every try, so that a mail program can drop a second arrival."""
    return f"<notice-{key}@{sender.rpartition('@')[2]}>"


def values_of(sender: Sender, code: str, name: str, appointments: Sequence[Appointment], stop: str) -> dict[str, str]:
    """What fills the gaps of a text."""
    spoken = language(code)
    walls = [local(appointment.starts_at, sender.zone) for appointment in appointments]
    preparations = dict.fromkeys(a.preparation.strip() for a in appointments if a.preparation.strip().lower() not in _NOTHING)
    lines = [f"{spoken.date(wall)}, {spoken.time(wall)}: {a.exam}" for wall, a in zip(walls, appointments, strict=True)]
    return {
        "patient": name, "appointments": "\n".join(lines), "preparation": "\n".join(preparations), "place": sender.place,
        "phone": sender.phone, "site": sender.site, "stop": stop, "date": spoken.date(walls[0]), "time": spoken.time(walls[0]),
    }  # fmt: skip


def write(
    key: str, kind: NoticeKind, written: Written, code: str, sender: Sender, recipient: str, name: str,
    appointments: Sequence[Appointment], *, stop: str, now: datetime,
) -> Letter:  # fmt: skip
    """`key` makes the Message-ID; `stop` is the address at which the reader ends it, empty where we have none outside."""
    values = values_of(sender, code, name, appointments, stop)
    subject, text = texts.subject_of(written.subject, values), texts.filled(written.body, values)
    letter = EmailMessage(_POLICY)
    head(letter, message_id(key, sender.address), sender, recipient, subject, stop, now)
    letter.set_content(text, charset="utf-8")
    for name_of_file, entry in _entries(code, sender, recipient, appointments):
        cancels = kind is NoticeKind.cancellation
        letter.add_attachment(
            calendar(entry, now=now, cancels=cancels), subtype="calendar", charset="utf-8", filename=name_of_file,
            params={"method": "CANCEL" if cancels else "REQUEST"},
        )  # fmt: skip
    letter["Content-Language"] = code
    return Letter(str(letter["Message-ID"]), sender.address, recipient, code, subject, text, letter.as_bytes())


def head(
    letter: EmailMessage, identifier: str, sender: Sender, recipient: str, subject: str, stop: str, now: datetime
) -> None:  # fmt: skip
    """What stands in the head of every e-mail; `stop` is empty where its reader cannot end them."""
    letter["Message-ID"] = identifier
    letter["Date"] = format_datetime(now)
    letter["From"] = Address(sender.name, addr_spec=sender.address)
    if sender.reply_to:
        letter["Reply-To"] = sender.reply_to
    letter["To"] = recipient
    letter["Subject"] = subject
    # RFC 3834: absence notes and the like do not answer it.
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Auto-Response-Suppress"] = "All"
    if stop:
        letter["List-Unsubscribe"] = f"<{stop}>"
        letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


def _entries(code: str, sender: Sender, recipient: str, appointments: Sequence[Appointment]) -> list[tuple[str, Entry]]:
    """File name and content of each; RFC 5546 3.2.2 wants one UID in a file."""
    summary = texts.subject_of(language(code).entry, {"site": sender.site})
    return [
        (
            "appointment.ics" if len(appointments) == 1 else f"appointment-{number}.ics",
            Entry(
                a.step_id, a.version - 1, a.starts_at, a.ends_at, sender.zone, summary, sender.place, sender.reply_to or sender.address,
                sender.name or sender.site, recipient,
            ),
        )
        for number, a in enumerate(appointments, start=1)
    ]  # fmt: skip
