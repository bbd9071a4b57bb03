"""Who is on call: for which duty, at which site, from when to when."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.catalog.model import Site
from ris.critical.model import OnCallList, OnCallShift
from ris.staff import queries as staff
from ris.staff.model import User
from ris.staff.permission import Permission

LONGEST_REACH = 100


@dataclass(frozen=True, slots=True)
class ShiftRow:
    """Times are UTC, `zone` is the site's."""

    id: int
    duty: str
    site_id: int
    site_name: str
    zone: str
    person: str
    has_email: bool
    reach: str
    starts_at: datetime
    ends_at: datetime


@service
def add_shift(
    uow: UnitOfWork, *, list_id: int, site_id: int, user_id: int, starts_at: datetime, ends_at: datetime, reach: str = ""
) -> OnCallShift:  # fmt: skip
    """Somebody has a duty for a time; several may have it at once.

    Raises Invalid for a duty or a person that is not offered, and for a time that is over or ends before it begins.
    """
    duty = uow.session.get(OnCallList, list_id)
    if duty is None or not duty.active:
        raise Invalid("choose a duty that is in use", error_code="101")
    if user_id not in {user.id for user in offered(uow.session, site_id)}:
        raise Invalid("choose somebody who may tell critical results at this site", error_code="101")
    if not starts_at < ends_at:
        raise Invalid("the duty ends before it begins")
    if ends_at <= uow.now:
        raise Invalid("the duty is over already")
    if len(reach) > LONGEST_REACH:
        raise Invalid(f"the number has at most {LONGEST_REACH} characters", error_code="104")
    shift = uow.add(
        OnCallShift(
            id=new_id(), on_call_list_id=list_id, site_id=site_id, user_id=user_id, starts_at=starts_at, ends_at=ends_at,
            reach=reach.strip(),
        )
    )  # fmt: skip
    uow.session.flush()
    uow.emit(_event("critical.shift_added", shift))
    return shift


@service
def remove_shift(uow: UnitOfWork, shift_id: int) -> None:
    shift = uow.session.get(OnCallShift, shift_id)
    if shift is None:
        raise NotFound("this duty is not there any more")
    uow.emit(_event("critical.shift_removed", shift))
    uow.session.delete(shift)
    uow.session.flush()


def offered(session: Session, site_id: int) -> list[User]:
    """Who may be on call at a site, by name."""
    return staff.who_may(session, Permission.CRITICAL_TELL, site_id)


def on_call(session: Session, list_id: int, site_id: int, at: datetime) -> list[User]:
    """Who has a duty at that moment; nobody who may not log in any more."""
    has_it = sa.select(OnCallShift.user_id).where(
        OnCallShift.on_call_list_id == list_id, OnCallShift.site_id == site_id, OnCallShift.starts_at <= at, OnCallShift.ends_at > at
    )
    return list(session.scalars(sa.select(User).where(User.active, User.id.in_(has_it)).order_by(User.family, User.given, User.id)))


def shifts(session: Session, site_ids: Collection[int], now: datetime) -> list[ShiftRow]:
    """Those that are not over, the first to begin first."""
    rows = session.execute(
        sa.select(
            OnCallShift.id, OnCallList.name, Site.id, Site.name, Site.zone, User.given + " " + User.family, User.email != "",
            OnCallShift.reach, OnCallShift.starts_at, OnCallShift.ends_at,
        )
        .join(OnCallList, OnCallList.id == OnCallShift.on_call_list_id)
        .join(Site, Site.id == OnCallShift.site_id)
        .join(User, User.id == OnCallShift.user_id)
        .where(OnCallShift.site_id.in_(site_ids), OnCallShift.ends_at > now)
        .order_by(OnCallShift.starts_at, OnCallList.name, OnCallShift.id)
        .limit(500)
    )  # fmt: skip
    return [ShiftRow(*tuple(row)) for row in rows]


def shift(session: Session, shift_id: int) -> OnCallShift | None:
    return session.get(OnCallShift, shift_id)


def lists(session: Session) -> list[OnCallList]:
    """The duties in use, by name."""
    return list(session.scalars(sa.select(OnCallList).where(OnCallList.active).order_by(OnCallList.name)))


def _event(name: str, shift: OnCallShift) -> Event:
    span = {"starts_at": shift.starts_at.isoformat(), "ends_at": shift.ends_at.isoformat()}
    facts = {"list_id": shift.on_call_list_id, "user_id": shift.user_id, **span}
    return Event(name, Ref("shift", shift.id), site_id=shift.site_id, facts=facts)
