"""The chain that seals the audit trail: each link is a hash over the link before and one entry, so that nothing is altered unseen.

Entries are written unchained, in the transaction of the act; a sealer chains those that are committed and not yet sealed.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.audit.model import AuditEntry, AuditSeal
from ris.base.clock import utc_now
from ris.base.uow import UnitOfWork, service

ORIGIN = "0" * 64
"""What stands before the first link."""
SEALED_WITHIN = timedelta(minutes=5)
"""An entry that waits longer shows that no sealer runs."""
_RECENT = 3_600_000 << 22
"""One hour, in the units of `ris.base.ids`."""
_COMPARED = 100
"""So many broken links are compared with each other, to say which were swapped."""

_ENTRY = AuditEntry.__table__
_SEAL = AuditSeal.__table__
Row = Mapping[str, Any]


class Head(NamedTuple):
    """The end of the chain at some moment. Kept outside, it shows a cut or rebuilt chain."""

    position: int
    digest: str


@dataclass(frozen=True, slots=True)
class Problem:
    kind: str
    """changed, missing, swapped, broken link, late, unsealed or not the chain that was."""
    entry_id: int | None
    position: int | None
    text: str

    def __str__(self) -> str:
        return self.text


class _Link(NamedTuple):
    """A seal with the entry that it names, as both are now."""

    position: int
    entry_id: int
    sealed_at: datetime
    digest: str
    before: str
    """The digest of the link before."""
    follows: bool
    """Whether the link before has the position before."""
    entry: Row | None


# ── sealing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def is_waiting(session: Session) -> bool:
    """Whether an entry of the last hour waits to be sealed: a cheap look before a unit of work."""
    return bool(session.execute(_unsealed(session, everything=False).limit(1)).first())


@service
def seal(uow: UnitOfWork, *, everything: bool = False, limit: int = 2000) -> int:
    """Chains entries that are committed and not yet sealed, in the order of their keys; returns how many.

    Looks back one hour before the newest sealed entry, because keys commit out of order; `everything` looks at the whole trail.
    """
    session = uow.session
    position, digest = head(session)
    rows = session.execute(_unsealed(session, everything=everything).limit(limit)).mappings().all()
    for row in rows:
        position, digest = position + 1, _digest(digest, dict(row))
        uow.append(AuditSeal, {"position": position, "entry_id": row["id"], "sealed_at": uow.now, "digest": digest})
    return len(rows)


def head(session: Session) -> Head:
    newest = session.execute(sa.select(_SEAL.c.position, _SEAL.c.digest).order_by(_SEAL.c.position.desc()).limit(1)).first()
    return Head(*newest) if newest else Head(0, ORIGIN)


def _unsealed(session: Session, *, everything: bool) -> sa.Select[Any]:
    wanted = sa.select(_ENTRY).where(~sa.exists().where(_SEAL.c.entry_id == _ENTRY.c.id)).order_by(_ENTRY.c.id)
    if everything:
        return wanted
    newest = session.scalar(sa.select(_SEAL.c.entry_id).order_by(_SEAL.c.entry_id.desc()).limit(1)) or 0
    return wanted.where(_ENTRY.c.id > newest - _RECENT)


def canonical(row: Row) -> str:
    """One text for one entry, whichever engine it was read from."""
    values = {name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _digest(before: str, row: Row) -> str:
    return hashlib.sha256(f"{before}\n{canonical(row)}".encode()).hexdigest()


# ── verifying ────────────────────────────────────────────────────────────────────────────────────────────────────────


def verify(session: Session, *, known: Sequence[Head] = (), now: datetime | None = None) -> list[Problem]:
    """Walks the whole chain; an empty list when every link fits.

    `known` are heads that were handed outside earlier: the chain must still lead through each.
    """
    broken: list[_Link] = []
    problems: list[Problem] = []
    recomputed = ORIGIN
    lateness = _Lateness()
    for link in _links(session):
        if not link.follows:
            problems.append(Problem("broken link", link.entry_id, link.position, f"seals before seal {link.position} are missing"))
        if link.entry is None:
            text = f"entry {link.entry_id} is missing: seal {link.position} names it"
            problems.append(Problem("missing", link.entry_id, link.position, text))
            recomputed = link.digest
            continue
        # Where only the seal before was altered, this link still fits what that seal should be.
        if link.follows and link.digest not in (_digest(link.before, link.entry), _digest(recomputed, link.entry)):
            broken.append(link)
        recomputed = _digest(link.before, link.entry)
        problems += lateness.of(link, link.entry)
    return [
        *problems,
        *_explained(broken),
        *_not_led_through(session, known),
        *_overdue(session, now or utc_now()),
    ]


def _links(session: Session) -> Iterator[_Link]:
    """Every seal in order with its entry, read in pages by the seals' primary key."""
    position, digest = 0, ORIGIN
    while page := _page(session, position):
        for row in page:
            entry = {c.name: row[f"entry__{c.name}"] for c in _ENTRY.c} if row["entry__id"] is not None else None
            yield _Link(row["position"], row["entry_id"], row["sealed_at"], row["digest"], digest, row["position"] == position + 1, entry)
            position, digest = row["position"], row["digest"]


