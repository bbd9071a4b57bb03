"""How places are judged and taken for exams: the rules of the search, then the constraint of the database."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.base.errors import Forbidden, Invalid, Occupied, RisError
from ris.base.uow import UnitOfWork
from ris.catalog.model import Room, Site, StepPlan
from ris.order.model import RequestedProcedure
from ris.scheduling import fits, gather, search
from ris.scheduling.facts import Asked, Facts, Placed, Wishes
from ris.scheduling.fits import OVERBOOKABLE, Refusal, Why
from ris.scheduling.gather import NOTHING, Own
from ris.scheduling.model import ScheduledProcedureStep, SlotHold
from ris.scheduling.places import Owner, Place, Taking, take, take_turn
from ris.scheduling.rules.check import decides
from ris.scheduling.spans import minute, moment
from ris.staff.permission import Permission
from ris.staff.queries import rights_of

LONGEST = 24 * 60
BY_THE_CONSTRAINT = frozenset((Why.taken, Why.patient))
"""What the database decides, and names who has it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Places with what they take, in the order of the places; nothing stands against them but what the database knows better."""

    facts: Facts
    placed: tuple[Placed, ...]
    set_aside: bool
    """Whether something stood against them that a right and a reason outweigh."""

    def takings(self, placed: Placed, patient_id: int) -> list[Taking]:
        starts_at, ends_at = moment(placed.span[0]), moment(placed.span[1])
        keys = [f"room:{placed.room_id}", *(resource.key for resource in placed.resources)]
        return [*(Taking(key, starts_at, ends_at) for key in keys), Taking(f"patient:{patient_id}", starts_at, ends_at, patient_id)]


def site_of(uow: UnitOfWork, procedures: Iterable[RequestedProcedure], places: Iterable[Place]) -> int:
    """The one site of places for exams, which may be another than the exams are at.

    Raises Invalid for rooms of several sites, Forbidden for who may not book at the site that they would go to.
    """
    sites = set(uow.session.scalars(sa.select(Room.site_id).where(Room.id.in_({place.room_id for place in places}))))
    if len(sites) != 1:
        raise Invalid("everything that is booked at once is at one site: this is not")
    site_id = sites.pop()
    goes_there = any(procedure.site_id != site_id for procedure in procedures)
    if goes_there and uow.actor.kind == "user" and not rights_of(uow.session, uow.actor.id).may(Permission.SCHEDULE_BOOK, site_id):
        raise Forbidden(f"you have no right to book at {uow.session.get_one(Site, site_id).name}")
    return site_id


def judge(
    uow: UnitOfWork,
    site_id: int,
    procedures: Mapping[int, RequestedProcedure],
    places: Sequence[Place],
    wishes: Wishes,
    own: Own = NOTHING,
    *,
    overbooks: bool = False,
    beside: Sequence[ScheduledProcedureStep] = (),
) -> Judged:
    """Waits for its turn at everything that the places could need, and judges them by the facts of then.

    `beside` are appointments of the exams that stay where they are. Raises Invalid, Occupied for what somebody could set aside.
    """
    asked = _days_of(uow, site_id, places, wishes)
    take_turn(uow, own.step_ids, _all_that_may_be_needed(uow, site_id, procedures, places, wishes))
    facts = gather.for_exams(uow.session, list(procedures), asked, uow.now, own, site_id=site_id)
    position = {exam.procedure_id: number for number, exam in enumerate(facts.exams)}
    placed = [_placed(uow, facts, position[place.procedure_id], place) for place in places]
    placed = _helped(facts, wishes, placed)
    staying = [_stays(position[step.procedure_id], step) for step in beside]
    against = [refusal for each in placed for refusal in fits.refusals(facts, wishes, each, [*placed, *staying])]
    against += [refusal for each in staying for refusal in fits.gap(facts, each, placed)]
    against = without_what_rules_decide(uow.session, facts.site_id, against)
    against = [refusal for refusal in against if refusal.why not in BY_THE_CONSTRAINT]
    for refusal in against:
        if not (overbooks and refusal.why in OVERBOOKABLE):
            raise _error(refusal)
    return Judged(facts, tuple(placed), bool(against))


def without_what_rules_decide(session: Session, site_id: int, against: Sequence[Refusal]) -> list[Refusal]:
    """What a table carries is left to the rule of the house about it, where there is one: it wants a right and a reason."""
    if any(refusal.why is Why.limit for refusal in against) and decides(session, site_id, "weight"):
        return [refusal for refusal in against if refusal.why is not Why.limit]
    return list(against)


def check_right(uow: UnitOfWork, site_id: int, overbook_reason: str) -> None:
    """Raises Forbidden for a reason to overbook of somebody who has no right to."""
    if overbook_reason and not (
        uow.actor.kind == "user" and rights_of(uow.session, uow.actor.id).may(Permission.SCHEDULE_OVERBOOK, site_id)
    ):
        raise Forbidden("you have no right to overbook")


def occupy(
    uow: UnitOfWork, step: ScheduledProcedureStep, judged: Judged, placed: Placed, procedure: RequestedProcedure, overbook_reason: str = ""
) -> None:
    """Takes what an appointment needs. Raises Occupied, naming who has it, unless there is a reason to share."""
    lanes = 1 + judged.facts.policy.overbooked_at_once if overbook_reason else 1
    lane = take(uow, Owner(step_id=step.id), judged.takings(placed, procedure.order.patient_id), lanes=lanes)
    step.overbook_reason = overbook_reason if lane or judged.set_aside else ""


def occupy_again(uow: UnitOfWork, steps: Sequence[ScheduledProcedureStep], procedure: RequestedProcedure) -> None:
    """Takes what appointments had before they were given up. Raises as `judge` and `occupy`."""
    places = [Place(procedure.id, s.room_id, s.starts_at, s.number, (s.ends_at - s.starts_at) // timedelta(minutes=1)) for s in steps]
    reason = steps[0].overbook_reason
    judged = judge(uow, steps[0].site_id, {procedure.id: procedure}, places, wishes_of(steps[0]), overbooks=bool(reason))
    for step, placed in zip(steps, judged.placed, strict=True):
        occupy(uow, step, judged, placed, procedure, reason)


def whole_plan(uow: UnitOfWork, site_id: int, procedure: RequestedProcedure, place: Place, wishes: Wishes) -> list[Place]:
    """The place of the first step of an exam, and behind it those of its other steps, each as early as it can be.

    Raises Occupied when the others find no place.
    """
    if not uow.session.scalar(sa.select(sa.exists().where(StepPlan.procedure_id == procedure.procedure_id, StepPlan.active))):
        return [place]
    day = local(place.starts_at, gather.zone_of(uow.session, site_id)).date()
    asked = Asked(day, day + timedelta(days=1), wishes=wishes)
    facts = gather.for_exams(uow.session, [procedure.id], asked, uow.now, site_id=site_id)
    followed = search.following(facts, asked, _placed(uow, facts, 0, place))
    if followed is None:
        later = facts.exams[0].steps[1].name
        raise Occupied(f"nothing is free at the right time after it for the {later}", may_overbook=False)
    return [place, *(Place(procedure.id, p.room_id, moment(p.span[0]), p.number) for p in followed[1:])]


def procedures_of(
    uow: UnitOfWork, places: Iterable[Place], get: Callable[[UnitOfWork, int], RequestedProcedure]
) -> dict[int, RequestedProcedure]:
    """The exams of places, locked in one order for all."""
    return {key: get(uow, key) for key in sorted({place.procedure_id for place in places})}


def wishes_of(step: ScheduledProcedureStep | SlotHold) -> Wishes:
    return Wishes(step.staff_sex, step.with_anaesthesia)


def _days_of(uow: UnitOfWork, site_id: int, places: Sequence[Place], wishes: Wishes) -> Asked:
    """The dates that the places touch, and a day on both sides for those of the patient's other appointments that are near."""
    zone = gather.zone_of(uow.session, site_id)
    days = sorted(local(place.starts_at, zone).date() for place in places)
    return Asked(days[0] - timedelta(days=1), days[-1] + timedelta(days=1), wishes=wishes)


