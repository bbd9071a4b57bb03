"""Spans of time as minutes since 1970 in UTC, half open and in order: what is left of some without others."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from operator import itemgetter
from zoneinfo import ZoneInfo

Minutes = tuple[int, int]
"""From one minute up to, not including, another."""

GRID = 5
"""Appointments are offered on this grid of minutes."""


def minute(moment: datetime) -> int:
    return int(moment.timestamp()) // 60


def moment(of: int) -> datetime:
    return datetime.fromtimestamp(of * 60, UTC)


def wall(day: date, at: time, zone: str) -> int:
    """The minute of a wall-clock time; one that the spring change leaves out is read by the clock of before it."""
    return minute(datetime.combine(day, at, ZoneInfo(zone)))


def on_grid(of: int) -> int:
    """The first minute of the grid that is not before it."""
    return of + -of % GRID


def merged(spans: Iterable[Minutes]) -> list[Minutes]:
    """The same time in spans that neither overlap nor touch."""
    left: list[Minutes] = []
    for start, end in sorted(spans):
        if left and start <= left[-1][1]:
            left[-1] = (left[-1][0], max(left[-1][1], end))
        else:
            left.append((start, end))
    return left


def without(spans: Sequence[Minutes], holes: Sequence[Minutes]) -> list[Minutes]:
    """What is left of spans that do not overlap. Both are in the order of their starts; holes may overlap."""
    left: list[Minutes] = []
    first = 0
    for start, end in spans:
        while first < len(holes) and holes[first][1] <= start:
            first += 1
        at = start
        for position in range(first, len(holes)):
            hole_start, hole_end = holes[position]
            if hole_start >= end:
                break
            if hole_start > at:
                left.append((at, hole_start))
            at = max(at, hole_end)
        if at < end:
            left.append((at, end))
    return left


def common(some: Sequence[Minutes], others: Sequence[Minutes]) -> list[Minutes]:
    """What both have; each is in order and does not overlap itself."""
    both: list[Minutes] = []
    position = 0
    for start, end in some:
        while position < len(others) and others[position][1] <= start:
            position += 1
        at = position
        while at < len(others) and others[at][0] < end:
            both.append((max(start, others[at][0]), min(end, others[at][1])))
            at += 1
    return both


def overlaps(one: Minutes, other: Minutes) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def around(spans: Sequence[Minutes], wanted: Minutes) -> Minutes | None:
    """The span that has all of another in it; `spans` are in order and do not overlap."""
    position = bisect_right(spans, wanted[0], key=itemgetter(0)) - 1
    return spans[position] if position >= 0 and wanted[1] <= spans[position][1] else None
