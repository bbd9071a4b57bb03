"""When a message may leave by the wall clock of its site, and when a reminder is due, also through the nights of the clock change."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def after_quiet(moment: datetime, zone: str, quiet_from: time | None, quiet_until: time | None) -> datetime:
    """The moment itself, or the end of the quiet hours in which it lies. They may go over midnight."""
    if quiet_from is None or quiet_until is None or quiet_from == quiet_until:
        return moment
    wall = moment.astimezone(ZoneInfo(zone))
    now = wall.time()
    over_midnight = quiet_from > quiet_until
    is_quiet = (now >= quiet_from or now < quiet_until) if over_midnight else quiet_from <= now < quiet_until
    if not is_quiet:
        return moment
    day = wall.date() + timedelta(days=1 if over_midnight and now >= quiet_from else 0)
    return max(moment, at_wall_clock(datetime.combine(day, quiet_until), zone))


def reminder_at(starts_at: datetime, zone: str, hours: int) -> datetime:
    """So many hours before by the wall clock: a day before 10:00 is 10:00, also when the clocks change in between."""
    wall = starts_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return at_wall_clock(wall - timedelta(hours=hours), zone)


def at_wall_clock(wall: datetime, zone: str) -> datetime:
    """The moment of a naive wall-clock time. Of two the first; one that the spring change leaves out is taken an hour later."""
    return wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
