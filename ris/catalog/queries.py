"""Look-ups of reference data for many messages at once."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.prepared import Look, Prepared, is_among
from ris.catalog.model import CodeMap, PreparationText, Procedure, Room, Site

_PROCEDURES = Prepared(
    sa.union_all(
        sa.select(sa.literal_column("0", sa.Integer).label("rank"), Procedure.code.label("code"), Procedure.id.label("id"))
        .where(is_among(Procedure.code, "codes"), Procedure.active),
        sa.select(sa.literal_column("1", sa.Integer), CodeMap.their_code, Procedure.id)
        .join(Procedure, Procedure.code == CodeMap.our_code)
        .where(CodeMap.partner_id == sa.bindparam("partner_id"), CodeMap.kind == "procedure", is_among(CodeMap.their_code, "codes")),
    )
)  # fmt: skip


def procedures_for(partner_id: int, codes: Collection[str]) -> Look[dict[str, int]]:
    """A partner's codes to our procedures: by its code map, else where the code is our own. What is unknown is left out."""
    return Look(_PROCEDURES, _by_code, partner_id=partner_id, codes=[code for code in codes if code])


def _by_code(rows: list[tuple[Any, ...]]) -> dict[str, int]:
    return {code: procedure_id for _, code, procedure_id in sorted(rows)}


def other_codes(session: Session) -> dict[int, dict[tuple[str, str], str]]:
    """Partner to kind and code of theirs to what that is here, for every kind but procedures: these are few."""
    found: dict[int, dict[tuple[str, str], str]] = {}
    rows = session.execute(
        sa.select(CodeMap.partner_id, CodeMap.kind, CodeMap.their_code, CodeMap.our_code).where(CodeMap.kind != "procedure")
    )
    for partner_id, kind, theirs, ours in rows:
        found.setdefault(partner_id, {})[kind, theirs] = ours
    return found


def first_site(session: Session) -> int:
    """Where orders go whose partner names no site. Raises NoResultFound in a house without any."""
    return session.scalars(sa.select(Site.id).order_by(Site.id).limit(1)).one()


def procedures(session: Session) -> list[tuple[int, str, str]]:
    """Key, code and name of what the department offers, by name."""
    rows = session.execute(sa.select(Procedure.id, Procedure.code, Procedure.name).where(Procedure.active).order_by(Procedure.name))
    return [(key, code, name) for key, code, name in rows]


def preparation_in(language: sa.ColumnElement[str] | sa.orm.InstrumentedAttribute[str]) -> sa.ScalarSelect[str]:
    """A column for queries over `Procedure`: how to prepare, in a language (ISO 639-1); NULL where there is no such text."""
    of = PreparationText
    return (
        sa.select(of.text)
        .where(of.procedure_id == Procedure.id, of.language == language, of.active)
        .correlate_except(of)
        .scalar_subquery()
    )  # fmt: skip


def rooms_at(session: Session, site_id: int) -> list[tuple[int, str]]:
    """Key and name of the rooms of a site that are in use."""
    rows = session.execute(sa.select(Room.id, Room.name).where(Room.site_id == site_id, Room.active).order_by(Room.code))
    return [(room_id, name) for room_id, name in rows]
