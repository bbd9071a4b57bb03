"""Look-ups of reference data for many messages at once."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import CodeMap, Procedure, Site

# Made once: to put a statement together takes longer than to run it.
_CODES: sa.BindParameter[list[str]] = sa.bindparam("codes", expanding=True)
_OWN = sa.select(Procedure.code, Procedure.id).where(Procedure.code.in_(_CODES), Procedure.active)
_MAPPED = (
    sa.select(CodeMap.their_code, Procedure.id)
    .join(Procedure, Procedure.code == CodeMap.our_code)
    .where(CodeMap.partner_id == sa.bindparam("partner_id"), CodeMap.kind == "procedure", CodeMap.their_code.in_(_CODES))
)


def procedures_for(session: Session, partner_id: int, codes: Iterable[str]) -> dict[str, int]:
    """A partner's codes to our procedures: by its code map, else where the code is our own. What is unknown is left out."""
    wanted = list(dict.fromkeys(code for code in codes if code))
    if not wanted:
        return {}
    own = session.execute(_OWN, {"codes": wanted})
    mapped = session.execute(_MAPPED, {"partner_id": partner_id, "codes": wanted})
    return dict(own.all()) | dict(mapped.all())


def first_site(session: Session) -> int:
    """Where orders go whose partner names no site. Raises NoResultFound in a house without any."""
    return session.scalars(sa.select(Site.id).order_by(Site.id).limit(1)).one()
