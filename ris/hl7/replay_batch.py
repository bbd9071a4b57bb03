"""Many messages replayed one after the other: chosen once, gone through in slices, by whoever looks at it."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ris.base.errors import Invalid, NotAllowedNow
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Actor, Event, UnitOfWork, service
from ris.hl7.replay import replay
from ris.journal.model import Message, ReplayBatch, ReplayItem
from ris.program import Program

MOST = 1_000
LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Progress:
    batch_id: int
    by: str
    at: datetime
    total: int
    outcomes: dict[str, int]
    """applied, refused, repeated or left out, each with its number."""

    @property
    def done(self) -> int:
        return sum(self.outcomes.values())


@service
def begin(uow: UnitOfWork, message_ids: Collection[int]) -> int:
    """Writes down what is to be replayed, unchanged and in the order of their keys; returns the batch's id. Raises Invalid."""
    if not 0 < len(message_ids) <= MOST:
        raise Invalid(f"a batch has one message at least and {MOST} at the most")
    batch = uow.add(ReplayBatch(id=new_id(), at=uow.now, by_id=uow.actor.id, by_name=uow.actor.name))
    for message_id in message_ids:
        uow.append(ReplayItem, {"batch_id": batch.id, "message_id": message_id, "outcome": "", "replay_id": None})
    uow.emit(Event("replay.begun", Ref("replay_batch", batch.id), facts={"messages": len(message_ids)}))
    return batch.id


def go_on(program: Program, batch_id: int, by: Actor, seconds: float = 2.0) -> None:
    """Replays what waits in the batch until the time is over; whoever goes on after a stop begins where it ended."""
    until = time.monotonic() + seconds
    while (message_id := _next(program, batch_id)) is not None:
        outcome, replay_id = _replayed(program, message_id, by)
        with program.uow(by) as uow:
            uow.session.execute(
                sa.update(ReplayItem)
                .where(ReplayItem.batch_id == batch_id, ReplayItem.message_id == message_id)
                .values(outcome=outcome, replay_id=replay_id)
            )
        if time.monotonic() > until:
            return


def progress(session: Session, batch_id: int) -> Progress | None:
    batch = session.get(ReplayBatch, batch_id)
    if batch is None:
        return None
    rows = session.execute(
        sa.select(ReplayItem.outcome, sa.func.count()).where(ReplayItem.batch_id == batch_id).group_by(ReplayItem.outcome)
    )
    counted = {outcome: count for outcome, count in rows}  # noqa: C416 (rows have types)
    waiting = counted.pop("", 0)
    return Progress(batch.id, batch.by_name, batch.at, waiting + sum(counted.values()), counted)


@dataclass(frozen=True, slots=True)
class Item:
    message_id: int
    kind: str
    control_id: str
    outcome: str
    """Empty while it waits."""
    replay_id: int | None
    error: str
    """Why it was refused again."""


def items(session: Session, batch_id: int) -> list[Item]:
    """Every message of the batch, in the order in which they are replayed."""
    again = aliased(Message)
    rows = session.execute(
        sa.select(Message.id, Message.kind, Message.control_id, ReplayItem.outcome, ReplayItem.replay_id, sa.func.coalesce(again.error, ""))
        .join(ReplayItem, ReplayItem.message_id == Message.id)
        .outerjoin(again, again.id == ReplayItem.replay_id)
        .where(ReplayItem.batch_id == batch_id)
        .order_by(Message.id)
    )
    return [Item(*row) for row in rows]


def _next(program: Program, batch_id: int) -> int | None:
    with program.read() as session:
        waiting = sa.select(ReplayItem.message_id).where(ReplayItem.batch_id == batch_id, ReplayItem.outcome == "")
        return session.scalar(waiting.order_by(ReplayItem.message_id).limit(1))


def _replayed(program: Program, message_id: int, by: Actor) -> tuple[str, int | None]:
    """What somebody else has solved in the meantime is left out."""
    try:
        done = replay(program, message_id, by)
    except NotAllowedNow:
        return LEFT_OUT, None
    return done.state.value, done.message_id
