"""Messages that come back later as mail: which one it is, and that its address takes none any more until somebody says that it does."""

import re
from dataclasses import dataclass

from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.notice.consent import failure
from ris.notice.model import MailFailure, Notice
from ris.notice.service import come_back
from ris.notice.status import NoticeState

_KEY = re.compile(r"<notice-(\d{1,19})-(\d{1,6})@[^>]+>")
_OF_THE_ADDRESS = re.compile(r"5\.(0\.0|1\.(0|1|2|3|6|10)|2\.[01]|4\.4)")
"""RFC 3463 and its registry: no such mailbox, no such domain, moved away, switched off. A full mailbox and a filter are no faults of it."""


@dataclass(frozen=True, slots=True)
class Bounce:
    """What is said about one recipient of a message of ours."""

    message_id: str
    action: str
    """RFC 3464, 2.3.3: failed, delayed, delivered, relayed or expanded."""
    status: str
    """RFC 3463; empty where it is none."""
    said: str
    """Diagnostic-Code without its type."""

    @property
    def reason(self) -> str:
        said = self.said if self.status in self.said else f"{self.status} {self.said}".strip()
        return said or "the mail server gives no reason"

    @property
    def is_of_the_address(self) -> bool:
        return _OF_THE_ADDRESS.fullmatch(self.status) is not None


@service
def take(uow: UnitOfWork, bounce: Bounce) -> str:
    """Notes that a message came back, and where the address is at fault, that it is. Returns in words what was done; again is nothing.

    The Message-ID decides which message it is, and the message to whom it went: whatever else the report names is not believed.
    """
    key = _KEY.fullmatch(bounce.message_id)
    notice = uow.session.get(Notice, int(key[1])) if key else None
    if key is None or notice is None:
        return "not about a message of ours"
    if bounce.action != "failed":
        return f"message {notice.id}: {bounce.action or 'nothing'} is no failure"
    if notice.state is not NoticeState.sent or notice.series != int(key[2]):
        return f"message {notice.id}: known already, or sent again since"
    come_back(uow, notice.id, bounce.reason)
    if bounce.is_of_the_address and failure(uow.session, notice.address) is None:
        uow.add(MailFailure(address=notice.address.lower(), notice_id=notice.id, said=bounce.reason, failed_at=uow.now))
        uow.emit(Event("notice.address_failed", Ref("notice", notice.id), site_id=notice.site_id, facts={"status": bounce.status}))
        return f"message {notice.id}: came back, and its address takes no mail"
    return f"message {notice.id}: came back"