def _page(session: Session, after: int) -> Sequence[sa.RowMapping]:
    wanted = (
        sa.select(_SEAL, *(c.label(f"entry__{c.name}") for c in _ENTRY.c))
        .outerjoin(_ENTRY, _ENTRY.c.id == _SEAL.c.entry_id)
        .where(_SEAL.c.position > after)
        .order_by(_SEAL.c.position)
        .limit(2000)
    )
    return session.execute(wanted).mappings().all()


class _Lateness:
    """Finds entries that were slipped in: with an old key and time, but sealed long after their neighbours."""

    def __init__(self) -> None:
        self.newest_id = 0
        self.batch: datetime | None = None
        self.batch_before: datetime | None = None

    def of(self, link: _Link, entry: Row) -> Iterator[Problem]:
        if link.sealed_at != self.batch:
            self.batch, self.batch_before = link.sealed_at, self.batch
        if self.batch_before and link.entry_id < self.newest_id and entry["at"] < self.batch_before - SEALED_WITHIN:
            yield Problem("late", link.entry_id, link.position, f"entry {link.entry_id} came in long after the time that it names")
        self.newest_id = max(self.newest_id, link.entry_id)


def _explained(broken: list[_Link]) -> Iterator[Problem]:
    """A link that does not fit: its entry was exchanged with another one's, or changed, or the link itself was."""
    swapped = dict(_swaps(broken[:_COMPARED]))
    for link in broken:
        other = swapped.get(link.entry_id)
        if other:
            yield Problem("swapped", link.entry_id, link.position, f"entry {link.entry_id} is swapped with entry {other}")
        else:
            yield Problem("changed", link.entry_id, link.position, f"entry {link.entry_id} or its seal {link.position} is changed")


def _swaps(broken: list[_Link]) -> Iterator[tuple[int, int]]:
    """Pairs whose contents, or whose places in the chain, were exchanged: the other's content fits the link."""
    for link in broken:
        for other in broken:
            content = other.entry or {}
            if other is not link and link.digest in (_digest(link.before, content), _digest(link.before, {**content, "id": link.entry_id})):
                yield link.entry_id, other.entry_id


def _not_led_through(session: Session, known: Sequence[Head]) -> Iterator[Problem]:
    for position, digest in known:
        there = ORIGIN if position == 0 else session.scalar(sa.select(_SEAL.c.digest).where(_SEAL.c.position == position))
        if there != digest:
            what = "is cut off" if there is None else "has another digest"
            yield Problem("not the chain that was", None, position, f"seal {position} {what}: it is not what was handed out")


def _overdue(session: Session, now: datetime) -> Iterator[Problem]:
    waits = sa.select(_ENTRY.c.id).where(_ENTRY.c.at < now - SEALED_WITHIN, ~sa.exists().where(_SEAL.c.entry_id == _ENTRY.c.id))
    for entry_id in session.scalars(waits.order_by(_ENTRY.c.id).limit(_COMPARED)):
        yield Problem("unsealed", entry_id, None, f"entry {entry_id} is not sealed after {SEALED_WITHIN.seconds // 60} minutes")
