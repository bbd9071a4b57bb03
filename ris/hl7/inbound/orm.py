"""ORM^O01 in: new, changed and cancelled orders (HL7 v2.5.1 ch. 4.4.1, IHE RAD-2)."""

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from ris.base.errors import Duplicate, Invalid, Location, Missing, NotAllowedNow, NotFound
from ris.base.ref import Coded, Ref
from ris.base.uow import UnitOfWork
from ris.hl7.er7 import Segment
from ris.hl7.inbound import fields
from ris.hl7.inbound.adt import located, required_patient
from ris.hl7.inbound.reading import Reading
from ris.order import service as orders
from ris.order.model import Order
from ris.order.service import OrderRequest, ProcedureRequest
from ris.order.status import OrderStatus, Priority
from ris.partner.policy import policy
from ris.patient import service as patients
from ris.patient.model import Patient, Visit

CONTROLS = {"": "place", "NW": "place", "XO": "change", "CA": "cancel", "DC": "cancel"}
"""ORC-1, table 0119."""
_PRIORITIES = frozenset(p.value for p in Priority)
Read = TypeVar("Read")
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")


def read(uow: UnitOfWork, reading: Reading) -> None:
    """Every ORC with its OBRs is one order; a message is applied whole or not at all."""
    groups = order_groups(reading)
    if not groups:
        raise Missing("the message asks for nothing: neither ORC nor OBR", error_code="100", location=Location("ORC"))
    data = required_patient(reading)
    with located("PID", 3):
        found, _ = patients.find(uow, data)
    if reading.visit is not None:
        with located("PV1", 19):
            patients.check_visit(uow, found, reading.visit)
    planned = [_plan(uow, reading, group, found) for group in groups]
    with located("PID", 3):
        owns = policy(dict(reading.partner.policies), "order_owns_demographics")
        patient, known = patients.upsert(uow, data, reading.visit, owns_demographics=owns)
    reading.touched.add(Ref("patient", patient.id))
    for group, known_order, action in planned:
        _apply(uow, reading, group, known_order, action, patient, known)


def order_groups(reading: Reading) -> list[list[Segment]]:
    return [g for g in reading.message.groups(("ORC", "OBR")) if g[0].name in ("ORC", "OBR")]


def order_numbers(group: Iterable[Segment]) -> tuple[tuple[str, str], str]:
    """Placer number with namespace (ORC-2, else OBR-2) and filler number (ORC-3, else OBR-3).

    A sender who gives a filler number alone knows its order by that: where it is not ours it is the placer number too.
    """
    placer = filler = ("", "")
    for segment in group:
        if segment.name in ("ORC", "OBR"):
            placer = placer if placer[0] else _entity(segment, 2)
            filler = filler if filler[0] else _entity(segment, 3)
    return placer if placer[0] else filler, filler[0]


def _entity(segment: Segment, field: int) -> tuple[str, str]:
    """EI: the number, and its namespace, else its universal id."""
    number = segment.value(field).strip()
    return (number, segment.value(field, 2).strip() or segment.value(field, 3).strip()) if number else ("", "")


def _plan(uow: UnitOfWork, reading: Reading, group: list[Segment], patient: Patient | None) -> tuple[list[Segment], Order | None, str]:
    """What is to be done with one order: every refusal that can be known is raised here, before anything changes."""
    head = group[0]
    control = head.value(1).strip().upper() if head.name == "ORC" else ""
    if control not in CONTROLS:
        raise Invalid(f"order control {control} is not taken here", error_code="103", location=head.location(1))
    known = _known(uow, reading, group)
    if known is not None and (patient is None or known.patient_id != patient.id):
        _conflict_task(uow, reading, known)
        raise Duplicate("this order number belongs to another patient", location=head.location(2))
    action = _action(reading, group, CONTROLS[control], known)
    if action != "cancel" and not any(s.name == "OBR" for s in group):
        raise Missing("the order names no procedure: OBR is missing", error_code="100", location=Location("OBR"))
    if action == "change" and known is not None and known.status in (OrderStatus.cancelled, OrderStatus.discontinued):
        raise NotAllowedNow(f"the order is {known.status}: nothing can be changed any more", location=head.location(1))
    return group, known, action


def _action(reading: Reading, group: list[Segment], action: str, known: Order | None) -> str:
    if known is not None:
        return "change" if action == "place" else action
    head = group[0]
    (number, _), _ = order_numbers(group)
    if action == "cancel":
        raise NotFound("we know no such order", location=head.location(2))
    if action == "change" and policy(dict(reading.partner.policies), "change_of_unknown_order") == "refuse":
        raise NotFound("we know no such order", location=head.location(2))
    if not number and policy(dict(reading.partner.policies), "missing_placer_number") == "refuse":
        raise Missing("the order has no number", location=head.location(2))
    return "place"


def _known(uow: UnitOfWork, reading: Reading, group: list[Segment]) -> Order | None:
    (number, namespace), filler = order_numbers(group)
    known: Order | None = None
    if number:
        known = uow.find(Order.placer_key, orders.placer_key(reading.partner.id, namespace, number))
    if known is None and filler:
        known = uow.find(Order.filler_number, filler)
    return known


