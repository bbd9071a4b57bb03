"""Runs by the clock: which jobs there are, when they are due, and the loop that runs them where this process leads."""

import logging
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from ris.audit import seal
from ris.bootstrap import Ris
from ris.critical import escalation
from ris.distribution import late
from ris.exports import charges_csv, downtime
from ris.order import desk as orders
from ris.order import orderers
from ris.patient import duplicates, proposals
from ris.post import folder
from ris.processes import backup, signatures
from ris.processes.runs import Leader, Runs
from ris.referrer import service as referrers
from ris.report import publication
from ris.staff import service as staff

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Nightly:
    """Due once a day, UTC; `setting` names the time in `[jobs]`."""

    work: Callable[[Ris, datetime], str]
    """Program and the moment it was due; gives a line for the run table."""
    setting: str
    every_missed_day: bool
    """False where only the newest missed day makes sense."""
    wanted: Callable[[Ris], bool] = lambda _: True

    def due_on(self, ris: Ris, day: date) -> datetime:
        return datetime.combine(day, time.fromisoformat(getattr(ris.settings.jobs, self.setting)), UTC)


@dataclass(frozen=True, slots=True)
class Often:
    """Looks whether there is work, every few seconds, on the leader only; doing it twice changes nothing."""

    work: Callable[[Ris], str]
    seconds: float


def export_charges(ris: Ris, due: datetime) -> str:
    path = charges_csv.write(ris, due.date(), min(due, ris.clock()))
    return path.name


def verify_signatures(ris: Ris, due: datetime) -> str:
    return signatures.verify(ris)


def back_up(ris: Ris, due: datetime) -> str:
    path = backup.backup(ris)
    backup.prune(path.parent, ris.settings.jobs.backups_kept)
    return path.name


def publish_reports(ris: Ris) -> str:
    """Asks with a read first: a unit of work would queue with the writers for nothing."""
    with ris.read() as session:
        if not publication.is_due(session, ris.clock()):
            return "nothing was due"
    with ris.uow() as uow:
        return f"{publication.publish_due(uow)} published"


def write_report_files(ris: Ris) -> str:
    return f"{folder.write_due(ris)} written"


def call_for_late_results(ris: Ris) -> str:
    with ris.read() as session:
        if not late.is_call_due(session, ris.clock()):
            return "nothing has changed"
    with ris.uow() as uow:
        late.call_for_late(uow)
    return "looked"


def escalate_critical(ris: Ris) -> str:
    with ris.read() as session:
        if not escalation.is_due(session, ris.clock()):
            return "nothing was due"
    with ris.uow() as uow:
        return f"{escalation.escalate_due(uow)} steps taken"


def seal_audit(ris: Ris) -> str:
    with ris.read() as session:
        if not seal.is_waiting(session):
            return "nothing was waiting"
    with ris.uow() as uow:
        return f"{seal.seal(uow)} sealed"


def end_holds(ris: Ris) -> str:
    with ris.read() as session:
        if not orders.is_release_due(session, ris.clock()):
            return "nothing was due"
    with ris.uow() as uow:
        return f"{orders.release_due(uow)} released"


def propose_merges(ris: Ris, due: datetime) -> str:
    """Looks with a read, so that nobody waits meanwhile."""
    with ris.read() as session:
        found = duplicates.find(session)
    with ris.uow() as uow:
        return f"{proposals.record(uow, found)} proposed"


def propose_merges_asked(ris: Ris) -> str:
    with ris.read() as session:
        if not proposals.is_asked(session):
            return "nobody has asked"
    return propose_merges(ris, ris.clock())


def write_downtime_packet(ris: Ris) -> str:
    with ris.read() as session:
        if not downtime.is_due(session, ris.clock()):
            return "nothing was due"
    return downtime.write(ris).name


def take_in_referrers(ris: Ris) -> str:
    with ris.read() as session:
        named = orderers.not_taken_in(session)
    if not named:
        return "nobody was new"
    with ris.uow() as uow:
        return f"{referrers.take_in(uow, named)} to be completed"


def tidy(ris: Ris) -> str:
    """Forgets sessions, failed logins and form keys that no longer count, and seals entries that came very late."""
    with ris.uow() as uow:
        forgotten = staff.forget_stale(uow, absolute=timedelta(hours=ris.settings.web.absolute_hours))
        return f"{forgotten} forgotten, {seal.seal(uow, everything=True)} sealed late"


