"""How a site writes to its patients: read by whoever plans or sends, changed on the administration page."""

import re
from dataclasses import asdict, dataclass
from datetime import time
from typing import Any

from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotFound, Stale
from ris.base.ref import Ref
from ris.base.uow import CHANGED_MEANWHILE, Event, UnitOfWork, service
from ris.catalog.model import Site
from ris.notice.letter import Sender
from ris.notice.model import MailPolicy
from ris.patient.email import is_address

MOST_HOURS, MOST_REMINDERS, MOST_DELAY = 24 * 30, 4, 240
_CODE = re.compile(r"[a-z]{2,3}(-[a-z]{2})?")


@dataclass(frozen=True, slots=True)
class PolicyData:
    """A site's policy as the form gives it; the fields are the columns of `MailPolicy`."""

    active: bool
    sender: str
    sender_name: str
    reply_to: str
    phone: str
    place: str
    language: str
    needs_consent: bool
    delay_minutes: int
    reminder_hours: tuple[int, ...]
    quiet_from: time | None
    quiet_until: time | None


NEW = PolicyData(False, "", "", "", "", "", "en", True, 10, (72, 24), time(20), time(8))
"""What the form of a site without a policy begins with."""


def active_policy(uow: UnitOfWork, site_id: int) -> MailPolicy | None:
    """None where the site writes nothing; read once in a unit of work."""
    known: dict[int, MailPolicy | None] = uow.session.info.setdefault("mail_policies", {})
    if site_id not in known:
        known[site_id] = uow.session.get(MailPolicy, site_id)
    policy = known[site_id]
    return policy if policy is not None and policy.active else None


def sender_of(session: Session, policy: MailPolicy) -> Sender:
    site = session.get_one(Site, policy.site_id)
    return Sender(
        site.name, site.zone, policy.sender, policy.sender_name or site.name, policy.reply_to, policy.phone, policy.place
    )  # fmt: skip


@service
def set_policy(uow: UnitOfWork, site_id: int, data: PolicyData, *, row_version: int | None = None) -> MailPolicy:
    """From the next message on. Raises Invalid naming the value, and Stale when somebody else was faster."""
    if uow.session.get(Site, site_id) is None:
        raise NotFound(f"site {site_id} does not exist")
    values = _checked(data)
    policy = uow.session.get(MailPolicy, site_id, with_for_update=True, populate_existing=True)
    if (policy.row_version if policy else None) != row_version:
        raise Stale(CHANGED_MEANWHILE)
    if policy is None:
        before: dict[str, Any] = {}
        policy = uow.add(MailPolicy(site_id=site_id, **values))
    else:
        uow.touch()
        before = {name: getattr(policy, name) for name, value in values.items() if getattr(policy, name) != value}
        for name in before:
            setattr(policy, name, values[name])
    uow.session.info.pop("mail_policies", None)
    changed = {name: values[name] for name in before} or ({} if before else values)
    facts = {"before": _plain(before), "after": _plain(changed)}
    uow.emit(Event("notice.policy_changed", Ref("mail_policy", site_id), site_id=site_id, facts=facts))
    return policy


def _checked(data: PolicyData) -> dict[str, Any]:
    values = asdict(data) | {"reminder_hours": sorted(set(data.reminder_hours), reverse=True)}
    for name in ("sender", "reply_to"):
        if values[name] and not is_address(values[name]):
            raise Invalid(f"{name.replace('_', ' ')}: an address is written like radiology@example.org")
    missing = [name for name in ("sender", "phone", "place") if not values[name]]
    if data.active and missing:
        raise Invalid(f"{missing[0]}: a site that writes to its patients needs it", error_code="101")
    if any("\n" in values[name] or "\r" in values[name] for name in ("sender_name", "phone", "place")):
        raise Invalid("sender name, telephone and place are of one line each")
    if not _CODE.fullmatch(data.language):
        raise Invalid("language: a code such as en or es")
    if not 0 <= data.delay_minutes <= MOST_DELAY:
        raise Invalid(f"minutes to wait: from 0 to {MOST_DELAY}")
    if len(data.reminder_hours) > MOST_REMINDERS or not all(1 <= hours <= MOST_HOURS for hours in data.reminder_hours):
        raise Invalid(f"reminders: at most {MOST_REMINDERS}, each 1 to {MOST_HOURS} hours before")
    if (data.quiet_from is None) != (data.quiet_until is None):
        raise Invalid("quiet hours: both ends, or neither")
    return values


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: f"{value:%H:%M}" if isinstance(value, time) else value for name, value in values.items()}
