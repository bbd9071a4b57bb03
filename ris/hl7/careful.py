"""After an abnormal exit: messages one at a time, each counted before it is begun, until the program is past what stopped it.

A process also ends by a kill, a full memory or a power cut while an innocent message is in work, and more than once. So what was
in work at two ends is under suspicion, no more: it is taken in a process of its own, and set aside only when that dies of it.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from ris.base.alive import Sign
from ris.base.errors import Unavailable
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Actor, UnitOfWork
from ris.hl7.incoming import Incoming
from ris.hl7.intake import AWAY, Intake
from ris.hl7.refusal import Fault
from ris.journal import service as journal
from ris.journal.model import MessageState, ProcessRun, Strike
from ris.program import Program
from ris.task import service as task

log = logging.getLogger(__name__)

STRIKES = 3
"""A message is set aside with so many: one for each abnormal exit while it alone was in work, the last for that of its own process."""
CAREFUL_MESSAGES = 200
"""After so many without a stop the listener trusts its messages again."""
LEARN_S = 1.0
"""So long a listener may not know what another one has set aside."""
PROCESS = "listener"
_ACTOR = Actor("system", 0, "HL7 intake")

TakeAlone = Callable[[bytes, str], bytes | None]
"""The answer to a message (bytes, place of the sender) that is taken in a process of its own; raises Deadly, or Unavailable."""


class Deadly(Exception):
    """A message ended the process that took it alone."""


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
    """Commits a strike before it begins a message, and takes it back after; what dies alone too is set aside for good."""

    _alone = threading.Lock()
    """Of all intakes of the process: while they are careful, one message is in work."""

    def __init__(self, program: Program, *, after_abnormal_exit: bool, take_alone: TakeAlone) -> None:
        super().__init__(program)
        self._left = CAREFUL_MESSAGES if after_abnormal_exit else 0
        self._take_alone = take_alone
        self._set_aside: set[str] = set()
        self._learn()

    def take(self, frames: Sequence[tuple[bytes, str]]) -> list[bytes | None]:
        """As `Intake.take`; what waits beyond the careful part is taken in groups, without what is set aside."""
        if time.monotonic() - self._learned_at > LEARN_S:
            self._learn()
        careful, rest = frames[: self._left], frames[self._left :]
        answers = [self._take_carefully(raw, place) for raw, place in careful]
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

    def _take_carefully(self, raw: bytes, place: str) -> bytes | None:
        digest = journal.digest(raw)
        if self._is_set_aside(digest):
            return self._quarantine(raw, place)
        with self._alone:
            return self._take_one(raw, place, digest)

    def _take_one(self, raw: bytes, place: str, digest: str) -> bytes | None:
        try:
            answer = self._take_suspect(raw, place) if self._is_suspect(digest) else super().take([(raw, place)])[0]
        except Deadly:
            return self._convict(raw, place, digest)
        except sa.exc.SQLAlchemyError as error:
            log.error("a strike cannot be counted: %s", type(error).__name__)
            return self._unavailable(raw, place)
        except Unavailable:
            return self._unavailable(raw, place)
        self._left -= 1
        self._forgive(digest)
        return answer

    def _take_suspect(self, raw: bytes, place: str) -> bytes | None:
        log.warning("a message that was in work at %d abnormal exits is taken in a process of its own", STRIKES - 1)
        return self._take_alone(raw, place)

    def _is_suspect(self, digest: str) -> bool:
        """Counts a strike for what is not suspected yet: taken back after it, unless there is no after."""
        with self.program.uow(_ACTOR) as uow:
            strike = uow.session.get(Strike, digest) or uow.add(Strike(digest=digest, count=0, at=uow.now))
            if strike.count >= STRIKES - 1:
                return True
            uow.touch()
            strike.count, strike.at = strike.count + 1, uow.now
            return False

    def _convict(self, raw: bytes, place: str, digest: str) -> bytes | None:
        log.error("a message ended the process that took it alone: it is set aside")
        self._set_aside.add(digest)
        try:
            with self.program.uow(_ACTOR) as uow:
                uow.touch()
                strike = uow.session.get_one(Strike, digest)
                strike.count, strike.at = STRIKES, uow.now
        except sa.exc.SQLAlchemyError as error:
            log.error("it is not remembered that a message is set aside: %s", type(error).__name__)
            return self._unavailable(raw, place)
        return self._quarantine(raw, place)

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
        return self._build(self._read_header(raw, place), AWAY).payload
