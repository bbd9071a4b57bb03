"""Who may run jobs, and what has been run: a lease for the leader, a row for each run."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ris.base.errors import RisError
from ris.base.ids import new_id
from ris.bootstrap import Ris
from ris.outbox import lease
from ris.processes.job_model import JobRun, RunState

log = logging.getLogger(__name__)

LEADER_LEASE_S = 10.0
RUN_LEASE = timedelta(minutes=15)
"""A run that has said nothing for so long is taken up by another."""
RETRY = timedelta(minutes=5)
LATE = timedelta(minutes=10)


class Leader:
    """Only one `jobs` process among all runs anything; another takes over when its lease has run out or its process is gone."""

    def __init__(self, ris: Ris, name: str = "jobs") -> None:
        self.ris = ris
        self.name = name
        self.holder = lease.new_holder()
        self._grant: lease.Grant | None = None
        self._until: datetime | None = None

    @property
    def leads(self) -> bool:
        return self._until is not None and self.ris.clock() < self._until

    def renew(self) -> bool:
        """Takes or keeps the lead if nobody else has it; says whether this process leads."""
        now = self.ris.clock()
        self._grant = self._kept(now) or self._taken(now)
        self._until = now + timedelta(seconds=LEADER_LEASE_S) if self._grant else None
        return self._grant is not None

    def _kept(self, now: datetime) -> lease.Grant | None:
        if self._grant is None:
            return None
        with self.ris.uow() as uow:
            return self._grant if lease.renew(uow.session, self._grant, now=now, seconds=LEADER_LEASE_S) else None

    def _taken(self, now: datetime) -> lease.Grant | None:
        with self.ris.read() as session:
            if not lease.is_free(session, self.name, now):
                return None
        with self.ris.uow() as uow:
            return lease.take(uow.session, self.name, self.holder, now=now, seconds=LEADER_LEASE_S)

    def resign(self) -> None:
        """Lets the next one lead at once."""
        if self._grant:
            with self.ris.uow() as uow:
                lease.release(uow.session, self._grant)
        self._grant = self._until = None


class Runs:
    """The run table: unique by job and due moment, so that nothing is done twice, whoever asks."""

    def __init__(self, ris: Ris) -> None:
        self.ris = ris
        self.holder = lease.new_holder()

    def run(self, job: str, due: datetime, work: Callable[[], str]) -> str:
        """Does the work unless it is done or under way; says what came of it. A failure is noted and raised no further."""
        run_id = self._claim(job, due)
        if run_id is None:
            return f"{job} for {due:%Y-%m-%d %H:%M} is done or under way"
        late = "late; " if self.ris.clock() - due > LATE else ""
        try:
            detail = late + work()
        except Exception as error:
            log.exception("%s for %s failed", job, due.date())
            reason = error.message if isinstance(error, RisError) else type(error).__name__
            self._end(run_id, RunState.failed, reason)
            return f"{job} for {due:%Y-%m-%d %H:%M} failed: {reason}"
        self._end(run_id, RunState.done, detail)
        return f"{job} for {due:%Y-%m-%d %H:%M}: {detail}"

    def last_done(self, job: str) -> datetime | None:
        """The newest moment for which it was done."""
        with self.ris.read() as session:
            return session.scalar(sa.select(sa.func.max(JobRun.due)).where(JobRun.job == job, JobRun.state == RunState.done))

    def unfinished(self, job: str) -> list[datetime]:
        """Moments for which it was begun and has not been done."""
        with self.ris.read() as session:
            return list(session.scalars(sa.select(JobRun.due).where(JobRun.job == job, JobRun.state != RunState.done)))

    def begin_at(self, job: str, due: datetime) -> datetime:
        """A new installation owes nothing for the nights before it was there."""
        run_id = self._claim(job, due)
        if run_id is not None:
            self._end(run_id, RunState.done, "installed: nothing was due before")
        return due

    def _claim(self, job: str, due: datetime) -> int | None:
        """The row of the run when it is this one's to do, committed before the work begins."""
        now = self.ris.clock()
        try:
            with self.ris.uow() as uow:
                row = uow.session.scalars(
                    sa.select(JobRun).where(JobRun.job == job, JobRun.site == "", JobRun.due == due).with_for_update()
                ).one_or_none()
                if row is None:
                    row = JobRun(id=new_id(), job=job, site="", due=due, attempts=0)
                    uow.session.add(row)
                elif row.state is RunState.done or row.lease_until > now:
                    return None
                row.state, row.holder, row.started_at, row.ended_at = RunState.started, self.holder, now, None
                row.lease_until, row.attempts = now + RUN_LEASE, row.attempts + 1
                return row.id
        except IntegrityError:  # somebody else claimed it at the same moment
            return None

    def _end(self, run_id: int, state: RunState, detail: str) -> None:
        """Notes the end, unless another has taken the run up meanwhile."""
        now = self.ris.clock()
        with self.ris.uow() as uow:
            uow.session.execute(
                sa.update(JobRun)
                .where(JobRun.id == run_id, JobRun.holder == self.holder)
                .values(state=state, ended_at=now, lease_until=now + RETRY, detail=detail)
            )
