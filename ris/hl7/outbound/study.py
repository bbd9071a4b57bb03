"""What image managers are told of a study: the whole of it as it is planned, at every change (IHE RAD TF-2 RAD-4 and RAD-13)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ris.base.ref import Ref
from ris.catalog.model import Procedure, Room
from ris.hl7 import er7
from ris.hl7.outbound import header
from ris.hl7.outbound.header import Built, Job, Writer
from ris.order.model import Order, RequestedProcedure
from ris.outbox.model import Delivery, DeliveryState, StoredEvent
from ris.outbox.transport import CannotBuild, NothingToTell
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.status import GIVEN_UP

CHANGED, COMPLETED, CANCELLED, DISCONTINUED = ("XO", "SC"), ("XO", "CM"), ("CA", "CA"), ("DC", "CA")
FIRST = ("NW", "SC")
"""Instead of a change, the first time that a study's UID goes to a destination."""

SAID: Mapping[str, tuple[str, str]] = {
    "scheduling.booked": CHANGED,
    "scheduling.moved": CHANGED,
    "scheduling.cancelled": CANCELLED,
    "scheduling.missed": CANCELLED,
    "scheduling.miss_undone": CHANGED,
    "order.changed": CHANGED,
    "order.procedure_mapped": CHANGED,
    "order.procedure_changed": CHANGED,
    "order.split": CHANGED,
    "order.rejoined": CHANGED,
    "order.procedure_cancelled": CANCELLED,
    "exam.started": CHANGED,
    "exam.completed": COMPLETED,
    "exam.discontinued": DISCONTINUED,
    "exam.start_undone": CHANGED,
    "exam.completion_undone": CHANGED,
    "exam.discontinuation_undone": CHANGED,
}
"""ORC-1 (table 0119) and ORC-5 (table 0038) by event: the pairs that RAD-13 knows."""

_ALWAYS_TELL = ("scheduling.booked", "scheduling.moved", "exam.started", "exam.completed", "exam.discontinued")
"""Events after which a destination knows the study; the others may have found nothing to tell."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One study as it is planned now, or was when the event happened that planned it."""

    order_control: str
    order_status: str
    procedure: RequestedProcedure
    step_id: str
    """(0040,0009) in 16 characters or fewer: the appointment's key in hexadecimal digits; the accession number for an exam without one."""
    room: Room | None
    modality: str
    starts_at: datetime | None
    ends_at: datetime | None


def planned(job: Job, order: Order) -> list[Planned]:
    """The studies that the event is about. Raises CannotBuild for another event, NothingToTell when the destination need not know."""
    said = SAID.get(job.event.name)
    if said is None:
        raise CannotBuild(f"{job.event.name} is nothing that image managers are told")
    procedures = header.procedures_of(job.known, order)
    if job.event.object_kind != "order":
        procedures = [procedure for procedure in procedures if procedure.id == job.event.procedure_id]
    found = [each for procedure in procedures if (each := _planned(job, procedure, said))]
    if not found:
        raise NothingToTell("it has no appointment that was ever told")
    return found


def _planned(job: Job, procedure: RequestedProcedure, said: tuple[str, str]) -> Planned | None:
    was_told = _was_told(job, procedure)
    if not was_told and (said == CANCELLED or job.event.name not in _ALWAYS_TELL):
        return None
    control, status = FIRST if not was_told and said == CHANGED else said
    step = _step(job, procedure)
    room = job.known.one(Room, step.room_id) if step else None
    starts_at, ends_at = (step.starts_at, step.ends_at) if step else (procedure.started_at, None)
    if step and job.event.object_kind == "step":
        # The appointment as this event left it: a later move has a message of its own.
        facts = job.event.facts
        room = job.known.one(Room, facts["room_id"])
        starts_at, ends_at = datetime.fromisoformat(facts["starts_at"]), datetime.fromisoformat(facts["ends_at"])
    known = job.known.one(Procedure, procedure.procedure_id)
    modality = known.modality if known else room.modality if room else "OT"
    step_id = f"{step.id:X}" if step else procedure.accession_number
    return Planned(control, status, procedure, step_id, room, modality, starts_at, ends_at)


def _was_told(job: Job, procedure: RequestedProcedure) -> bool:
    """Whether an earlier message took this study's UID to the destination, or will have done so when this one leaves."""
    earlier = [
        event
        for event in job.known.all(StoredEvent, StoredEvent.procedure_id, procedure.id)
        if event.id < job.event.id and event.name in _ALWAYS_TELL
    ]
    return any(_went_here(job, delivery) for event in earlier for delivery in job.known.all(Delivery, Delivery.event_id, event.id))


def _went_here(job: Job, delivery: Delivery) -> bool:
    is_here = delivery.destination_id == job.destination.id and delivery.message == job.delivery.message
    return is_here and delivery.state is not DeliveryState.skipped


def _step(job: Job, procedure: RequestedProcedure) -> ScheduledProcedureStep | None:
    """The appointment that the event is about, else the one that counts, else the last one that did."""
    if job.event.object_kind == "step":
        return job.known.one(ScheduledProcedureStep, job.event.object_id)
    steps = job.known.all(ScheduledProcedureStep, ScheduledProcedureStep.procedure_id, procedure.id)
    return max(steps, key=lambda step: (step.status not in GIVEN_UP, step.id), default=None)


# ── what both forms have ─────────────────────────────────────────────────────────────────────────────────────────────


def built(writer: Writer, add_study: Callable[[Writer, Order, int, Planned], None]) -> Built:
    """The message of one patient, with a group for each study that `add_study` writes, numbered from 1.

    Raises CannotBuild, NothingToTell.
    """
    job = writer.job
    order = header.order_of(job)
    found = planned(job, order)
    patient = header.add_patient(writer, order)
    for number, each in enumerate(found, 1):
        add_study(writer, order, number, each)
    about = Ref(job.event.object_kind, job.event.object_id)
    return writer.built(header.links(patient, order, [each.procedure for each in found], about))


def request(job: Job, order: Order, each: Planned) -> dict[int, er7.Value]:
    """OBR as far as it says what was asked for (HL7 v2.5.1 ch. 4.5.3)."""
    return {
        2: header.placer_number(order),
        3: header.filler_number(order),
        4: er7.components(*header.our_code(job.known, each.procedure)),
        12: er7.components("", order.danger),
        13: order.clinical_information,
        16: header.orderer(order),
        30: order.transport,
        31: er7.components("", order.reason),
        44: header.our_service_id(job, each.procedure),
    }
