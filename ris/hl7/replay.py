"""A message that was not taken, given to the intake once more by a person: as it was, or corrected."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.base.ref import Ref
from ris.base.session import RowSession
from ris.base.uow import SYSTEM, Actor, Event, UnitOfWork
from ris.hl7 import ack, charset, er7, mllp
from ris.hl7.intake import Intake
from ris.journal import queries as journal
from ris.journal.model import NOT_TAKEN, Direction, Message, MessageState, Replay
from ris.journal.service import forgive
from ris.partner.queries import PartnerRow
from ris.program import Program


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of it."""

    message_id: int
    state: MessageState
    error: str


@dataclass(frozen=True, slots=True)
class _Task:
    """One message to be replayed, by whom and from what."""

    by: Actor
    origin_id: int
    source_id: int
    partner_id: int | None
    is_changed: bool


def replay(program: Program, source_id: int, by: Actor, raw: bytes | None = None) -> Replayed:
    """Applies a refused or quarantined message, with `raw` instead of its bytes where these are given.

    What is replayed is a message of its own in the journal, of the same partner, with its own answer that nobody is sent.
    Of all tries with one message at most one is applied, whoever tries at the same time.

    Raises:
        NotFound: there is no such message.
        NotAllowedNow: it was not refused, or a replay of it was applied.
    """
    with program.read() as session:
        source = _source(session, source_id)
        origin_id = journal.origin_of(session, source_id)
        _check_unsolved(session, origin_id)
    is_changed = raw is not None and raw != source.raw
    task = _Task(by, origin_id, source_id, source.partner_id, is_changed)
    again = _Again(program, task)
    _Intake(again).take([(source.raw if raw is None else raw, f"replay by {by.name}")])
    if again.done is None:
        raise NotAllowedNow("it could not be stored: try again")
    return again.done


def edited(source: Message, text: str) -> bytes:
    """The bytes of a text that a person has edited, one segment a line, in the character set that the text itself declares.

    Raises:
        Invalid: the text is no message, or has characters that the character set or the frame cannot hold.
    """
    if mllp.VT.decode() in text or mllp.FS.decode() in text:
        raise Invalid("the text holds characters that begin or end a frame")
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    message = er7.Message.parse("\r".join(lines))
    codec = charset.codec_for(ack.header(message).character_set) or source.charset
    encoded = charset.encode(er7.join(lines), codec)
    if encoded.replaced:
        raise Invalid(f"the text has characters that {codec} cannot hold")
    return encoded.raw


def check_can_be_replayed(session: Session, message_id: int) -> None:
    """Raises what `replay` would."""
    _source(session, message_id)
    _check_unsolved(session, journal.origin_of(session, message_id))


def _source(session: Session, message_id: int) -> Message:
    source = journal.message(session, message_id)
    if source is None:
        raise NotFound(f"message {message_id} does not exist")
    if source.direction is not Direction.inbound or source.state not in NOT_TAKEN:
        raise NotAllowedNow(f"the message is {source.state}: only what was refused or set aside is replayed")
    return source


def _check_unsolved(session: Session, origin_id: int) -> None:
    applied = journal.applied_replay(session, origin_id)
    if applied is not None:
        raise NotAllowedNow(f"it was replayed and applied already, as message {applied}")


class _Intake(Intake):
    """The message stays its partner's, whatever is written into MSH-3."""

    def __init__(self, again: "_Again") -> None:
        super().__init__(again)
        self._partner_id = again.task.partner_id

    def _partner(self, header: ack.Header) -> PartnerRow | None:
        known = self._partners.by_name.values() if self._partners else ()
        return next((row for row in known if row.id == self._partner_id), None) or super()._partner(header)


class _Again(Program):
    """The program with units of work that say, in the transaction of the effects, that a person replayed it."""

    def __init__(self, program: Program, task: _Task) -> None:
        self.settings, self.clock, self.hooks = program.settings, program.clock, program.hooks
        self.engine, self.sessions = program.engine, program.sessions
        self.task = task
        self.done: Replayed | None = None

    def uow(self, actor: Actor = SYSTEM) -> UnitOfWork:
        session = self.sessions()
        session.info["settings"] = self.settings
        return _Unit(self, session, actor)


class _Unit(UnitOfWork):
    def __init__(self, again: _Again, session: RowSession, actor: Actor) -> None:
        super().__init__(session, actor, clock=again.clock, hooks=again.hooks)
        self._again = again
        self._entry: dict[str, Any] = {}

    def lock(self, *keys: str) -> None:
        """Who replays the same message at the same moment waits, and is told that it is done."""
        super().lock(f"replay|{self._again.task.origin_id}", *keys)
        _check_unsolved(self.session, self._again.task.origin_id)

    def append(self, table: type[Any], values: dict[str, Any]) -> None:
        if table is Message:
            self._entry = values
        super().append(table, values)

    def commit(self) -> None:
        task, entry = self._again.task, self._entry
        # A repetition is of something that was applied.
        is_applied = entry["state"] in (MessageState.applied, MessageState.repeated)
        self.append(
            Replay,
            {
                "message_id": entry["id"], "origin_id": task.origin_id, "source_id": task.source_id, "is_applied": is_applied,
                "by_id": task.by.id, "by_name": task.by.name,
            },
        )  # fmt: skip
        if is_applied:
            # Sent again, these very bytes get the answer that is stored with them now.
            forgive(self, entry["digest"])
        self.actor = task.by
        facts = {"replay_id": entry["id"], "source_id": task.source_id, "changed": task.is_changed, "state": entry["state"].value}
        self.emit(Event("message.replayed", Ref("message", task.origin_id), facts=facts))
        super().commit()
        self._again.done = Replayed(entry["id"], entry["state"], entry["error"])
