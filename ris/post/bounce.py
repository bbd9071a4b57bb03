"""Reads delivery status notifications: what a mail server says has become of a message that another one took (RFC 3464, RFC 3462)."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage, Message

from ris.notice.bounced import Bounce

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
LONGEST = 200


def read(raw: bytes) -> list[Bounce]:
    """One for each recipient that it speaks of; none for anything but a report with the head of the message that it is about."""
    try:
        report = message_from_bytes(raw, policy=policy.default)
        parts = list(report.walk())
        message_id = next((found for part in parts if (found := _message_id(part))), "")
        rows = [row for part in parts if part.get_content_type() == "message/delivery-status" for row in _recipients(part)]
        return [_bounce(row, message_id) for row in rows if message_id]
    except (MessageError, ValueError, LookupError):
        # What a server cannot write properly is for a person to read.
        return []


def _message_id(part: Message) -> str:
    """Of the message that came back, whole or only its head (RFC 3462, 1 and 2)."""
    if part.get_content_type() == "text/rfc822-headers" and isinstance(part, EmailMessage):
        return str(message_from_bytes(part.get_content().encode(), policy=policy.default).get("Message-ID", "")).strip()
    inside = part.get_payload() if part.get_content_type() == "message/rfc822" else None
    return str(inside[0].get("Message-ID", "")).strip() if isinstance(inside, list) and isinstance(inside[0], Message) else ""


def _recipients(part: Message) -> Iterator[Message]:
    """The groups of fields after the first, which is about the message as a whole (RFC 3464, 2.1)."""
    groups = part.get_payload()
    yield from (group for group in groups[1:] if isinstance(group, Message)) if isinstance(groups, list) else ()


def _bounce(group: Message, message_id: str) -> Bounce:
    said = " ".join(str(group.get("Diagnostic-Code", "")).partition(";")[2].split())
    found = _STATUS.match(str(group.get("Status", "")).strip())
    return Bounce(message_id, str(group.get("Action", "")).strip().lower(), found[0] if found else "", said[:LONGEST])
