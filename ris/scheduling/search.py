"""Where and when exams fit: pure, over frozen facts. What it offers can be booked as long as the facts hold."""

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TypeVar

from ris.scheduling.facts import Asked, Exam, Facts, Placed, Room, Step, Wishes
from ris.scheduling.fits import cannot, change_minutes, eligible, helpers, is_reserved, needs_of
from ris.scheduling.spans import GRID, Minutes, around, common, merged, on_grid, without

MOST_TOGETHER = 4
"""Exams that are combined at most: their order is tried in every way."""
Item = TypeVar("Item")
Free = Mapping[tuple[int, int], Sequence[tuple[Room, Sequence[Minutes]]]]
"""Exam and number of a step to the rooms that can do it, each with when it is free for it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """All steps of all exams looked for, each at its place and time, by time."""

    placed: tuple[Placed, ...]
    leaves_gap: bool
    """Whether it leaves a gap beside it that is too short for anything."""

    @property
    def starts_at(self) -> int:
        return self.placed[0].span[0]

    @property
    def ends_at(self) -> int:
        return max(placed.span[1] for placed in self.placed)


def offers(facts: Facts, asked: Asked, limit: int = 60, a_day: int | None = None) -> list[Offer]:
    """The earliest; those that leave a useless gap come last, or not at all where the site hides them.

    With `a_day` at most so many of a date, by date; those with a useless gap then only on dates that have no other.
    """
    steps = [step for exam in facts.exams for step in exam.steps]
    found = _single(facts, asked, steps[0], limit, a_day) if len(steps) == 1 else _combined(facts, asked, limit, a_day)
    if facts.policy.hides_useless_gaps:
        found = [offer for offer in found if not offer.leaves_gap]
    found.sort(key=lambda o: (o.leaves_gap, o.starts_at, o.ends_at, facts.rooms[o.placed[0].room_id].name))
    if a_day is None:
        return found[:limit]
    by_day: dict[int, list[Offer]] = {}
    for offer in found:
        by_day.setdefault(_day(facts, offer.starts_at), []).append(offer)
    return [offer for day in sorted(by_day) for offer in _spread(_useful(by_day[day]), a_day)][:limit]


def _useful(of_day: Sequence[Offer]) -> Sequence[Offer]:
    return [offer for offer in of_day if not offer.leaves_gap] or of_day


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    """The first, and some from the rest: who asks for the afternoon is to see one."""
    early, rest = list(items[: count // 2]), items[count // 2 :]
    more = min(count - len(early), len(rest))
    return early + [rest[(number + 1) * len(rest) // more - 1] for number in range(more)]


def third_next(found: Sequence[Offer]) -> Offer | None:
    """The third next available appointment: what a department measures its access by; the first two are often chance gaps."""
    starts = sorted(found, key=lambda offer: offer.starts_at)
    return starts[2] if len(starts) > 2 else None


def nearest(found: Sequence[Offer], to: int, limit: int = 9) -> list[Offer]:
    """Those that begin closest to a minute."""
    return sorted(sorted(found, key=lambda o: abs(o.starts_at - to))[:limit], key=lambda o: o.starts_at)


def rooms_that_cannot(facts: Facts, asked: Asked) -> list[str]:
    """Why rooms that are otherwise able are left out, for whoever looks at an empty list."""
    reasons = []
    for exam in facts.exams:
        for step in exam.steps:
            for room_id in step.minutes:
                refusal = cannot(facts, exam, step, facts.rooms[room_id], asked.wishes) if room_id in facts.rooms else None
                if refusal:
                    reasons.append(refusal.text)
    return list(dict.fromkeys(reasons))


def following(facts: Facts, asked: Asked, first: Placed) -> tuple[Placed, ...] | None:
    """All steps of one exam behind its first, which is placed already; None when they fit nowhere."""
    return _Combination(facts, asked, facts.exams, _free(facts, asked)).follow((first,))


def _day(facts: Facts, minute: int) -> int:
    """Which of the dates that are searched a minute is in."""
    return bisect_right(facts.days, minute, key=itemgetter(0))


# ── one step ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _single(facts: Facts, asked: Asked, step: Step, limit: int, a_day: int | None) -> list[Offer]:
    """Day by day, until there are enough that leave no useless gap."""
    exam = facts.exams[step.exam]
    rooms = [(room, free_for(facts, asked.wishes, exam, step, room)) for room in _rooms(facts, asked, exam, step)]
    found: list[Offer] = []
    good = 0
    for day in facts.days:
        starts = common(facts.starts, [day])
        today = [
            (leaves_gap(facts, facts.rooms[p.room_id], p.span), p)
            for r, free in rooms
            for p in _in_room(facts, asked, step, r, free, starts)
        ]
        if a_day is not None:
            # Most of a day is never shown: it is left out before anything is made of it.
            today.sort(key=lambda one: (one[0], one[1].span, one[1].room_id))
            today = _spread([one for one in today if not one[0]] or today, a_day)
        found += [Offer((placed,), has_gap) for has_gap, placed in today]
        good += sum(not has_gap for has_gap, _ in today)
        if good >= limit:
            break
    return found


def _in_room(facts: Facts, asked: Asked, step: Step, room: Room, free: Sequence[Minutes], starts: Sequence[Minutes]) -> Iterator[Placed]:
    length = step.minutes[room.id]
    exam = facts.exams[step.exam]
    needs = bool(needs_of(facts, asked.wishes, exam, step))
    for start in _starts(free, starts, length, one_a_gap=asked.one_a_gap):
        span = (start, start + length)
        resources = helpers(facts, asked.wishes, exam, step, span) if needs else ()
        if resources is not None:
            yield Placed(step.exam, step.number, room.id, span, resources)


def _starts(free: Sequence[Minutes], starts: Sequence[Minutes], length: int, *, one_a_gap: bool) -> Iterator[int]:
    """In each gap one appointment behind the other from its beginning on, and the one that ends with it."""
    for first, last in starts:
        position = max(bisect_right(free, first, key=itemgetter(0)) - 1, 0)
        for start, end in free[position:]:
            if start >= last:
                break
            at, latest = on_grid(max(start, first)), min(end - length, last - 1)
            if at > latest:
                continue
            if one_a_gap:
                yield at
                continue
            yield from range(at, latest + 1, on_grid(length))
            tail = end - length
            if tail <= latest and tail % GRID == 0 and (tail - at) % on_grid(length):
                yield tail


def free_for(facts: Facts, wishes: Wishes, exam: Exam, step: Step, room: Room) -> list[Minutes]:
    """When room, patient and enough of each kind of help are free; the help still has to be shared out."""
    kept = [block.span for block in room.reserved if is_reserved(block, facts.patient, facts.now)]
    away = []
    for other in facts.patient.elsewhere:
        way = change_minutes(facts, room, other.room_id, other.site_id)
        away.append((other.span[0] - way, other.span[1] + way))
    free = without(room.gaps, merged([*kept, *away, (facts.window[0], facts.now)]))
    for need in needs_of(facts, wishes, exam, step):
        free = common(free, merged(span for resource in eligible(facts, wishes, need) for span in resource.free))
    return free


def leaves_gap(facts: Facts, room: Room, span: Minutes) -> bool:
    gap = around(room.gaps, span) or span
    before, after = span[0] - max(gap[0], on_grid(facts.now)), gap[1] - span[1]
    return 0 < before < room.shortest or 0 < after < room.shortest


def _rooms(facts: Facts, asked: Asked, exam: Exam, step: Step) -> list[Room]:
    return [
        room for room in facts.rooms.values()
        if cannot(facts, exam, step, room, asked.wishes) is None
        and asked.room_id in (None, room.id)
        and asked.modality in (None, room.modality)
    ]  # fmt: skip


# ── several steps ────────────────────────────────────────────────────────────────────────────────────────────────────


class _Combination:
    """Follows the steps of exams in one order, each as early as it can be after the one before."""

    def __init__(self, facts: Facts, asked: Asked, order: Sequence[Exam], free: Free) -> None:
        self.facts, self.asked, self.free = facts, asked, free
        self.steps = [step for exam in order for step in exam.steps]

    def on(self, day: Minutes, most: int | None) -> Iterator[Offer]:
        """Those that begin on a date, of at most so many starts."""
        first, starts = self.steps[0], common(self.facts.starts, [day])
        firsts = sorted(
            (
                placed
                for room, free in self.free[first.exam, first.number]
                for placed in _in_room(self.facts, self.asked, first, room, free, starts)
            ),
            key=lambda placed: (placed.span, placed.room_id),
        )
        for placed in firsts if most is None else _spread(firsts, most):
            if whole := self.follow((placed,)):
                yield Offer(whole, any(leaves_gap(self.facts, self.facts.rooms[p.room_id], p.span) for p in whole))

    def follow(self, placed: tuple[Placed, ...]) -> tuple[Placed, ...] | None:
        if len(placed) == len(self.steps):
            return placed
        step, before = self.steps[len(placed)], placed[-1]
        candidates = [
            found for room, free in self.free[step.exam, step.number] if (found := self._earliest(step, room, free, before, placed))
        ]
        for candidate in sorted(candidates, key=lambda c: (c.span[1], c.room_id)):
            if whole := self.follow((*placed, candidate)):
                return whole
        return None

    def _earliest(self, step: Step, room: Room, free: Sequence[Minutes], before: Placed, placed: tuple[Placed, ...]) -> Placed | None:
        way = change_minutes(self.facts, room, before.room_id, self.facts.rooms[before.room_id].site_id)
        least, most = step.gap if step.gap is not None and step.exam == before.exam else (0, self.facts.policy.combine_within_minutes)
        first, last = before.span[1] + max(least, way), before.span[1] + most
        exam, length = self.facts.exams[step.exam], step.minutes[room.id]
        for start, end in free:
            if start > last:
                return None
            for at in range(on_grid(max(start, first)), min(end - length, last) + 1, GRID):
                span = (at, at + length)
                resources = helpers(self.facts, self.asked.wishes, exam, step, span, placed)
                if resources is not None:
                    return Placed(step.exam, step.number, room.id, span, resources)
        return None


def _free(facts: Facts, asked: Asked) -> Free:
    """The room and modality asked for are those of one step; of several, each goes where it can be done."""
    steps = [step for exam in facts.exams for step in exam.steps]
    anywhere = asked if len(steps) == 1 else replace(asked, room_id=None, modality=None)
    return {
        (step.exam, step.number): [
            (room, free_for(facts, asked.wishes, facts.exams[step.exam], step, room))
            for room in _rooms(facts, anywhere, facts.exams[step.exam], step)
        ]
        for step in steps
    }


def _combined(facts: Facts, asked: Asked, limit: int, a_day: int | None) -> list[Offer]:
    """Day by day, until there are enough: of all orders of the exams the best for each first start, the one that is over earliest."""
    free = _free(facts, asked)
    ways = [_Combination(facts, asked, order, free) for order in itertools.permutations(facts.exams[:MOST_TOGETHER])]
    found: list[Offer] = []
    enough = 0
    for day in facts.days:
        best: dict[int, Offer] = {}
        for offer in (offer for way in ways for offer in way.on(day, a_day and 2 * a_day)):
            known = best.get(offer.starts_at)
            if known is None or (offer.leaves_gap, offer.ends_at) < (known.leaves_gap, known.ends_at):
                best[offer.starts_at] = offer
        found += best.values()
        useful = sum(not offer.leaves_gap for offer in best.values())
        enough += useful if a_day is None else min(useful, a_day)
        if enough >= limit:
            break
    return found
