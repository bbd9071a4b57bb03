"""What time it is, in UTC, and how the wall clock of a site is shown."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def local(moment: datetime, zone: str) -> datetime:
    """The wall clock of an IANA zone at an aware moment."""
    return moment.astimezone(ZoneInfo(zone))


def which_of_two(moment: datetime, zone: str) -> str:
    """`EDT` or `EST` for a time that the autumn change brings twice; empty for every other."""
    there = local(moment, zone)
    is_twice = there.replace(fold=0).utcoffset() != there.replace(fold=1).utcoffset()
    return f"{there:%Z}" if is_twice else ""


def from_wall_clock(moment: datetime, zone: str, *, second: bool = False) -> datetime:
    """The UTC moment of a naive wall-clock time; raises ValueError for a time that the spring change leaves out.

    A time that the autumn change brings twice is taken as the first of the two, or as the `second`.
    """
    tz = ZoneInfo(zone)
    utc = moment.replace(tzinfo=tz, fold=int(second)).astimezone(UTC)
    if utc.astimezone(tz).replace(tzinfo=None) != moment:
        raise ValueError(f"{moment:%H:%M} does not exist on {moment:%Y-%m-%d}: the clocks go forward")
    return utc