def _is_sqlite(ris: Ris) -> bool:
    return ris.engine.dialect.name == "sqlite"


JOBS: Mapping[str, Nightly | Often] = {
    "charges-export": Nightly(export_charges, "charge_export_utc", every_missed_day=True),
    "verify-signatures": Nightly(verify_signatures, "verify_signatures_utc", every_missed_day=False),
    "backup": Nightly(back_up, "backup_utc", every_missed_day=False, wanted=_is_sqlite),
    "propose-merges": Nightly(propose_merges, "propose_merges_utc", every_missed_day=False),
    "propose-merges-asked": Often(propose_merges_asked, 3.0),
    "publish-reports": Often(publish_reports, 2.0),
    "report-files": Often(write_report_files, 5.0),
    "late-results": Often(call_for_late_results, 60.0),
    "escalate-critical": Often(escalate_critical, 5.0),
    "seal-audit": Often(seal_audit, 1.0),
    "end-holds": Often(end_holds, 30.0),
    "downtime-packet": Often(write_downtime_packet, 60.0),
    "take-in-referrers": Often(take_in_referrers, 30.0),
    "tidy": Often(tidy, 3600.0),
}

RENEW_SECONDS = 3
CATCH_UP_SECONDS = 60
FIRST_LOOK = timedelta(seconds=RENEW_SECONDS)
"""A process that starts looks for missed nights as soon as it may lead."""


def run_by_hand(ris: Ris, name: str, day: date, *, again: bool = False) -> str:
    """Runs a job for a day now, unless its row says that it is done or under way and not `again`; says what came of it."""
    job = JOBS[name]
    if isinstance(job, Often):
        return job.work(ris)
    due = job.due_on(ris, day)
    if again:
        return job.work(ris, due)
    return Runs(ris).run(name, due, lambda: job.work(ris, due))


def catch_up(ris: Ris, name: str) -> list[str]:
    """Runs a nightly job for every moment that it was due and is not done, oldest first."""
    job = JOBS[name]
    if isinstance(job, Often) or not job.wanted(ris):
        return []
    runs, now = Runs(ris), ris.clock()
    today = job.due_on(ris, now.date())
    newest = today if today <= now else today - timedelta(days=1)
    last = runs.last_done(name) or runs.begin_at(name, newest)
    days = range(1, (newest.date() - last.date()).days + 1)
    missing = [job.due_on(ris, last.date() + timedelta(days=n)) for n in days]
    missing = sorted({*missing, *runs.unfinished(name)}) if job.every_missed_day else missing[-1:]
    return [runs.run(name, due, lambda due=due: job.work(ris, due)) for due in missing]  # type: ignore[misc]


def run_forever(ris: Ris) -> None:
    """Until SIGTERM or SIGINT; what is running then is finished first."""
    stopping = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopping)  # before the scheduler's threads begin, which inherit it
    leader = Leader(ris)
    scheduler = make_scheduler(ris, leader)
    scheduler.start()
    log.info("jobs: %s", ", ".join(JOBS))
    signal.sigwait(stopping)
    scheduler.shutdown(wait=True)
    leader.resign()
    ris.close()


def make_scheduler(ris: Ris, leader: Leader) -> BackgroundScheduler:
    """APScheduler with everything in memory: the run table, not the scheduler, knows what is done."""
    scheduler = BackgroundScheduler(timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1})
    scheduler.add_job(_guarded("leader", leader.renew), "interval", seconds=RENEW_SECONDS, next_run_time=datetime.now(UTC))
    for name, job in JOBS.items():
        if isinstance(job, Often):
            work = _guarded(name, lambda job=job: leader.leads and job.work(ris))  # type: ignore[misc]
            scheduler.add_job(work, "interval", seconds=job.seconds)
        else:
            work = _guarded(name, lambda name=name: leader.leads and catch_up(ris, name))  # type: ignore[misc]
            at = job.due_on(ris, ris.clock().date())
            scheduler.add_job(work, "cron", hour=at.hour, minute=at.minute)
            scheduler.add_job(work, "interval", seconds=CATCH_UP_SECONDS, next_run_time=datetime.now(UTC) + FIRST_LOOK)
    return scheduler


def _guarded(name: str, work: Callable[[], object]) -> Callable[[], None]:
    """One failing job stops no other: it is logged, and tried again when it is due again."""

    def run() -> None:
        try:
            work()
        except Exception:
            log.exception("%s failed", name)

    return run
