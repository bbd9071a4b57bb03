"""Changing reference data: code maps."""

import sqlalchemy as sa

from ris.base.errors import Invalid
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.catalog.model import CodeMap, Procedure


@service
def map_code(uow: UnitOfWork, *, partner_id: int, kind: str, their_code: str, our_code: str) -> CodeMap:
    """Says what a partner's code is here; what waited for it is resolved. Raises Invalid for a code that we do not have."""
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
