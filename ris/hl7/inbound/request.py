"""One order as its segments say it: ORC, TQ1, OBR, NTE, DG1, ZDS and IPC (HL7 v2.5.1 ch. 4.5, IHE RAD-2 and RAD-4)."""

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from ris.base.errors import Missing
from ris.base.ref import Coded
from ris.hl7.er7 import Message, Segment
from ris.hl7.inbound import fields
from ris.hl7.inbound.reading import Asked, Reading
from ris.order.service import OrderRequest, ProcedureRequest
from ris.order.status import Priority
from ris.partner.queries import PartnerRow
from ris.patient.model import Patient, Visit

_PRIORITIES = frozenset(p.value for p in Priority)
Read = TypeVar("Read")
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")


def order_groups(message: Message, partner: PartnerRow) -> list[Asked]:
    """Each order of the message. Groups that say the same of one number are one order with several procedures."""
    found: dict[object, Asked] = {}
    for position, group in enumerate(message.groups(("ORC", "OBR"))):
        (number, namespace), filler = order_numbers(group)
        code = partner.our("order_control", group[0].value(1).strip()).upper() if group[0].name == "ORC" else ""
        asked = Asked(group, code, number, namespace, filler)
        known = found.setdefault((number, namespace, code) if number else position, asked)
        if known is not asked:
            known.segments.extend(group)
    return list(found.values())


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


def order_request(reading: Reading, asked: Asked, patient: Patient, visit: Visit | None) -> OrderRequest:
    """What ORC and its OBRs ask for; what stands once for the order is read from the first OBR."""
    group, head = asked.segments, asked.head
    first = next(s for s in group if s.name == "OBR")
    orc = head if head.name == "ORC" else None
    tq1 = next((s for s in group if s.name == "TQ1"), None)
    number, name = _orderer(orc, first)
    number = reading.partner.our("provider", number)
    zone = reading.partner.zone
    parts = _parts(group)
    # A ZDS behind the last of several OBRs may be meant for all of them, and one UID names one study: then it is nobody's.
    each_has_zds = sum(s.name == "ZDS" for s in group) == len(parts)
    return OrderRequest(
        patient_id=patient.id,
        site_id=reading.site_id,
        procedures=tuple(_procedure(reading, group, part, reads_zds=each_has_zds) for part in parts),
        partner_id=reading.partner.id,
        placer_number=asked.placer,
        placer_namespace=asked.namespace,
        visit_id=visit.id if visit else None,
        priority=_priority(reading, orc, first, tq1),
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
        copies_to="\n".join(copy for field in first.repetitions(28) if (copy := " ".join(part for part in fields.person(field) if part))),
        parent_number=orc.value(8).strip() if orc else "",
    )


def _parts(group: list[Segment]) -> list[list[Segment]]:
    """Each OBR with what follows it."""
    parts: list[list[Segment]] = []
    for segment in group:
        if segment.name == "OBR":
            parts.append([segment])
        elif parts:
            parts[-1].append(segment)
    return parts


def _orderer(orc: Segment | None, obr: Segment) -> tuple[str, str]:
    """OBR-16, else ORC-12."""
    number, name = fields.person(obr.field(16))
    if not (number or name) and orc:
        number, name = fields.person(orc.field(12))
    return number, name


def _priority(reading: Reading, orc: Segment | None, obr: Segment, tq1: Segment | None) -> Priority | None:
    """TQ1-9, ORC-7.6, OBR-27.6, OBR-5; by the first letter, so that `STAT` and `TM5` are read too."""
    letter = (
        _first(lambda text: reading.partner.our("priority", text.strip()).upper()[:1], (tq1, 9, 1), (orc, 7, 6), (obr, 27, 6), (obr, 5, 1))
        or ""
    )
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


def _procedure(reading: Reading, group: list[Segment], part: list[Segment], *, reads_zds: bool) -> ProcedureRequest:
    obr = part[0]
    code = Coded(obr.value(4).strip(), obr.field(4).component_text(2).strip(), obr.value(4, 3).strip())
    if not code.code:
        code = Coded(obr.value(4, 4).strip() or code.text, obr.value(4, 5).strip() or code.text, obr.value(4, 6).strip())
    if not code.code:
        raise Missing("the procedure has no code", location=obr.location(4))
    ipc = next((s for s in part if s.name == "IPC"), None)
    return ProcedureRequest(
        code=code,
        procedure_id=reading.procedures.get(code.code),
        laterality=obr.value(15, 5),
        foreign_accession=_accession(reading, group, part) or (ipc.value(1) if ipc else ""),
        accession_is_ours=reading.partner.agreed("accession_owner") == "partner",
        study_instance_uid=_study_instance_uid(part, ipc, reads_zds=reads_zds),
    )


def _study_instance_uid(part: list[Segment], ipc: Segment | None, *, reads_zds: bool) -> str:
    """IPC-3, else ZDS-1; empty for what is none."""
    zds = [s for s in part if s.name == "ZDS"] if reads_zds else []
    uid = (ipc.value(3) if ipc else "") or (zds[0].value(1) if zds else "")
    return uid if _UID.fullmatch(uid) and len(uid) <= 64 else ""


def _accession(reading: Reading, group: list[Segment], part: list[Segment]) -> str:
    """The sender's accession number, where it is agreed that it stands: in the procedure's own segments, else in the order's."""
    name, _, position = str(reading.partner.agreed("accession_place")).partition("-")
    field, _, component = position.partition(".")
    segment = next((s for s in (*part, *group) if s.name == name), None)
    return segment.value(int(field), int(component or 1)).strip() if segment else ""
