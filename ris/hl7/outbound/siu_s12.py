"""SIU^S12 and its kin: an appointment was made, moved, changed, cancelled or missed (IHE RAD TF-2 RAD-48; HL7 v2.5.1 ch. 10.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ris.base.ref import Ref
from ris.catalog.model import Resource, ResourceKind, Room, Site
from ris.hl7 import er7
from ris.hl7.outbound import header
from ris.hl7.outbound.header import Built, Job, Writer
from ris.order.model import Order, RequestedProcedure
from ris.outbox.transport import CannotBuild


@dataclass(frozen=True, slots=True)
class Said:
    """What an event is: MSH-9.2, the reason in SCH-6, and the state in SCH-25 (table 0278)."""

    trigger: str
    reason: str
    status: str


SAID: Mapping[str, Said] = {
    "scheduling.booked": Said("S12", "BOOKED", "Booked"),
    "scheduling.moved": Said("S13", "MOVED", "Booked"),
    "scheduling.cancelled": Said("S15", "CANCELLED", "Cancelled"),
    "scheduling.withdrawn": Said("S15", "CANCELLED", "Cancelled"),
    "scheduling.missed": Said("S26", "NOSHOW", "Noshow"),
    "scheduling.miss_undone": Said("S14", "NOSHOW UNDONE", "Booked"),
}
ELSEWHERE = Said("S14", "MODIFIED", "Booked")
"""Of an appointment that was moved and keeps its time (ch. 10.3.3)."""
MINUTES = er7.components("MIN")
EQUIPMENT, ROOM, STAFF = er7.components("equipment"), er7.components("room"), er7.components("staff")
"""AIG-4, AIL-4 and AIP-4: tables that are the user's own."""


def build(job: Job) -> Built:
    """One message for one appointment, as the event left it. Raises CannotBuild."""
    said = _said(job)
    order = header.order_of(job)
    procedure = job.known.need(RequestedProcedure, job.event.procedure_id or 0)
    room = job.known.need(Room, job.event.facts["room_id"])
    writer = Writer(job, "SIU_S12", header.version_of(job), trigger=said.trigger)
    _add_appointment(writer, said, order)
    patient = header.add_patient(writer, order)
    writer.add("RGS", {1: "1"})
    starts, minutes, status = writer.moment(_at(job, "starts_at")), _minutes(job), er7.components(said.status)
    writer.add("AIS", {1: "1", 3: header.service_id(job, order, procedure), 4: starts, 7: minutes, 8: MINUTES, 10: status})
    helpers = [job.known.need(Resource, key) for key in job.event.facts.get("resource_ids", ())]
    for number, machine in enumerate((each for each in helpers if each.kind is ResourceKind.equipment), 1):
        code = er7.components(machine.code, machine.name, header.CODING_SYSTEM)
        writer.add("AIG", {1: str(number), 3: code, 4: EQUIPMENT, 8: starts, 11: minutes, 12: MINUTES, 14: status})
    place = er7.components("", room.code, "", job.known.need(Site, room.site_id).code, "", "", "", "", room.name)
    writer.add("AIL", {1: "1", 3: place, 4: ROOM, 6: starts, 9: minutes, 10: MINUTES, 12: status})
    for number, person in enumerate((each for each in helpers if each.kind is ResourceKind.person), 1):
        family, _, given = person.name.partition(", ")
        code = er7.components(person.code, family, given)
        writer.add("AIP", {1: str(number), 3: code, 4: STAFF, 6: starts, 9: minutes, 10: MINUTES, 12: status})
    return writer.built(header.links(patient, order, [procedure], Ref("step", job.event.object_id)))


def _said(job: Job) -> Said:
    """Raises CannotBuild."""
    said = SAID.get(job.event.name)
    if said is None:
        raise CannotBuild(f"{job.event.name} is nothing that SIU tells")
    before = job.event.facts.get("before", {})
    stays = before and all(before[name] == job.event.facts[name] for name in ("starts_at", "ends_at"))
    return ELSEWHERE if stays else said


def _add_appointment(writer: Writer, said: Said, order: Order) -> None:
    """SCH (HL7 v2.5.1 ch. 10.6.1). The numbers of the order have a place in it from version 2.4 on."""
    job = writer.job
    person = er7.components("", job.event.actor_name)
    fields: dict[int, er7.Value] = {
        2: er7.components(f"{job.event.object_id:X}", header.APPLICATION),
        6: er7.components(said.reason, str(job.event.facts.get("reason", ""))),
        9: _minutes(job),
        10: MINUTES,
        11: er7.components("", "", "", writer.moment(_at(job, "starts_at")), writer.moment(_at(job, "ends_at"))),
        16: person,
        20: person,
        25: er7.components(said.status),
    }
    if writer.version != "2.3.1":
        fields |= {26: header.placer_number(order), 27: header.filler_number(order)}
    writer.add("SCH", fields)


def _at(job: Job, name: str) -> datetime:
    return datetime.fromisoformat(job.event.facts[name])


def _minutes(job: Job) -> str:
    return str(int((_at(job, "ends_at") - _at(job, "starts_at")).total_seconds()) // 60)
