"""Where and when exams fit: pure, over frozen facts. What it offers can be booked as long as the facts hold."""

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from ris.scheduling.facts import Asked, Exam, Facts, Placed, Room, Step, Wishes
from ris.scheduling.fits import cannot, change_minutes, eligible, helpers, is_reserved, needs_of
from ris.scheduling.spans import GRID, Minutes, around, common, merged, on_grid, without

MOST_TOGETHER = 4
"""Exams that are combined at most: their order is tried in every way."""
TRIES = 2_000
"""Starts of a combination that are followed at most."""


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
    found = (
        _single(facts, asked, steps[0], limit, a_day) if len(steps) == 1 else _combined(facts, asked, limit if a_day is None else limit * 3)
    )
    if facts.policy.hides_useless_gaps:
        found = [offer for offer in found if not offer.leaves_gap]
    found.sort(key=lambda o: (o.leaves_gap, o.starts_at, o.ends_at, facts.rooms[o.placed[0].room_id].name))
    if a_day is None:
        return found[:limit]
    by_day: dict[int, list[Offer]] = {}
    for offer in found:
        by_day.setdefault(_day(facts, offer.starts_at), []).append(offer)
    return [offer for day in sorted(by_day) for offer in _spread(by_day[day], a_day)][:limit]


def _spread(of_day: Sequence[Offer], count: int) -> list[Offer]:
    """The earliest, and some from the rest of the day: who asks for the afternoon is to see one."""
    useful = [offer for offer in of_day if not offer.leaves_gap] or list(of_day)
    early, rest = useful[: count // 2], useful[count // 2 :]
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
    return _Combination(facts, asked, facts.exams).follow((first,))


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
        today = [offer for room, free in rooms for offer in _in_room(facts, asked, step, room, free, starts)]
        found += today
        useful = sum(not offer.leaves_gap for offer in today)
        good += useful if a_day is None else min(useful, a_day)
        if good >= limit:
            break
    return found


def _in_room(facts: Facts, asked: Asked, step: Step, room: Room, free: Sequence[Minutes], starts: Sequence[Minutes]) -> Iterator[Offer]:
    length = step.minutes[room.id]
    exam = facts.exams[step.exam]
    needs = bool(needs_of(facts, asked.wishes, exam, step))
    for start in _starts(free, starts, length, one_a_gap=asked.one_a_gap):
        span = (start, start + length)
        resources = helpers(facts, asked.wishes, exam, step, span) if needs else ()
        if resources is not None:
            yield Offer((Placed(step.exam, step.number, room.id, span, resources),), leaves_gap(facts, room, span))


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

    def __init__(self, facts: Facts, asked: Asked, order: Sequence[Exam]) -> None:
        self.facts, self.asked = facts, asked
        self.steps = [step for exam in order for step in exam.steps]
        self.free = {
            (step.exam, step.number): [
                (room, free_for(facts, asked.wishes, facts.exams[step.exam], step, room))
                for room in _rooms(facts, self._narrowed(step), facts.exams[step.exam], step)
            ]
            for step in self.steps
        }

    def _narrowed(self, step: Step) -> Asked:
        """The room and modality asked for are those of one exam; of several, each goes where it can be done."""
        is_alone = len(self.steps) == 1
        return self.asked if is_alone else Asked(self.asked.first, self.asked.last, wishes=self.asked.wishes)

    def all(self, limit: int) -> Iterator[Offer]:
        first = self.steps[0]
        firsts = sorted(
            (
                (offer.starts_at, offer.placed[0])
                for room, free in self.free[first.exam, first.number]
                for offer in _in_room(self.facts, self.asked, first, room, free, self.facts.starts)
            ),
            key=lambda found: (found[0], found[1].room_id),
        )
        count = 0
        for _, placed in firsts[:TRIES]:
            whole = self.follow((placed,))
            if whole is None:
                continue
            yield Offer(whole, any(leaves_gap(self.facts, self.facts.rooms[p.room_id], p.span) for p in whole))
            count += 1
            if count == limit:
                return

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


def _combined(facts: Facts, asked: Asked, limit: int) -> list[Offer]:
    """Of all orders of the exams the best for each first start: the one that is over earliest."""
    best: dict[int, Offer] = {}
    for order in itertools.permutations(facts.exams[:MOST_TOGETHER]):
        for offer in _Combination(facts, asked, order).all(limit):
            known = best.get(offer.starts_at)
            if known is None or (offer.leaves_gap, offer.ends_at) < (known.leaves_gap, known.ends_at):
                best[offer.starts_at] = offer
    return list(best.values())
