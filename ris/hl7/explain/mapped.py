"""What we read in a message, place by place, by the same functions that the intake reads it with."""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Procedure
from ris.catalog.queries import other_codes, procedures_for
from ris.hl7.er7 import Message, Segment
from ris.hl7.explain.view import place_of
from ris.hl7.inbound import fields
from ris.partner.queries import PartnerRow, partners

CODED = (
    ("class", "PV1", 2, 1),
    ("language", "PID", 15, 1),
    ("vip", "PV1", 16, 1),
    ("danger", "OBR", 12, 1),
    ("priority", "TQ1", 9, 1),
    ("priority", "ORC", 7, 6),
    ("priority", "OBR", 27, 6),
    ("priority", "OBR", 5, 1),
)
"""Kind of code, segment, field and component; sex and procedures apart."""


def mapped(session: Session, message: Message, partner_id: int | None) -> dict[str, str]:
    """Place, such as `OBR-4`, to what its value means here now; nothing for a sender who is not known."""
    known = partners(session, other_codes(session)).by_name.values()
    partner = next((row for row in known if row.id == partner_id), None)
    if partner is None:
        return {}
    said = [*_person(message, partner), *_codes(message, partner), *_procedures(session, message, partner)]
    return {"MSH-3": f"partner {partner.name}", **dict(said)}


def _person(message: Message, partner: PartnerRow) -> Iterator[tuple[str, str]]:
    said = fields.patient(message, partner)
    if said.identifiers:
        yield "PID-3", "; ".join(f"{i.type} {i.value} of {i.authority}" for i in said.identifiers)
    if said.family or said.given:
        yield "PID-5", f"family name {said.family or 'none'}, given name {said.given or 'none'}"
    if message.value("PID", 7):
        yield "PID-7", f"born {said.birth_date}" if said.birth_date else "no date: makes no statement"
    if said.sex:
        yield "PID-8", said.sex.name
    visit = fields.visit(message, partner)
    if visit:
        yield "PV1-19" if message.value("PV1", 19) else "PID-18", f"visit {visit.visit_number} of {visit.authority}"


def _codes(message: Message, partner: PartnerRow) -> Iterator[tuple[str, str]]:
    """The partner's own codes, where somebody has said what they are here."""
    for kind, name, field, component in CODED:
        for segment in message.all(name):
            code = segment.value(field, component).strip()
            ours = partner.our(kind, code)
            if code and ours != code:
                yield f"{place_of(segment)}-{field}" + (f".{component}" if component > 1 else ""), f"{kind} {ours}"


def _procedures(session: Session, message: Message, partner: PartnerRow) -> Iterator[tuple[str, str]]:
    asked = message.all("OBR")
    known = procedures_for(partner.id, [_code(segment) for segment in asked]).at(session.connection())
    rows = session.execute(sa.select(Procedure.id, Procedure.code, Procedure.name).where(Procedure.id.in_(known.values())))
    names = {procedure_id: f"{code}: {name}" for procedure_id, code, name in rows}
    for segment in asked:
        procedure_id = known.get(_code(segment))
        meaning = names.get(procedure_id, "") if procedure_id else ""
        yield f"{place_of(segment)}-4", meaning or "not mapped: the exam waits with the raw code"


def _code(obr: Segment) -> str:
    return obr.value(4).strip() or obr.value(4, 4).strip()