def _all_that_may_be_needed(
    uow: UnitOfWork, site_id: int, procedures: Mapping[int, RequestedProcedure], places: Sequence[Place], wishes: Wishes
) -> list[str]:
    """The keys of rooms, patients, and of everybody and everything that could help at the site."""
    rooms = {f"room:{place.room_id}" for place in places}
    patients = {f"patient:{procedure.order.patient_id}" for procedure in procedures.values()}
    return sorted(rooms | patients | set(gather.helper_keys(uow.session, site_id, procedures.values(), wishes)))


def _placed(uow: UnitOfWork, facts: Facts, exam: int, place: Place) -> Placed:
    """Raises Invalid for a room that cannot do the step, or is out of use."""
    steps = facts.exams[exam].steps
    if not 1 <= place.step <= len(steps):
        raise Invalid("this exam has no such step")
    if place.minutes is not None and not 1 <= place.minutes <= LONGEST:
        raise Invalid("an appointment takes between one minute and a day")
    step = steps[place.step - 1]
    if place.room_id not in step.minutes:
        raise Invalid(f"this {step.name or 'exam'} cannot be done in this room")
    if place.room_id not in facts.rooms:
        raise Invalid("this room is out of use")
    start = minute(place.starts_at)
    return Placed(exam, place.step, place.room_id, (start, start + (place.minutes or step.minutes[place.room_id])))


def _helped(facts: Facts, wishes: Wishes, placed: Sequence[Placed]) -> list[Placed]:
    """With the resources that each needs, as far as there are any."""
    helped: list[Placed] = []
    for each in placed:
        exam = facts.exams[each.exam]
        found = fits.helpers(facts, wishes, exam, exam.steps[each.number - 1], each.span, helped)
        helped.append(Placed(each.exam, each.number, each.room_id, each.span, found or ()))
    return helped


def _stays(exam: int, step: ScheduledProcedureStep) -> Placed:
    return Placed(exam, step.number, step.room_id, (minute(step.starts_at), minute(step.ends_at)))


def _error(refusal: Refusal) -> RisError:
    is_of_then = refusal.why in (Why.reserved, Why.way, Why.help)
    return Occupied(refusal.text, may_overbook=refusal.why in OVERBOOKABLE) if is_of_then else Invalid(refusal.text)
