"""Finding messages: by what they touched, who sent them, what became of them, and the text that they hold."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.ref import Ref
from ris.journal.model import NOT_TAKEN, NOT_TAKEN_SQL, Direction, Message, MessageLink, MessageState, Replay
from ris.partner.model import Partner

NOBODY = 0
"""The partner of messages whose sender is not known."""
LOOKED_THROUGH = 20_000
"""So many messages are read for a text at once; a page says how far it came, and the next goes on from there."""
_PART = 500


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list, newest first: what follows is older."""

    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What narrows the list; what is empty does not."""

    touched: frozenset[Ref] | None = None
    """Any of these; an empty set finds nothing."""
    control_id: str = ""
    """Its beginning, or all of it where a message has just that."""
    is_whole: bool = False
    """Set by the search itself."""
    kind: str = ""
    """The beginning of MSH-9.1^MSH-9.2."""
    states: tuple[MessageState, ...] = ()
    is_open: bool = False
    """Came over the wire, was not taken, and no replay of it was applied."""
    direction: Direction | None = None
    partner_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Not included."""
    text: str = ""
    """Anywhere in the bytes; letters of either case."""
    before: Cursor | None = None


@dataclass(frozen=True, slots=True)
class MessageRow:
    id: int
    at: datetime
    direction: Direction
    partner_name: str | None
    kind: str
    control_id: str
    state: MessageState
    ack_code: str
    error: str
    place: str

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.at, self.id)


@dataclass(frozen=True, slots=True)
class Page:
    rows: tuple[MessageRow, ...]
    older: Cursor | None
    """Where the next page begins; None at the end."""
    looked_back_to: datetime | None = None
    """With a text: how far was looked, when that was not the end and the page is not full."""


def found(session: Session, wanted: Wanted, limit: int = 50, *, look_through: int = LOOKED_THROUGH) -> Page:
    """The newest messages that fit, at most `limit`; for a text the bytes of at most `look_through` are read."""
    wanted = _exact(session, wanted)
    if wanted.text:
        return _with_text(session, wanted, limit, look_through)
    if wanted.partner_id is not None and wanted.direction is None:
        return _both_ways(session, wanted, limit)
    rows = [MessageRow(*row) for row in session.execute(_rows(wanted).limit(limit + 1))]
    return Page(tuple(rows[:limit]), rows[limit - 1].cursor if len(rows) > limit else None)


def parts(session: Session, wanted: Wanted, limit: int) -> Iterator[tuple[MessageRow, ...]]:
    """All that fit, at most `limit`, page by page in one session."""
    left = limit
    while left > 0:
        page = found(session, wanted, min(_PART, left))
        yield page.rows
        left -= len(page.rows)
        if page.older is None:
            return
        wanted = replace(wanted, before=page.older)


def _exact(session: Session, wanted: Wanted) -> Wanted:
    """A whole control id is found by its index; the beginning of one among all that fit otherwise."""
    if not wanted.control_id:
        return wanted
    is_whole = session.scalar(sa.select(sa.exists().where(Message.control_id == wanted.control_id)))
    return replace(wanted, is_whole=bool(is_whole))


def _both_ways(session: Session, wanted: Wanted, limit: int) -> Page:
    """Each way by its index, and the newest of both."""
    pages = [found(session, replace(wanted, direction=direction), limit) for direction in Direction]
    rows = sorted((row for page in pages for row in page.rows), key=lambda row: (row.at, row.id), reverse=True)
    is_more = len(rows) > limit or any(page.older for page in pages)
    return Page(tuple(rows[:limit]), rows[limit - 1].cursor if is_more else None)


def _rows(wanted: Wanted) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            Message.id, Message.at, Message.direction, Partner.name, Message.kind, Message.control_id, Message.state,
            Message.ack_code, Message.error, Message.place,
        )
        .outerjoin(Partner, Partner.id == Message.partner_id)
        .where(*_conditions(wanted))
        .order_by(Message.at.desc(), Message.id.desc())
    )  # fmt: skip


def _conditions(wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.touched is not None:
        yield Message.id.in_(_touching(wanted.touched))
    if wanted.control_id:
        begins = Message.control_id.startswith(wanted.control_id, autoescape=True)
        yield Message.control_id == wanted.control_id if wanted.is_whole else begins
    if wanted.kind:
        yield Message.kind.startswith(wanted.kind, autoescape=True)
    if wanted.states:
        yield Message.state.in_(wanted.states)
    if wanted.is_open or (wanted.states and set(wanted.states) <= set(NOT_TAKEN)):
        yield is_not_taken()
    if wanted.is_open:
        yield ~sa.exists().where(Replay.message_id == Message.id)
        yield ~sa.exists().where(Replay.origin_id == Message.id, Replay.is_applied)
    if wanted.direction:
        yield Message.direction == wanted.direction
    if wanted.partner_id is not None:
        yield Message.partner_id.is_(None) if wanted.partner_id == NOBODY else Message.partner_id == wanted.partner_id
    if wanted.since:
        yield Message.at >= wanted.since
    if wanted.until:
        yield Message.at < wanted.until
    if (before := wanted.before) is not None:
        yield Message.at <= before.at  # what an index by time can begin with
        yield sa.or_(Message.at < before.at, Message.id < before.id)


def _touching(refs: frozenset[Ref]) -> sa.Select[int]:
    by_kind = {kind: [ref.id for ref in refs if ref.kind == kind] for kind in {ref.kind for ref in refs}}
    of_a_kind = (sa.and_(MessageLink.object_kind == kind, MessageLink.object_id.in_(ids)) for kind, ids in sorted(by_kind.items()))
    return sa.select(MessageLink.message_id).where(sa.or_(sa.false(), *of_a_kind))


def is_not_taken() -> sa.ColumnElement[bool]:
    """As the index of these has it: of a Boolean type it would be compared with 1, and be another condition."""
    condition: sa.ColumnElement[Any] = sa.literal_column(f"message.{NOT_TAKEN_SQL}")
    return condition


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _with_text(session: Session, wanted: Wanted, limit: int, look_through: int) -> Page:
    """Reads the bytes part by part: a database looks into bytes neither without regard to case nor within a bound."""
    needles = _needles(wanted.text)
    rows: list[MessageRow] = []
    at = wanted.before
    while look_through > 0:
        size = min(_PART, look_through)
        look_through -= size
        part = session.execute(_rows(replace(wanted, before=at)).add_columns(Message.raw).limit(size)).all()
        for *values, raw in part:
            row = MessageRow(*values)
            at = row.cursor
            if _holds(raw, needles):
                rows.append(row)
                if len(rows) == limit:
                    return Page(tuple(rows), at)
        if len(part) < size:
            return Page(tuple(rows), None)
    return Page(tuple(rows), at, at.at if at else None)


def _needles(text: str) -> frozenset[bytes]:
    """As a sender may have written it: `bytes.lower` knows the letters of ASCII only, so the others come in both cases."""
    spellings = {text, text.lower(), text.upper()}
    codecs = ("utf-8", "cp1252")
    return frozenset(spelling.encode(codec, "replace").lower() for spelling in spellings for codec in codecs)


def _holds(raw: bytes, needles: frozenset[bytes]) -> bool:
    lowered = raw.lower()
    return any(needle in lowered for needle in needles)
