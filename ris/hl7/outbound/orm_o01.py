"""ORM^O01: what became of an order, told to who placed it (IHE RAD TF-2 RAD-3; HL7 v2.5.1 ch. 4.4.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

from ris.base.ref import Ref
from ris.hl7 import er7
from ris.hl7.outbound import header
from ris.hl7.outbound.header import Built, Job, Writer
from ris.order.model import Order, RequestedProcedure
from ris.outbox.model import StoredEvent
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
    "order.procedure_changed": Said("XX", ""),
    "order.split": Said("CH", ""),
    "order.rejoined": Said("XX", ""),
    "order.replaced": Said("RO", ""),
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

OTHER = {
    "order.split": Said("PA", ""),
    "order.rejoined": Said("OC", "CA"),
    "order.replaced": Said("RU", "RP"),
}
"""What is said before that of the other order: the parent of a child, the one that is empty again, the replaced one."""

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
    if job.event.name in OTHER:
        _add_group(writer, OTHER[job.event.name], job.known.need(Order, job.event.facts["other_order_id"]))
    _add_group(writer, said, order, procedures)
    return writer.built(header.links(patient, order, procedures, Ref(job.event.object_kind, job.event.object_id)))


def _about(job: Job, order: Order) -> Sequence[RequestedProcedure]:
    """The one exam, or all of an order."""
    procedures = header.procedures_of(job.known, order)
    if job.event.object_kind != "procedure":
        return procedures
    return [procedure for procedure in procedures if procedure.id == job.event.object_id]


def _add_group(writer: Writer, said: Said, order: Order, procedures: Sequence[RequestedProcedure] | None = None) -> None:
    """ORC and OBR for each exam, all of the order without a choice; ORC alone for an order that has none any more."""
    chosen = header.procedures_of(writer.job.known, order) if procedures is None else procedures
    for number, procedure in enumerate(chosen, 1):
        _add_control(writer, said, order)
        _add_request(writer, order, number, procedure)
    if not chosen:
        _add_control(writer, said, order)


def _add_control(writer: Writer, said: Said, order: Order) -> None:
    event = writer.job.event
    writer.add(
        "ORC",
        {
            1: said.order_control,
            2: header.placer_number(order),
            3: header.filler_number(order),
            5: said.order_status,
            8: _parent(event, said, order),
            9: writer.moment(event.at),
            12: header.orderer(order),
            16: er7.components("", str(event.facts.get("reason", ""))),
        },
    )


def _parent(event: StoredEvent, said: Said, order: Order) -> er7.Value:
    """ORC-8 of a child: the placer's number and ours of the order that it was made of (data type EIP)."""
    return er7.components(order.placer_number, str(event.facts["other_order"])) if said.order_control == "CH" else ""


def _add_request(writer: Writer, order: Order, number: int, procedure: RequestedProcedure) -> None:
    writer.add(
        "OBR",
        {
            1: str(number),
            2: header.placer_number(order),
            3: header.filler_number(order),
            4: _service_id(writer.job, order, procedure),
            15: er7.components("", "", "", "", procedure.laterality),
            16: header.orderer(order),
            18: procedure.accession_number,
            19: procedure.accession_number,
            24: header.DEPARTMENT,
        },
    )


def _service_id(job: Job, order: Order, procedure: RequestedProcedure) -> er7.Value:
    """What was asked for; of an exam that is done otherwise, or changed, what it is then."""
    facts = job.event.facts
    if "done_code" in facts:
        return er7.components(str(facts["done_code"]), str(facts["done_instead"]), header.CODING_SYSTEM)
    if job.event.name == "order.procedure_changed" and procedure.changed_at is not None:
        return er7.components(facts["after"]["code"], facts["after"]["name"], header.CODING_SYSTEM)
    return header.service_id(job, order, procedure)
