"""Whether everything outbound is held: a restored system tells nobody anything until a person releases it."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from ris.base.orm import Base
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.partner.model import Destination


class OutboundHold(Base):
    """While its one row is there, no message is sent and no export file is written."""

    __tablename__ = "outbound_hold"
    __table_args__ = (sa.CheckConstraint("id = 1", "only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    why: Mapped[str]
    since: Mapped[datetime]


def why_held(session: Session) -> str:
    """The reason why everything outbound is held; empty when it is not."""
    return session.scalar(sa.select(OutboundHold.why)) or ""


@service
def hold_all(uow: UnitOfWork, why: str) -> None:
    """Holds every destination and every export, with a reason that people read."""
    hold = uow.session.get(OutboundHold, 1) or uow.add(OutboundHold(id=1, why=why, since=uow.now))
    uow.touch()
    hold.why, hold.since = why, uow.now
    for destination in uow.session.scalars(sa.select(Destination).where(~Destination.held)):
        destination.held, destination.held_why = True, why
    uow.emit(Event("outbound.held", Ref("system", 0), facts={"why": why}))


@service
def release_all(uow: UnitOfWork) -> int:
    """Lets everything go that the hold had stopped, and leaves what a person holds for another reason. Returns how many destinations."""
    hold = uow.session.get(OutboundHold, 1)
    if hold is None:
        return 0
    uow.touch()
    held = uow.session.scalars(sa.select(Destination).where(Destination.held, Destination.held_why == hold.why)).all()
    for destination in held:
        destination.held, destination.held_why = False, ""
    uow.session.delete(hold)
    uow.emit(Event("outbound.released", Ref("system", 0), facts={"destinations": [d.id for d in held]}))
    return len(held)
