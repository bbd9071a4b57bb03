"""ORM^O01: what became of an order, told to who placed it (IHE RAD TF-2 RAD-3; HL7 v2.5.1 ch. 4.4.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

from ris.base.ref import Ref
from ris.hl7 import er7
from ris.hl7.outbound import header
from ris.hl7.outbound.header import Built, Job, Writer
from ris.order.model import Order, RequestedProcedure
from ris.outbox.transport import CannotBuild, NothingToTell


@dataclass(frozen=True, slots=True)
class Said:
    """What an event is in ORC-1 (table 0119) and ORC-5 (table 0038): the state that it reports, whatever came later."""

    order_control: str
    order_status: str


SAID = {
    "order.placed": Said("SC", "SC"),
    "order.changed": Said("XX", ""),
    "order.cancelled": Said("OC", "CA"),
    "exam.started": Said("SC", "IP"),
    "exam.completed": Said("SC", "CM"),
    "exam.discontinued": Said("SC", "DC"),
    "exam.start_undone": Said("SC", "SC"),
    "exam.completion_undone": Said("SC", "IP"),
    "exam.discontinuation_undone": Said("SC", "IP"),
    "exam.done_otherwise": Said("XX", "IP"),
}
"""`order.placed` gives the placer our filler and accession numbers, which an acknowledgement cannot carry."""

ASKED = Said("SN", "")
"""Instead of that for an order without a placer number: the placer is to give it one."""

_THEIR_OWN = ("order.changed", "order.cancelled")


def build(job: Job) -> Built:
    """One group for each exam that the event is about, in 2.3.1 or 2.5.1 as the destination wants.

    Raises NothingToTell for what the partner itself has asked for, and CannotBuild.
    """
    said = SAID.get(job.event.name)
    if said is None:
        raise CannotBuild(f"{job.event.name} is nothing that ORM^O01 tells")
    if job.event.name in _THEIR_OWN and job.event.actor_kind == "partner" and job.event.actor_id == job.partner.id:
        raise NothingToTell("the partner asked for it itself")
    order = header.order_of(job)
    if job.event.name == "order.placed" and not order.placer_number:
        said = ASKED
    procedures = _about(job, order)
    writer = Writer(job, "ORM_O01", header.version_of(job))
    patient = header.add_patient(writer, order)
    for number, procedure in enumerate(procedures, 1):
        _add_order(writer, said, order, number, procedure)
    return writer.built(header.links(patient, order, procedures, Ref(job.event.object_kind, job.event.object_id)))


def _about(job: Job, order: Order) -> Sequence[RequestedProcedure]:
    """The one exam, or all of an order."""
    procedures = header.procedures_of(job.known, order)
    if job.event.object_kind != "procedure":
        return procedures
    return [procedure for procedure in procedures if procedure.id == job.event.object_id]


def _add_order(writer: Writer, said: Said, order: Order, number: int, procedure: RequestedProcedure) -> None:
    event = writer.job.event
    placed = header.placer_number(order), header.filler_number(order)
    writer.add(
        "ORC",
        {
            1: said.order_control,
            2: placed[0],
            3: placed[1],
            5: said.order_status,
            9: writer.moment(event.at),
            12: header.orderer(order),
            16: er7.components("", str(event.facts.get("reason", ""))),
        },
    )
    writer.add(
        "OBR",
        {
            1: str(number),
            2: placed[0],
            3: placed[1],
            4: _service_id(writer.job, order, procedure),
            16: header.orderer(order),
            18: procedure.accession_number,
            19: procedure.accession_number,
            24: header.DEPARTMENT,
        },
    )


def _service_id(job: Job, order: Order, procedure: RequestedProcedure) -> er7.Value:
    """What was asked for; of an exam that is done otherwise what is done."""
    if "done_code" in job.event.facts:
        return er7.components(str(job.event.facts["done_code"]), str(job.event.facts["done_instead"]), header.CODING_SYSTEM)
    return header.service_id(job, order, procedure)
