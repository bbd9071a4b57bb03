"""Merges that are proposed: likely pairs as the last look through all patients found them, and those who were told apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ris.base.errors import NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.patient import duplicates
from ris.patient.duplicates import Pair
from ris.patient.guard import Alike
from ris.patient.model import DuplicateSearch, MergeProposal, Patient
from ris.patient.name import called


@dataclass(frozen=True, slots=True)
class Proposal:
    proposal_id: int
    one: Alike
    """The older record; what agrees and what differs is said of both alike."""
    other: Alike
    found_at: datetime

    @property
    def score(self) -> int:
        return self.one.score


@dataclass(frozen=True, slots=True)
class ToldApart:
    proposal_id: int
    one_id: int
    one_name: str
    other_id: int
    other_name: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Looked:
    """The last look through all patients, and whether another one was asked for."""

    ended_at: datetime | None
    is_asked: bool


_One, _Other = aliased(Patient), aliased(Patient)
_PAIRED = sa.join(sa.join(MergeProposal, _One, _One.id == MergeProposal.one_id), _Other, _Other.id == MergeProposal.other_id)
_BOTH_THERE = (_One.merged_into_id.is_(None), _Other.merged_into_id.is_(None))


def proposed(session: Session, *, patient_id: int | None = None, limit: int = 200) -> list[Proposal]:
    """The likeliest first, compared as they are now: who was merged, told apart or corrected since is left out."""
    wanted = sa.select(MergeProposal).select_from(_PAIRED).where(MergeProposal.told_apart_at.is_(None), *_BOTH_THERE)
    if patient_id is not None:
        wanted = wanted.where((MergeProposal.one_id == patient_id) | (MergeProposal.other_id == patient_id))
    rows = session.scalars(wanted.order_by(MergeProposal.score.desc(), MergeProposal.id).limit(limit)).all()
    pairs = [(row, duplicates.compare(session, row.one_id, row.other_id)) for row in rows]
    return [Proposal(row.id, *pair, row.found_at) for row, pair in pairs if pair is not None and duplicates.is_likely(pair[0])]


def told_apart(session: Session, limit: int = 100) -> list[ToldApart]:
    """The newest first."""
    rows = session.execute(
        sa.select(MergeProposal, _One.family, _One.given, _Other.family, _Other.given)
        .select_from(_PAIRED)
        .where(MergeProposal.told_apart_at.is_not(None), *_BOTH_THERE)
        .order_by(MergeProposal.told_apart_at.desc(), MergeProposal.id)
        .limit(limit)
    )
    return [
        ToldApart(row.id, row.one_id, called(family, given), row.other_id, called(family_2, given_2), row.told_apart_by, row.told_apart_at)
        for row, family, given, family_2, given_2 in rows
        if row.told_apart_at is not None
    ]


def both(session: Session, proposal_id: int) -> tuple[int, int] | None:
    """The two patients of a proposal."""
    row = session.get(MergeProposal, proposal_id)
    return (row.one_id, row.other_id) if row is not None else None


def looked(session: Session) -> Looked:
    last = session.scalar(sa.select(sa.func.max(DuplicateSearch.ended_at)))
    return Looked(last, is_asked(session))


def is_asked(session: Session) -> bool:
    """Whether somebody waits for a look through all patients."""
    return session.scalar(sa.select(DuplicateSearch.id).where(DuplicateSearch.ended_at.is_(None)).limit(1)) is not None


@service
def ask(uow: UnitOfWork) -> None:
    """Asks the jobs for a look through all patients; who asks while one is asked for gets that one."""
    if not is_asked(uow.session):
        uow.add(_search(uow))


@service
def record(uow: UnitOfWork, found: Sequence[Pair]) -> int:
    """Takes what a look has found in the place of what the one before had found; those who were told apart stay so.

    Gives the number of pairs that are proposed.
    """
    known = {(row.one_id, row.other_id): row for row in uow.session.scalars(sa.select(MergeProposal))}
    now = {(pair.one_id, pair.other_id): pair for pair in found}
    uow.touch()
    for key, row in known.items():
        if key in now:
            row.score = now[key].score
        elif row.told_apart_at is None:
            uow.session.delete(row)
    for key, pair in now.items():
        if key not in known:
            uow.create(
                MergeProposal, id=new_id(), one_id=pair.one_id, other_id=pair.other_id, score=pair.score, found_at=uow.now,
                told_apart_at=None, told_apart_by="",
            )  # fmt: skip
    count = sum(key not in known or known[key].told_apart_at is None for key in now)
    asked = uow.session.scalars(sa.select(DuplicateSearch).where(DuplicateSearch.ended_at.is_(None))).all()
    for search in asked or [uow.add(_search(uow))]:
        search.ended_at, search.found = uow.now, count
    return count


@service
def tell_apart(uow: UnitOfWork, proposal_id: int) -> None:
    """They are not one person: it is remembered, and no look proposes them again. Again is no change. Raises NotFound."""
    row = _locked(uow, proposal_id)
    if row.told_apart_at is None:
        uow.touch()
        row.told_apart_at, row.told_apart_by = uow.now, uow.actor.name
        _tell(uow, "patient.told_apart", row)


@service
def propose_again(uow: UnitOfWork, proposal_id: int) -> None:
    """They were told apart by mistake. Again is no change. Raises NotFound."""
    row = _locked(uow, proposal_id)
    if row.told_apart_at is not None:
        uow.touch()
        row.told_apart_at, row.told_apart_by = None, ""
        _tell(uow, "patient.proposed_again", row)


def _search(uow: UnitOfWork) -> DuplicateSearch:
    return DuplicateSearch(id=new_id(), asked_at=uow.now, asked_by=uow.actor.name, ended_at=None, found=0)


def _locked(uow: UnitOfWork, proposal_id: int) -> MergeProposal:
    row = uow.session.get(MergeProposal, proposal_id, populate_existing=True, with_for_update=True)
    if row is None:
        raise NotFound("this pair is proposed no more")
    return row


def _tell(uow: UnitOfWork, name: str, row: MergeProposal) -> None:
    """Into the trail of both."""
    for patient_id, other_id in ((row.one_id, row.other_id), (row.other_id, row.one_id)):
        uow.emit(Event(name, Ref("patient", patient_id), patient_id=patient_id, facts={"other_id": other_id}))
