"""After an abnormal exit: messages one at a time, each counted before it is begun, until the program is past what stopped it."""

import logging
import time
from collections.abc import Sequence

import sqlalchemy as sa

from ris.base.alive import Sign
from ris.base.errors import Unavailable
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Actor, UnitOfWork
from ris.hl7.incoming import Incoming
from ris.hl7.intake import Intake
from ris.hl7.refusal import Fault
from ris.journal import service as journal
from ris.journal.model import MessageState, ProcessRun, Strike
from ris.program import Program
from ris.task import service as task

log = logging.getLogger(__name__)

STRIKES = 3
"""A message that was being worked on at so many abnormal exits is set aside."""
CAREFUL_MESSAGES = 200
"""After so many without a stop the listener trusts its messages again."""
LEARN_S = 1.0
"""So long a listener may not know what another one has set aside."""
PROCESS = "listener"
_ACTOR = Actor("system", 0, "HL7 intake")


class Run:
    """One run of a listener, from its begin to `end`; others see that its process is alive."""

    def __init__(self, program: Program, process: str = PROCESS) -> None:
        self._program = program
        self.id = new_id()
        # Shown before the row is there: nobody finds a run without a sign that has only just begun.
        self._sign = self._sign_of(self.id)
        self._sign.show()
        with program.uow() as uow:
            self.after_abnormal_exit = self._end_dead(uow, process)
            uow.add(ProcessRun(id=self.id, process=process, started_at=uow.now, ended_at=None))
        if self.after_abnormal_exit:
            log.warning("a run came to no end: %d messages are taken one at a time", CAREFUL_MESSAGES)

    def end(self) -> None:
        """Writes that it was stopped in order."""
        with self._program.uow() as uow:
            uow.touch()
            uow.session.get_one(ProcessRun, self.id).ended_at = uow.now
        self._sign.take_down()

    def _end_dead(self, uow: UnitOfWork, process: str) -> bool:
        """Whether a run came to no end although its process is gone: this one is careful in its place."""
        found = False
        for run in uow.session.scalars(sa.select(ProcessRun).where(ProcessRun.process == process, ProcessRun.ended_at.is_(None))):
            sign = self._sign_of(run.id)
            if sign.show():
                uow.touch()
                run.ended_at, found = uow.now, True
                sign.take_down()
        return found

    def _sign_of(self, run_id: int) -> Sign:
        return Sign(self._program.engine, self._program.settings.data.dir, f"run-{run_id}")


class CarefulIntake(Intake):
    """Commits a strike before it begins a message, and takes it back after; the third strike sets the message aside for good."""

    def __init__(self, program: Program, *, after_abnormal_exit: bool) -> None:
        super().__init__(program)
        self._left = CAREFUL_MESSAGES if after_abnormal_exit else 0
        self._set_aside: set[str] = set()
        self._learn()

    def take(self, frames: Sequence[tuple[bytes, str]]) -> list[bytes | None]:
        """As `Intake.take`; what waits beyond the careful part is taken in groups, without what is set aside."""
        if time.monotonic() - self._learned_at > LEARN_S:
            self._learn()
        careful, rest = frames[: self._left], frames[self._left :]
        answers = [self._take_one(raw, place) for raw, place in careful]
        if not self._set_aside:
            return answers + super().take(rest)
        marked = [(frame, self._is_set_aside(journal.digest(frame[0]))) for frame in rest]
        trusted = iter(super().take([frame for frame, is_set_aside in marked if not is_set_aside]))
        return answers + [self._quarantine(*frame) if is_set_aside else next(trusted) for frame, is_set_aside in marked]

    def _learn(self) -> None:
        """What listeners beside this one have set aside: it would stop this one as well."""
        try:
            with self.program.read() as session:
                self._set_aside.update(session.scalars(sa.select(Strike.digest).where(Strike.count >= STRIKES)))
        except sa.exc.SQLAlchemyError as error:
            log.error("what is set aside cannot be read: %s", type(error).__name__)
        self._learned_at = time.monotonic()

    def _is_set_aside(self, digest: str) -> bool:
        if digest in self._set_aside and self._is_let_in(digest):
            self._set_aside.discard(digest)
        return digest in self._set_aside

    def _is_let_in(self, digest: str) -> bool:
        """A person has let it in again since it was set aside."""
        try:
            with self.program.read() as session:
                return session.get(Strike, digest) is None
        except sa.exc.SQLAlchemyError:
            return False

    def _take_one(self, raw: bytes, place: str) -> bytes | None:
        digest = journal.digest(raw)
        if self._is_set_aside(digest):
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
                journal.forgive(uow, digest)
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
            first = journal.first_set_aside(uow, one.digest)
            entry = self._entry(uow, one)
            journal.record(uow, entry, MessageState.quarantined, ack_code=code, answer=one.answer or b"", error=f"207: {reason}")
            task.open(uow, "message_quarantined", Ref("message", first or entry.id), reason)

    def _unavailable(self, raw: bytes, place: str) -> bytes | None:
        return self._build(self._read_header(raw, place), Unavailable("it could not be stored: send it again later")).payload
