"""Exams that the desk changes, splits or combines, and what becomes of an appointment into which they do not fit any more."""

import enum
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ris.base.clock import local
from ris.base.errors import Conflict, Invalid
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Room
from ris.order import revise
from ris.order import service as orders
from ris.order.desk import procedure_request
from ris.order.model import RequestedProcedure
from ris.scheduling import booking, fits, gather
from ris.scheduling import service as appointments
from ris.scheduling.facts import Asked, Facts, Placed, Step
from ris.scheduling.fits import Why
from ris.scheduling.gather import Own
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.rules.check import hold_to_rules, open_findings
from ris.scheduling.spans import minute
from ris.scheduling.status import StepStatus

_OF_THE_EXAM = (Why.capability, Why.limit, Why.help)
"""What may speak against another exam at the same place and time; the rest did so before, and was answered."""


class Appointment(enum.StrEnum):
    """What shall become of an appointment into which the exam does not fit any more."""

    release = "release"
    keep = "keep"


@dataclass(frozen=True, slots=True)
class Misfit:
    text: str
    can_stay: bool
    """Whether a person may keep the appointment all the same."""


class NoLongerFits(Conflict):
    """The exam has an appointment into which the other one does not fit, and nobody has said what shall become of it."""

    def __init__(self, misfits: Sequence[Misfit]) -> None:
        super().__init__("the appointment does not fit any more: " + "; ".join(misfit.text for misfit in misfits))
        self.misfits = tuple(misfits)

    @property
    def can_stay(self) -> bool:
        return all(misfit.can_stay for misfit in self.misfits)


@dataclass(frozen=True, slots=True)
class Kind:
    """One exam as it shall be: a procedure of the catalogue and a side."""

    procedure_id: int
    laterality: str = ""


@service
def change(uow: UnitOfWork, *, procedure_id: int, to: Kind, reason: str, appointment: Appointment | None = None) -> RequestedProcedure:
    """Another exam, or another side, before it begins. `appointment` says what becomes of one into which it does not fit.

    Raises as `revise.change`, NoLongerFits where it does not fit and nobody has said that, Forbidden where a rule that blocks would be
    gone round by keeping it.
    """
    changed = revise.change(uow, procedure_id, revise.known_kind(uow, to.procedure_id), to.laterality, reason)
    _refit(uow, changed, reason, appointment)
    return changed


@service
def put_back(uow: UnitOfWork, *, procedure_id: int, appointment: Appointment | None = None) -> RequestedProcedure:
    """The exam is again what was asked for. Raises as `change`, and Invalid for one that is, or whose code was in no catalogue."""
    procedure = orders.get_procedure(uow, procedure_id)
    if procedure.asked_procedure_id is None:
        raise Invalid("nothing was changed that could be put back")
    asked = Kind(procedure.asked_procedure_id, procedure.asked_laterality)
    return change(uow, procedure_id=procedure_id, to=asked, reason="what was asked for is put back", appointment=appointment)


@service
def split(
    uow: UnitOfWork, *, procedure_id: int, into: Sequence[Kind], reason: str, appointment: Appointment | None = None
) -> list[RequestedProcedure]:
    """Several exams of one, in the same order: it becomes the first, with its number and appointment; the others wait for theirs.

    Raises as `change`, and Invalid for fewer than two.
    """
    if len(into) < 2:
        raise Invalid("name at least two exams", error_code="101")
    first = change(uow, procedure_id=procedure_id, to=into[0], reason=reason, appointment=appointment)
    kinds = [revise.known_kind(uow, kind.procedure_id) for kind in into[1:]]
    requests = [procedure_request(kind, wanted.laterality) for kind, wanted in zip(kinds, into[1:], strict=True)]
    return [first, *(orders.add_procedure(uow, first.order, request) for request in requests)]


@service
def combine(
    uow: UnitOfWork,
    *,
    procedure_id: int,
    absorbed_ids: Collection[int],
    to: Kind | None,
    reason: str,
    appointment: Appointment | None = None,
) -> RequestedProcedure:
    """One exam for several of a patient: it answers the others, which are cancelled, and may become another one for it (`to`).

    Raises as `revise.absorb` and `change`.
    """
    kept = revise.absorb(uow, procedure_id, absorbed_ids, reason)
    return change(uow, procedure_id=procedure_id, to=to, reason=reason, appointment=appointment) if to else kept


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _refit(uow: UnitOfWork, procedure: RequestedProcedure, reason: str, appointment: Appointment | None) -> None:
    uow.session.flush()
    steps = [s for s in appointments.live_steps(uow, procedure.id) if s.status in (StepStatus.booked, StepStatus.arrived)]
    if not steps:
        return
    found = open_findings(uow.session, uow.now, steps[0])
    misfits = [*_misfits(uow, procedure, steps), *(Misfit(f"{finding.rule}: {finding.text}", can_stay=True) for finding in found)]
    if not misfits:
        return
    if appointment is None:
        raise NoLongerFits(misfits)
    if appointment is Appointment.release:
        appointments.cancel(uow, step_id=steps[0].id, reason=f"the exam was changed: {reason}")
        return
    if not all(misfit.can_stay for misfit in misfits):
        raise NoLongerFits(misfits)
    hold_to_rules(uow, procedure, steps[0], dict.fromkeys((finding.key for finding in found), reason))


def _misfits(uow: UnitOfWork, procedure: RequestedProcedure, steps: Sequence[ScheduledProcedureStep]) -> Iterator[Misfit]:
    zone = gather.zone_of(uow.session, procedure.site_id)
    days = [local(step.starts_at, zone).date() for step in steps]
    wishes = booking.wishes_of(steps[0])
    asked = Asked(min(days) - timedelta(days=1), max(days) + timedelta(days=1), wishes=wishes)
    facts = gather.for_exams(uow.session, [procedure.id], asked, uow.now, Own(tuple(step.id for step in steps)))
    plan = facts.exams[0].steps
    if len(plan) != len(steps):
        yield Misfit(f"{facts.exams[0].name} takes {len(plan)} appointments, {len(steps)} are there", can_stay=False)
        return
    for step, planned in zip(steps, plan, strict=True):
        yield from _misfits_of(uow, facts, step, planned)


def _misfits_of(uow: UnitOfWork, facts: Facts, step: ScheduledProcedureStep, planned: Step) -> Iterator[Misfit]:
    exam, wishes = facts.exams[0], booking.wishes_of(step)
    if step.room_id not in planned.minutes or step.room_id not in facts.rooms:
        yield Misfit(f"{uow.session.get_one(Room, step.room_id).name} does not do {exam.name}", can_stay=False)
        return
    booked = int((step.ends_at - step.starts_at).total_seconds()) // 60
    if planned.minutes[step.room_id] > booked:
        yield Misfit(f"{booked} minutes are booked, {exam.name} takes {planned.minutes[step.room_id]}", can_stay=True)
    span = (minute(step.starts_at), minute(step.ends_at))
    helpers = fits.helpers(facts, wishes, exam, planned, span) or ()
    against = list(fits.refusals(facts, wishes, Placed(0, planned.number, step.room_id, span, helpers)))
    for refusal in booking.without_what_rules_decide(uow.session, facts.site_id, against):
        if refusal.why in _OF_THE_EXAM:
            yield Misfit(refusal.text, can_stay=refusal.why is Why.help)
