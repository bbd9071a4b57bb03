"""Why nothing may be done with an order: who put it on hold, since when, for what reason, and who ends that."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ris.base.clock import local
from ris.base.machine import Requirement
from ris.order.status import NOT_HELD


class Holdable(Protocol):
    """An order, or a row of a list that says as much of one."""

    @property
    def held_at(self) -> datetime | None: ...
    @property
    def held_reason(self) -> str: ...
    @property
    def held_by(self) -> str: ...
    @property
    def held_by_placer(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Held:
    text: str
    """A sentence without its full stop, times by the wall clock of the site."""
    mend: str

    @property
    def requirement(self) -> Requirement:
        """`NOT_HELD` in the words of this hold."""
        return Requirement(NOT_HELD.name, self.text, self.mend)


def held(order: Holdable, zone: str) -> Held | None:
    """None for an order that is not on hold."""
    if order.held_at is None:
        return None
    when = f"{local(order.held_at, zone):%d %b %Y %H:%M}"
    because = f": {order.held_reason}" if order.held_reason else ", without a reason"
    if order.held_by_placer:
        text = f"the placer ({order.held_by}) has put the order on hold on {when}{because}"
        return Held(text, f"ask {order.held_by} to release it, or release it on the order's page")
    by_whom = f"{order.held_by} has put the order on hold on" if order.held_by else "the order is on hold since"
    return Held(f"{by_whom} {when}{because}", "release it on the order's page")