def _conflict_task(uow: UnitOfWork, reading: Reading, known: Order) -> None:
    """To be raised apart from the message, which changes nothing."""
    reading.touched.add(Ref("order", known.id))
    reading.refusal_tasks.append(
        ("order_conflict", Ref("order", known.id), "a message names this order for another patient", known.site_id)
    )


def _apply(
    uow: UnitOfWork, reading: Reading, group: list[Segment], known: Order | None, action: str, patient: Patient, visit: Visit | None
) -> None:
    if action == "cancel" and known is not None:
        reading.touched.add(Ref("order", known.id))
        _cancel(uow, reading, group[0], known)
        return
    wanted = _request(reading, group, patient, visit)
    with located(group[0].name, 2):
        order = orders.change(uow, known, wanted) if known is not None else orders.place(uow, wanted)
    reading.touched.add(Ref("order", order.id))
    reading.touched.update(Ref("procedure", p.id) for p in order.procedures)


def _cancel(uow: UnitOfWork, reading: Reading, head: Segment, known: Order) -> None:
    reason = head.value(16, 2) or head.value(16) or "cancelled by the placer"
    try:
        orders.cancel(uow, known.id, reason)
    except NotAllowedNow as error:
        reading.refusal_tasks.append(("cancel_refused", Ref("order", known.id), error.message, known.site_id))
        error.location = head.location(1)
        raise


def _request(reading: Reading, group: list[Segment], patient: Patient, visit: Visit | None) -> OrderRequest:
    head, first = group[0], next(s for s in group if s.name == "OBR")
    orc = head if head.name == "ORC" else None
    tq1 = next((s for s in group if s.name == "TQ1"), None)
    number, name = _orderer(orc, first)
    (placer, namespace), _ = order_numbers(group)
    zone = reading.partner.zone
    return OrderRequest(
        patient_id=patient.id,
        site_id=reading.site_id,
        procedures=tuple(_procedure(reading, group, obr) for obr in group if obr.name == "OBR"),
        partner_id=reading.partner.id,
        placer_number=placer,
        placer_namespace=namespace,
        visit_id=visit.id if visit else None,
        priority=_priority(orc, first, tq1),
        requested_at=_first(lambda text: fields.moment(text, zone), (tq1, 7, 1), (orc, 7, 4), (first, 27, 4), (first, 36, 1)),
        placed_at=fields.moment(orc.value(9), zone) if orc else None,
        orderer_number=number,
        orderer_name=name,
        callback=orc.value(14) if orc else "",
        reason=first.value(31, 2) or first.value(31),
        clinical_information=_clinical(group, first),
        danger=first.value(12, 2) or first.value(12),
        transport=first.value(30),
        diagnosis="; ".join(f"{s.value(3)} {s.value(3, 2)}".strip() for s in group if s.name == "DG1" and s.value(3)),
    )


def _orderer(orc: Segment | None, obr: Segment) -> tuple[str, str]:
    """OBR-16, else ORC-12."""
    number, name = fields.person(obr.field(16))
    if not (number or name) and orc:
        number, name = fields.person(orc.field(12))
    return number, name


def _priority(orc: Segment | None, obr: Segment, tq1: Segment | None) -> Priority | None:
    """TQ1-9, ORC-7.6, OBR-27.6, OBR-5; by the first letter, so that `STAT` and `TM5` are read too."""
    letter = _first(lambda text: text.strip().upper()[:1], (tq1, 9, 1), (orc, 7, 6), (obr, 27, 6), (obr, 5, 1)) or ""
    return Priority(letter) if letter in _PRIORITIES else None


def _first(read: Callable[[str], Read], *places: tuple[Segment | None, int, int]) -> Read | None:
    """What is read at the first of the places (segment, field, component) that holds something which can be read."""
    for segment, field, component in places:
        text = segment.value(field, component) if segment else ""
        if text and (found := read(text)):
            return found
    return None


def _clinical(group: list[Segment], obr: Segment) -> str:
    notes = [note.field(3).text for note in group if note.name == "NTE"]
    return "\n".join(part for part in (obr.field(13).text, *notes) if part)


def _procedure(reading: Reading, group: list[Segment], obr: Segment) -> ProcedureRequest:
    code = Coded(obr.value(4).strip(), obr.field(4).component_text(2).strip(), obr.value(4, 3).strip())
    if not code.code:
        code = Coded(obr.value(4, 4).strip() or code.text, obr.value(4, 5).strip() or code.text, obr.value(4, 6).strip())
    if not code.code:
        raise Missing("the procedure has no code", location=obr.location(4))
    uid = next((s.value(1) for s in group if s.name == "ZDS"), "")
    return ProcedureRequest(
        code=code,
        procedure_id=reading.procedures.get(code.code),
        laterality=obr.value(15, 5),
        foreign_accession=obr.value(18),
        # One UID names one study: with several procedures in the group it cannot be all of theirs.
        study_instance_uid=uid if _UID.fullmatch(uid) and len(uid) <= 64 and sum(s.name == "OBR" for s in group) == 1 else "",
    )
