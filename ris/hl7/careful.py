"""After an abnormal exit: messages one at a time, each counted before it is begun, until the program is past what stopped it."""

import logging
from collections.abc import Sequence

import sqlalchemy as sa

from ris.base.errors import Unavailable
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Actor
from ris.hl7.incoming import Incoming
from ris.hl7.intake import Intake
from ris.hl7.refusal import Fault
from ris.journal import service as journal
from ris.journal.model import Message, MessageState, ProcessRun, Strike
from ris.program import Program
from ris.task import service as task

log = logging.getLogger(__name__)

STRIKES = 3
"""A message that was being worked on at so many abnormal exits is set aside."""
CAREFUL_MESSAGES = 200
"""After so many without a stop the listener trusts its messages again."""
PROCESS = "listener"
_ACTOR = Actor("system", 0, "HL7 intake")


def begin_run(program: Program, process: str = PROCESS) -> tuple[int, bool]:
    """Writes that a process runs: the key of its run, and whether the run before it came to no end."""
    with program.uow() as uow:
        last = uow.session.scalars(
            sa.select(ProcessRun).where(ProcessRun.process == process).order_by(ProcessRun.started_at.desc(), ProcessRun.id.desc()).limit(1)
        ).one_or_none()
        run = uow.add(ProcessRun(id=new_id(), process=process, started_at=uow.now, ended_at=None))
        return run.id, last is not None and last.ended_at is None


def end_run(program: Program, run_id: int) -> None:
    """Writes that it was stopped in order."""
    with program.uow() as uow:
        uow.touch()
        uow.session.get_one(ProcessRun, run_id).ended_at = uow.now


class CarefulIntake(Intake):
    """Commits a strike before it begins a message, and takes it back after; the third strike sets the message aside for good."""

    def __init__(self, program: Program, *, after_abnormal_exit: bool) -> None:
        super().__init__(program)
        self._left = CAREFUL_MESSAGES if after_abnormal_exit else 0
        with program.read() as session:
            self._set_aside = set(session.scalars(sa.select(Strike.digest).where(Strike.count >= STRIKES)))
        if self._left:
            log.warning("the last run came to no end: %d messages are taken one at a time", self._left)

    def take(self, frames: Sequence[tuple[bytes, str]]) -> list[bytes | None]:
        """As `Intake.take`; what waits beyond the careful part is taken in groups, without what is set aside."""
        careful, rest = frames[: self._left], frames[self._left :]
        answers = [self._take_one(raw, place) for raw, place in careful]
        if not self._set_aside:
            return answers + super().take(rest)
        trusted = iter(super().take([frame for frame in rest if not self._is_set_aside(frame)]))
        return answers + [self._quarantine(*frame) if self._is_set_aside(frame) else next(trusted) for frame in rest]

    def _is_set_aside(self, frame: tuple[bytes, str]) -> bool:
        return journal.digest(frame[0]) in self._set_aside

    def _take_one(self, raw: bytes, place: str) -> bytes | None:
        digest = journal.digest(raw)
        if digest in self._set_aside:
            return self._quarantine(raw, place)
        try:
            strikes = self._strike(digest)
        except sa.exc.SQLAlchemyError as error:
            log.error("a strike cannot be counted: %s", type(error).__name__)
            return self._unavailable(raw, place)
        if strikes >= STRIKES:
            self._set_aside.add(digest)
            return self._quarantine(raw, place)
        (answer,) = super().take([(raw, place)])
        self._left -= 1
        self._forgive(digest)
        return answer

    def _strike(self, digest: str) -> int:
        """How often this message has been begun, with this time."""
        with self.program.uow(_ACTOR) as uow:
            strike = uow.session.get(Strike, digest) or uow.add(Strike(digest=digest, count=0, at=uow.now))
            uow.touch()
            strike.count, strike.at = strike.count + 1, uow.now
            return strike.count

    def _forgive(self, digest: str) -> None:
        try:
            with self.program.uow(_ACTOR) as uow:
                uow.session.execute(sa.delete(Strike).where(Strike.digest == digest))
        except sa.exc.SQLAlchemyError as error:
            log.error("a strike cannot be taken back: %s", type(error).__name__)

    def _quarantine(self, raw: bytes, place: str) -> bytes | None:
        """AE 207, the bytes for a person to look at, and one task that says so, however often it comes again."""
        try:
            self._refresh_partners()
            one = self._read_header(raw, place)
            one.answer, code = self._build(one, Fault())
            self._keep(one, code)
        except sa.exc.SQLAlchemyError as error:
            log.error("a message cannot be set aside: %s", type(error).__name__)
            return self._unavailable(raw, place)
        return one.answer

    def _keep(self, one: Incoming, code: str) -> None:
        reason = f"it stopped the program {STRIKES} times"
        with self.program.uow(_ACTOR) as uow:
            before = uow.session.scalars(
                sa.select(Message.id).where(Message.digest == one.digest, Message.state == MessageState.quarantined).limit(1)
            ).one_or_none()
            entry = self._entry(uow, one)
            journal.record(uow, entry, MessageState.quarantined, ack_code=code, answer=one.answer or b"", error=f"207: {reason}")
            if before is None:
                task.open(uow, "message_quarantined", Ref("message", entry.id), reason)

    def _unavailable(self, raw: bytes, place: str) -> bytes | None:
        return self._build(self._read_header(raw, place), Unavailable("it could not be stored: send it again later")).payload
