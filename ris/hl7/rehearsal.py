"""What a message would do: the intake itself runs, in a transaction that is always rolled back.

No row stays, no number of a sequence is used up, nobody is woken, nothing is sent.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import sessionmaker

from ris.base import sequence
from ris.base.session import RowSession
from ris.base.uow import SYSTEM, Actor, UnitOfWork
from ris.hl7 import ack, er7
from ris.hl7.charset import codec_for, decode, encode
from ris.hl7.intake import Intake
from ris.hl7.outbound import store
from ris.hl7.written import Row, Written
from ris.journal.model import Message, MessageState
from ris.outbox.model import Delivery, StoredEvent
from ris.outbox.transport import CannotBuild, NothingToTell
from ris.partner.model import Destination
from ris.partner.queries import PartnerRow
from ris.program import Program

PLACE = "test bench"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that somebody would be sent."""

    destination: str
    event: str
    message: str
    text: str
    """Empty when there would be none."""
    why_not: str
    is_held: bool


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What would become of the message."""

    state: MessageState
    partner_id: int | None
    """Whose message it would be."""
    answer: bytes
    """Empty when the sender wants none."""
    error: str
    written: Written
    outgoing: tuple[Outgoing, ...]

    @property
    def events(self) -> list[Row]:
        """What would have happened, in its order."""
        return [row for row in self.written.rows if row.table == StoredEvent.__tablename__]


def rehearse(program: Program, raw: bytes, partner_id: int | None = None) -> Rehearsed | None:
    """Runs the intake on the bytes, as from the given partner or from the one that MSH names; None when the database is away."""
    stage = _Stage(program)
    (answer,) = _Intake(stage, partner_id).take([(raw, PLACE)])
    if stage.written is None:
        return None
    entry = next(row.values for row in stage.written.rows if row.table == Message.__tablename__)
    return Rehearsed(MessageState(entry["state"]), entry["partner_id"], answer or b"", entry["error"], stage.written, tuple(stage.outgoing))


def as_sent(text: str) -> bytes:
    """The bytes of a pasted text, one segment a line, in the character set that it declares, else UTF-8. Never raises."""
    lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
    joined = er7.join(lines)
    return encode(joined, codec_for(ack.header(joined.encode()).character_set) or "utf-8").raw


class _Intake(Intake):
    """Takes every message for the chosen partner's, if one was chosen."""

    def __init__(self, stage: "_Stage", partner_id: int | None) -> None:
        super().__init__(stage)
        self._partner_id = partner_id

    def _partner(self, header: ack.Header) -> PartnerRow | None:
        if self._partner_id is None:
            return super()._partner(header)
        known = self._partners.by_name.values() if self._partners else ()
        return next((row for row in known if row.id == self._partner_id), None)


class _Stage(Program):
    """The program with units of work that end with a rollback, after they were looked at."""

    def __init__(self, program: Program) -> None:
        self.settings, self.clock, self.hooks = program.settings, program.clock, program.hooks
        self.engine, self.sessions = program.engine, program.sessions
        self._sessions = sessionmaker(program.engine, class_=_Session, expire_on_commit=False, autoflush=False)
        self.written: Written | None = None
        self.outgoing: list[Outgoing] = []

    def uow(self, actor: Actor = SYSTEM) -> UnitOfWork:
        session = self._sessions()
        session.info["settings"] = self.settings
        return _Unit(self, session, actor)


class _Session(RowSession):
    """Keeps what it writes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.written = Written()

    def write(self) -> list[Any]:
        self.written.note(self, self._fresh, self._appended)
        return super().write()


class _Unit(UnitOfWork):
    def __init__(self, stage: _Stage, session: _Session, actor: Actor) -> None:
        super().__init__(session, actor, clock=stage.clock, hooks=stage.hooks)
        self._stage = stage
        self._kept = session.written
        self._given: dict[str, int] = {}

    def reserve(self, count: int, *names: str) -> None:
        """The numbers that would come next, without taking them."""
        for name in names:
            last = self._given.get(name) or sequence.last(self.session, name)
            self._given[name] = last + count
            self._numbers[name] = list(range(last + 1, last + count + 1))[::-1] + self._numbers[name]

    def commit(self) -> None:
        """Looks at everything that would be there now, and takes it back."""
        try:
            self.finish()
            rows = list(self._kept.rows)
            told = [row.values["id"] for row in rows if row.table == Delivery.__tablename__]
            self._stage.outgoing = [_outgoing(self, delivery_id) for delivery_id in told]
            self._stage.written = Written(rows)
        finally:
            self.session.rollback()


def _outgoing(uow: UnitOfWork, delivery_id: int) -> Outgoing:
    delivery = uow.session.get_one(Delivery, delivery_id)
    event = uow.session.get_one(StoredEvent, delivery.event_id)
    destination = uow.session.get_one(Destination, delivery.destination_id)
    (made,) = store.build(uow.session, [(delivery, event)], destination, uow.now)
    text = why_not = ""
    if isinstance(made, CannotBuild | NothingToTell):
        why_not = str(made)
    else:
        text = decode(made.payload, destination.charset).text.replace("\r", "\n")
    return Outgoing(destination.name, event.name, delivery.message, text, why_not, destination.held)
