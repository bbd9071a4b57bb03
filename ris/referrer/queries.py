"""What pages and deliveries ask of referrers: who is meant by an order, who is found by a name, what is to be completed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.patient.keys import folded
from ris.referrer.model import Referrer, ReferrerAlias, ReferrerPractice
from ris.referrer.service import Named

_END = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class ReferrerRow:
    referrer_id: int
    family: str
    given: str
    specialty: str
    npi: str
    is_complete: bool
    is_active: bool
    place: str | None
    """The city, else the name, of the main practice."""
    delivery: str | None

    @property
    def name(self) -> str:
        return ", ".join(part for part in (self.family, self.given) if part)


_PLACE = sa.func.coalesce(sa.func.nullif(ReferrerPractice.city, ""), ReferrerPractice.name)
_ROW = (
    Referrer.id, Referrer.family, Referrer.given, Referrer.specialty, Referrer.npi, Referrer.is_complete, Referrer.is_active, _PLACE,
    sa.type_coerce(ReferrerPractice.delivery, sa.Text),
)  # fmt: skip


def _rows(session: Session, *where: sa.ColumnElement[bool], limit: int) -> list[ReferrerRow]:
    main = (ReferrerPractice.referrer_id == Referrer.id) & ReferrerPractice.is_main & ReferrerPractice.ended_at.is_(None)
    rows = session.execute(
        sa.select(*_ROW)
        .outerjoin(ReferrerPractice, main)
        .where(Referrer.joined_to_id.is_(None), *where)
        .order_by(Referrer.family_key, Referrer.given_key, Referrer.id)
        .limit(limit)
    )
    return [ReferrerRow(*row) for row in rows]


def search(session: Session, text: str, *, limit: int = 50) -> list[ReferrerRow]:
    """By the beginning of the family name, with the given name behind a comma or a space, or by any number; all where it is empty."""
    number, (head, comma, tail) = text.strip(), text.partition(",")
    family, given = (folded(head), folded(tail)) if comma else folded(text).partition(" ")[::2]
    by_name = _begins(Referrer.family_key, family) & _begins(Referrer.given_key, given)
    by_whole = _begins(Referrer.family_key, folded(number))
    by_number = Referrer.id.in_(sa.select(ReferrerAlias.referrer_id).where(ReferrerAlias.number == number, ReferrerAlias.number != ""))
    is_meant = sa.or_(by_name, by_whole, by_number, sa.and_(Referrer.npi == number, Referrer.npi != "")) if number else sa.true()
    return _rows(session, is_meant, limit=limit)


def _begins(column: sa.orm.InstrumentedAttribute[str], text: str) -> sa.ColumnElement[bool]:
    return (column >= text) & (column < text + _END)


def to_complete(session: Session, *, limit: int = 50) -> list[ReferrerRow]:
    """Those whom a message named and nobody has looked at."""
    return _rows(session, ~Referrer.is_complete, limit=limit)


def offered(session: Session, *, limit: int = 500) -> list[str]:
    """Whom order entry proposes: name and number, as `chosen` takes them apart."""
    numbers = (
        sa.select(sa.func.min(ReferrerAlias.number)).where(ReferrerAlias.referrer_id == Referrer.id, ReferrerAlias.number != "")
    ).scalar_subquery()
    number = sa.func.coalesce(sa.func.nullif(Referrer.npi, ""), numbers, "")
    rows = session.execute(
        sa.select(Referrer.family, Referrer.given, number)
        .where(Referrer.is_active, Referrer.joined_to_id.is_(None))
        .order_by(Referrer.family_key, Referrer.given_key)
        .limit(limit)
    )
    return [SEPARATOR.join(part for part in (", ".join(p for p in (f, g) if p), n) if part) for f, g, n in rows]


SEPARATOR = " · "


def chosen(text: str, number: str) -> tuple[str, str]:
    """Name and number of what was chosen or typed; a number that was typed apart wins."""
    name, parted, told = text.rpartition(SEPARATOR)
    return (name, number or told) if parted else (text, number)


def meant(session: Session, named: Named) -> int | None:
    """The referrer whom an order names; None where nobody has been taken in by that number or name."""
    found = session.scalar(sa.select(ReferrerAlias.referrer_id).where(ReferrerAlias.key == named.key))
    if found is None and named.number:
        found = session.scalar(sa.select(Referrer.id).where(Referrer.npi == named.number))
    return found


def practices(session: Session, referrer_id: int) -> Sequence[ReferrerPractice]:
    """The main one first."""
    where = (ReferrerPractice.referrer_id == referrer_id, ReferrerPractice.ended_at.is_(None))
    return session.scalars(sa.select(ReferrerPractice).where(*where).order_by(ReferrerPractice.is_main.desc(), ReferrerPractice.id)).all()


def aliases(session: Session, referrer_id: int) -> Sequence[ReferrerAlias]:
    return session.scalars(sa.select(ReferrerAlias).where(ReferrerAlias.referrer_id == referrer_id).order_by(ReferrerAlias.id)).all()


def telephones(session: Session, named: Collection[Named]) -> dict[str, str]:
    """The telephone number of the main practice of each whose record has one, by `Named.key`."""
    main = (ReferrerPractice.referrer_id == Referrer.id) & ReferrerPractice.is_main & ReferrerPractice.ended_at.is_(None)
    reached = sa.join(Referrer, ReferrerPractice, main)
    phone = ReferrerPractice.phone
    by_key = sa.select(ReferrerAlias.key, phone).select_from(sa.join(reached, ReferrerAlias, ReferrerAlias.referrer_id == Referrer.id))
    by_npi = sa.select(Referrer.npi, phone).select_from(reached)
    numbers = {one.number for one in named if one.number}
    by_number = dict(session.execute(by_npi.where(Referrer.npi.in_(numbers), phone != "")).all())
    found = {one.key: by_number[one.number] for one in named if one.number in by_number}
    called = by_key.where(ReferrerAlias.key.in_({one.key for one in named}), phone != "")
    return found | dict(session.execute(called).all())
