"""Changing how long a reading may wait."""

from ris.base.errors import Invalid, NotFound, Stale
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.order.status import PRIORITY_RANK, Priority
from ris.report.model import ReadingLevel

LONGEST = 60 * 24 * 60
"""Minutes: sixty days."""


@service
def change(uow: UnitOfWork, priority: Priority, *, soon_minutes: int, late_minutes: int, row_version: int) -> ReadingLevel:
    """A reading of the priority is due soon after so many minutes, overdue after so many.

    Raises Invalid unless the first comes before the second, Stale when somebody else has changed it in the meantime.
    """
    level = uow.session.get(ReadingLevel, priority, with_for_update=True, populate_existing=True)
    if level is None:
        raise NotFound(f"there is no level for {priority}")
    if level.row_version != row_version:
        raise Stale("somebody else has changed these times in the meantime: compare, and save again")
    if not 0 < soon_minutes < late_minutes <= LONGEST:
        raise Invalid("a reading is due soon before it is overdue: write a smaller number first, from 1 to 86400 minutes")
    if (level.soon_minutes, level.late_minutes) != (soon_minutes, late_minutes):
        uow.touch()
        level.soon_minutes, level.late_minutes = soon_minutes, late_minutes
        facts = {"priority": priority, "soon_minutes": soon_minutes, "late_minutes": late_minutes}
        uow.emit(Event("report.level_changed", Ref("reading_level", PRIORITY_RANK[priority]), facts=facts))
    return level
