"""Whether a step of an exam fits into a room at a time, and every reason why not: pure, over frozen facts."""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ris.base.clock import local
from ris.catalog.model import ReservedFor, ResourceKind
from ris.scheduling.facts import Exam, Facts, Patient, Placed, Reserved, Resource, Room, Step, Wishes
from ris.scheduling.spans import Minutes, around, moment, overlaps

ANAESTHESIA = "anaesthesia"
"""The capability of who puts a patient to sleep."""


class Why(enum.StrEnum):
    capability = "capability"
    limit = "limit"
    closed = "closed"
    reserved = "reserved"
    taken = "taken"
    patient = "patient"
    way = "way"
    help = "help"
    gap = "gap"


OVERBOOKABLE = frozenset((Why.reserved, Why.taken, Why.way))
"""What a right and a reason to overbook set aside. What a table carries only a rule of the house does; nobody is in two places."""


@dataclass(frozen=True, slots=True)
class Refusal:
    why: Why
    text: str


def cannot(facts: Facts, exam: Exam, step: Step, room: Room, wishes: Wishes) -> Refusal | None:
    """Why an exam can never be done in a room, whenever it is."""
    what = step.name or "exam"
    if room.id not in step.minutes:
        return Refusal(Why.capability, f"this {what} cannot be done in this room")
    if exam.contrast and not room.gives_contrast:
        return Refusal(Why.capability, f"{room.name} gives no contrast medium")
    if wishes.with_anaesthesia and not room.has_anaesthesia:
        return Refusal(Why.capability, f"{room.name} has no anaesthesia")
    weight, limit = facts.patient.weight_kg, room.weight_limit_kg
    if weight is not None and limit is not None and weight > limit:
        return Refusal(Why.limit, f"{room.name} carries {limit} kg: the patient is too heavy for it")
    return None


def refusals(facts: Facts, wishes: Wishes, placed: Placed, others: Sequence[Placed] = ()) -> Iterator[Refusal]:
    """Every reason against a place; `others` are the steps that are booked with it."""
    room = facts.rooms[placed.room_id]
    exam = facts.exams[placed.exam]
    step = exam.steps[placed.number - 1]
    if refusal := cannot(facts, exam, step, room, wishes):
        yield refusal
        if refusal.why is not Why.limit:
            return
    rest = [other for other in others if other is not placed]
    yield from _room(facts, room, placed.span)
    yield from _patient(facts, room, placed, rest)
    yield from gap(facts, placed, rest)
    needs = needs_of(facts, wishes, exam, step)
    if len(placed.resources) < len(needs):
        yield Refusal(Why.help, f"nobody and nothing is free then for {', '.join(needs)}")


def is_reserved(block: Reserved, patient: Patient, now: int) -> bool:
    """Whether a block keeps this patient out."""
    if block.released_at is not None and now >= block.released_at:
        return False
    if block.reserved_for is ReservedFor.emergency:
        return not (patient.is_stat or patient.patient_class == "E")
    return patient.patient_class != "I"


def said_of_reserved(room_name: str, block: Reserved, zone: str) -> str:
    first, last = (f"{local(moment(at), zone):%H:%M}" for at in block.span)
    return f"{room_name} is kept for {block.reserved_for} patients from {first} to {last}"


def change_minutes(facts: Facts, room: Room, room_id: int | None, site_id: int | None) -> int:
    """What the patient needs from another room to this one."""
    if room_id == room.id:
        return 0
    return facts.policy.room_change_minutes if site_id == room.site_id else facts.policy.site_change_minutes


def needs_of(facts: Facts, wishes: Wishes, exam: Exam, step: Step) -> tuple[str, ...]:
    """Capabilities for whose holders the step has to wait."""
    needs = step.needs
    if wishes.with_anaesthesia and ANAESTHESIA not in needs and _somebody(facts, ANAESTHESIA):
        needs = (*needs, ANAESTHESIA)
    if wishes.staff_sex and not any(_somebody(facts, need) for need in needs):
        needs = (*needs, exam.modality)
    return needs


def eligible(facts: Facts, wishes: Wishes, need: str) -> list[Resource]:
    return [
        resource for resource in facts.resources
        if need in resource.capabilities
        and (resource.kind is ResourceKind.equipment or wishes.staff_sex in ("", resource.sex))
    ]  # fmt: skip


def helpers(
    facts: Facts, wishes: Wishes, exam: Exam, step: Step, span: Minutes, others: Sequence[Placed] = ()
) -> tuple[Resource, ...] | None:
    """One free resource for each need; None when there are not enough."""
    busy = {resource.id for other in others if overlaps(other.span, span) for resource in other.resources}
    choices = [
        [r for r in eligible(facts, wishes, need) if r.id not in busy and around(r.free, span)]
        for need in needs_of(facts, wishes, exam, step)
    ]  # fmt: skip
    return _one_of_each(choices)


def _one_of_each(choices: Sequence[Sequence[Resource]]) -> tuple[Resource, ...] | None:
    if not choices:
        return ()
    for first in choices[0]:
        rest = _one_of_each([[r for r in others if r.id != first.id] for others in choices[1:]])
        if rest is not None:
            return (first, *rest)
    return None


def _somebody(facts: Facts, need: str) -> bool:
    return any(r.kind is ResourceKind.person and need in r.capabilities for r in facts.resources)


def _room(facts: Facts, room: Room, span: Minutes) -> Iterator[Refusal]:
    if not around(room.open, span):
        closed = next((closed for closed in room.closed if overlaps(closed.span, span)), None)
        yield Refusal(Why.closed, f"{room.name} is closed then: {closed.reason}" if closed else f"{room.name} is not open then")
    for block in room.reserved:
        if overlaps(block.span, span) and is_reserved(block, facts.patient, facts.now):
            release = f", released {_day_clock(facts, block.released_at)}" if block.released_at is not None else ""
            yield Refusal(Why.reserved, f"{said_of_reserved(room.name, block, facts.zone)}{release}")
    if any(overlaps(taken, span) for taken in room.taken):
        yield Refusal(Why.taken, "the room is taken")


def _patient(facts: Facts, room: Room, placed: Placed, others: Sequence[Placed]) -> Iterator[Refusal]:
    known = [(e.span, e.room_id, e.site_id) for e in facts.patient.elsewhere]
    known += [(other.span, other.room_id, facts.site_id) for other in others]
    for span, room_id, site_id in known:
        need = change_minutes(facts, room, room_id, site_id)
        if overlaps(span, placed.span):
            yield Refusal(Why.patient, "the patient has another appointment")
        elif overlaps((span[0] - need, span[1] + need), placed.span):
            yield Refusal(Why.way, f"the patient needs {need} minutes from one room to the other")


def gap(facts: Facts, placed: Placed, others: Sequence[Placed]) -> Iterator[Refusal]:
    """Whether a step is too near to, or too far from, the step before it."""
    step = facts.exams[placed.exam].steps[placed.number - 1]
    before = next((other for other in others if other.exam == placed.exam and other.number == placed.number - 1), None)
    if step.gap is None or before is None:
        return
    least, most = step.gap
    if not least <= placed.span[0] - before.span[1] <= most:
        yield Refusal(Why.gap, f"{step.name} begins {least} to {most} minutes after what comes before it has ended")


def _day_clock(facts: Facts, minute: int) -> str:
    return f"{local(moment(minute), facts.zone):%a %d %b %H:%M}"
