"""Changing reference data: what the codes of partners are here."""

import sqlalchemy as sa

from ris.base.errors import Invalid, NotFound
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.catalog.model import CodeMap, Procedure

MAPPED_KINDS = {
    "procedure": "OBR-4.1 to the code of one of our procedures",
    "order_control": "ORC-1 to table 0119",
    "priority": "TQ1-9, ORC-7.6, OBR-27.6 or OBR-5 to S, A, P, C, T or R",
    "sex": "PID-8 to F, M, O or U",
    "class": "PV1-2 to table 0004",
    "location": "PV1-3.1 to a ward as people here call it",
    "provider": "OBR-16.1 or ORC-12.1 to a number of ours",
    "authority": "CX-4 to an authority as it is called here",
    "identifier_type": "CX-5 to table 0203",
    "observation": "OBX-3.1 to weight, height, pregnancy, creatinine or egfr",
    "language": "PID-15 to a language, as es or Spanish",
    "vip": "PV1-16 to Y or N",
    "danger": "OBR-12 to isolation, fall_risk or none",
}
"""What a partner's codes may be mapped for, and to what."""
_VALUES = {
    "priority": frozenset("SAPCTR"),
    "sex": frozenset("FMOU"),
    "observation": frozenset(("weight", "height", "pregnancy", "creatinine", "egfr")),
    "vip": frozenset("YN"),
    "danger": frozenset(("isolation", "fall_risk", "none")),
}


@service
def map_code(uow: UnitOfWork, *, partner_id: int, kind: str, their_code: str, our_code: str) -> CodeMap:
    """Says what a partner's code is here; what waited for it is resolved. Raises Invalid for a code that we do not have."""
    if kind not in MAPPED_KINDS:
        raise Invalid(f"there is nothing to map a {kind} to: one of {', '.join(MAPPED_KINDS)}")
    if kind in _VALUES and our_code not in _VALUES[kind]:
        raise Invalid(f"{our_code or '(empty)'} is no {kind}: one of {', '.join(sorted(_VALUES[kind]))}")
    procedure_id = None
    if kind == "procedure":
        procedure_id = uow.session.scalar(sa.select(Procedure.id).where(Procedure.code == our_code, Procedure.active))
        if procedure_id is None:
            raise Invalid(f"{our_code or '(empty)'} is not a procedure of our catalogue")
    row = uow.session.scalars(
        sa.select(CodeMap).where(CodeMap.partner_id == partner_id, CodeMap.kind == kind, CodeMap.their_code == their_code)
    ).one_or_none()
    if row is None:
        row = uow.add(CodeMap(partner_id=partner_id, kind=kind, their_code=their_code, our_code=our_code))
    uow.touch()
    row.our_code = our_code
    uow.session.flush()
    facts = {"partner_id": partner_id, "kind": kind, "their_code": their_code, "our_code": our_code, "procedure_id": procedure_id}
    uow.emit(Event("catalog.code_mapped", Ref("code_map", row.id), facts=facts))
    return row


@service
def unmap_code(uow: UnitOfWork, *, partner_id: int, kind: str, their_code: str) -> None:
    """From the next message on the code is unknown again; what was resolved stays. Raises NotFound."""
    row = uow.session.scalars(
        sa.select(CodeMap).where(CodeMap.partner_id == partner_id, CodeMap.kind == kind, CodeMap.their_code == their_code)
    ).one_or_none()
    if row is None:
        raise NotFound(f"this partner's {kind} {their_code} is not mapped")
    uow.touch()
    uow.session.delete(row)
    facts = {"partner_id": partner_id, "kind": kind, "their_code": their_code}
    uow.emit(Event("catalog.code_unmapped", Ref("code_map", row.id), facts=facts))
