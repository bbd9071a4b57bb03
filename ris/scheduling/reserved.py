"""Times that a room keeps for some patients, on the dates on which they are."""

from collections import defaultdict
from collections.abc import Iterable

from ris.catalog.model import ReservedBlock
from ris.scheduling.facts import Reserved
from ris.scheduling.hours import Hours


def of_rooms(blocks: Iterable[ReservedBlock], hours: Hours) -> dict[int, tuple[Reserved, ...]]:
    """Room to its reserved times on the dates of `hours`, in order."""
    spans: dict[int, list[Reserved]] = defaultdict(list)
    for block in blocks:
        for on in hours.dates:
            if on.weekday() == block.weekday:
                span = hours.span(on, block.begins, block.ends)
                release = span[0] - block.release_minutes if block.release_minutes is not None else None
                spans[block.room_id].append(Reserved(span, block.reserved_for, release))
    return {room_id: tuple(sorted(found, key=lambda each: each.span)) for room_id, found in spans.items()}
