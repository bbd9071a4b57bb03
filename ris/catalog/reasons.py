"""The reasons that a house offers where one must be given, and whether one that was given says enough."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid
from ris.catalog.model import Reason, ReasonKind


def offered(session: Session, kind: ReasonKind) -> list[str]:
    """Texts in the order of the house; more words may follow each of them."""
    return list(session.scalars(sa.select(Reason.text).where(Reason.kind == kind, Reason.active).order_by(Reason.position, Reason.code)))


def enough(session: Session, kind: ReasonKind, said: str) -> str:
    """The reason as it is kept. Raises Invalid for one of the offered that needs words of one's own, and has none.

    Nothing said is nothing said: whether a reason must be given the service knows that it is given to.
    """
    said = said.strip()
    alone = said.rstrip(" .:,;-").casefold()
    needing = session.scalars(sa.select(Reason.text).where(Reason.kind == kind, Reason.active, Reason.needs_text))
    if any(text.rstrip(" .:,;-").casefold() == alone for text in needing):
        raise Invalid(f"“{said}” says too little: write behind it what it was")
    return said
