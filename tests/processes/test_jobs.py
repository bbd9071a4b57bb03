"""Nights of the clock change, missed nights, two processes, a run that died."""

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from apscheduler.triggers.cron import CronTrigger

from ris.audit import seal
from ris.audit.model import AuditEntry
from ris.base.clock import utc_now
from ris.billing.model import ExportBatch
from ris.bootstrap import Ris
from ris.processes import jobs
from ris.processes.job_model import JobRun, RunState
from ris.processes.runs import LEADER_LEASE_S, RETRY, RUN_LEASE, Leader, Runs
from ris.report.model import ReportVersion
from ris.staff import service as staff
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import completed, reported


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 1, 4, tzinfo=UTC))


def all_runs(ris: Ris, job: str = "charges-export") -> list[JobRun]:
    with ris.read() as session:
        return list(session.scalars(sa.select(JobRun).where(JobRun.job == job).order_by(JobRun.due)))


def test_on_the_night_that_has_one_hour_twice_a_job_fires_twice_and_runs_once(ris: Ris, clock: Clock) -> None:
    trigger = CronTrigger(hour=1, minute=30, timezone=ZoneInfo("America/New_York"))
    clock.now = datetime(2026, 11, 1, 0, tzinfo=UTC)
    first = trigger.get_next_fire_time(None, clock.now)
    second = trigger.get_next_fire_time(first, first + timedelta(seconds=1))
    assert second.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=1), "the hour that comes twice"
    done = []
    business_date = datetime(2026, 11, 1, 3, 30, tzinfo=UTC)
    for clock.now in (first, second):
        Runs(ris).run("nightly", business_date, lambda: str(done.append(clock.now)))
    assert done == [first]
    assert len(all_runs(ris, "nightly")) == 1


@pytest.mark.parametrize("night", [date(2026, 11, 1), date(2027, 3, 14)], ids=["fall back", "spring forward"])
def test_the_nightly_export_runs_once_on_the_nights_of_the_clock_change(ris: Ris, hospital: Hospital, clock: Clock, night: date) -> None:
    clock.now = datetime.combine(night - timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=12)
    jobs.catch_up(ris, "charges-export")
    for _ in range(4 * 36):
        clock.advance(minutes=15)
        jobs.catch_up(ris, "charges-export")
    with ris.read() as session:
        assert session.scalars(sa.select(ExportBatch.business_date)).all() == [night]


def test_missed_nights_are_caught_up_in_order_and_marked_late(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    jobs.catch_up(ris, "charges-export")
    completed(ris, hospital)
    clock.advance(days=3)
    jobs.catch_up(ris, "charges-export")
    with ris.read() as session:
        batches = session.execute(sa.select(ExportBatch.business_date, ExportBatch.lines).order_by(ExportBatch.number)).all()
    assert [tuple(b) for b in batches] == [(date(2026, 11, 2), 1), (date(2026, 11, 3), 0), (date(2026, 11, 4), 0)]
    assert [run.detail.startswith("late; ") for run in all_runs(ris)] == [False, True, True, True]


def test_a_new_installation_owes_nothing_for_the_nights_before(ris: Ris, clock: Clock) -> None:
    assert jobs.catch_up(ris, "charges-export") == []
    assert [run.state for run in all_runs(ris)] == [RunState.done]


def test_a_run_that_is_done_is_not_done_again_by_hand(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    first = jobs.run_by_hand(ris, "charges-export", date(2026, 11, 1))
    assert first.endswith("charges-2026-11-01.csv")
    assert "is done or under way" in jobs.run_by_hand(ris, "charges-export", date(2026, 11, 1))


def test_a_run_whose_process_died_is_resumed_when_its_lease_has_run_out(ris: Ris, clock: Clock) -> None:
    due = datetime(2026, 11, 1, 3, 30, tzinfo=UTC)

    def die() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Runs(ris).run("nightly", due, die)
    other = Runs(ris)
    assert "under way" in other.run("nightly", due, lambda: "done too early")
    clock.advance(seconds=RUN_LEASE.total_seconds() + 1)
    assert other.run("nightly", due, lambda: "done").endswith("done")
    (run,) = all_runs(ris, "nightly")
    assert (run.state, run.attempts) == (RunState.done, 2)


def test_a_process_that_was_away_too_long_does_not_write_over_its_successor(ris: Ris, clock: Clock) -> None:
    due = datetime(2026, 11, 1, 3, 30, tzinfo=UTC)

    def slow() -> str:
        clock.advance(seconds=RUN_LEASE.total_seconds() + 1)
        Runs(ris).run("nightly", due, lambda: "by the successor")
        return "by the slow one"

    Runs(ris).run("nightly", due, slow)
    assert [run.detail for run in all_runs(ris, "nightly")] == ["late; by the successor"]


def test_a_failed_run_is_tried_again_and_later_nights_do_not_hide_it(
    ris: Ris, hospital: Hospital, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    jobs.catch_up(ris, "charges-export")
    (ris.settings.data.dir / "exports").write_text("a file where the folder should be")
    clock.advance(days=1)
    assert "failed: FileExistsError" in jobs.catch_up(ris, "charges-export")[0]
    (ris.settings.data.dir / "exports").unlink()
    clock.advance(seconds=RETRY.total_seconds() + 1)
    assert [line.endswith(".csv") for line in jobs.catch_up(ris, "charges-export")] == [True]
    assert [run.state for run in all_runs(ris)] == [RunState.done] * 2


def test_only_one_leads_and_another_takes_over_when_the_lease_has_run_out(ris: Ris, clock: Clock) -> None:
    first, second = Leader(ris), Leader(ris)
    assert first.renew()
    assert not second.renew()
    clock.advance(seconds=LEADER_LEASE_S / 2)
    assert first.renew()
    clock.advance(seconds=LEADER_LEASE_S + 1)
    assert not first.leads
    assert second.renew()
    assert not first.renew()


def test_a_leader_that_resigns_is_followed_at_once(ris: Ris) -> None:
    first, second = Leader(ris), Leader(ris)
    assert first.renew()
    first.resign()
    assert not first.leads
    assert second.renew()


def test_the_scheduler_runs_a_night_that_was_missed_while_nothing_ran(ris: Ris, hospital: Hospital) -> None:
    """Real APScheduler: its next look finds yesterday's run missing, because the table says so and not its memory."""
    ris.clock = utc_now  # the only one that APScheduler knows
    yesterday = jobs.JOBS["charges-export"].due_on(ris, datetime.now(UTC).date() - timedelta(days=2))
    Runs(ris).begin_at("charges-export", yesterday)
    leader = Leader(ris)
    scheduler = jobs.make_scheduler(ris, leader)
    scheduler.start()
    try:
        for job in scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC) + timedelta(seconds=0.3))
        deadline = time.monotonic() + 20
        while len(all_runs(ris)) < 2 or all_runs(ris)[-1].state is not RunState.done:
            assert time.monotonic() < deadline, "the missed night was not run"
            time.sleep(0.05)
    finally:
        scheduler.shutdown(wait=True)
        leader.resign()


def test_reports_are_published_when_they_are_due(ris: Ris, hospital: Hospital) -> None:
    reported(ris, hospital)
    assert jobs.run_by_hand(ris, "publish-reports", date(2026, 11, 1)) == "nothing was due"
    with ris.read() as session:
        assert session.scalars(sa.select(ReportVersion.published_at.is_not(None))).all() == [True]


def test_the_audit_trail_is_sealed(ris: Ris, hospital: Hospital) -> None:
    completed(ris, hospital)
    assert jobs.run_by_hand(ris, "seal-audit", date(2026, 11, 1)).endswith(" sealed")
    assert jobs.run_by_hand(ris, "seal-audit", date(2026, 11, 1)) == "nothing was waiting"
    with ris.read() as session:
        assert seal.verify(session) == []
        assert session.scalar(sa.select(sa.func.count(AuditEntry.id))) == seal.head(session).position > 0


def test_what_no_longer_counts_is_forgotten_and_late_entries_are_sealed(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        staff.log_in(uow, login="scheduler", password="wrong", place="127.0.0.1")
    now = ris.clock()
    ris.clock = lambda: now + timedelta(days=2)
    assert jobs.run_by_hand(ris, "tidy", now.date()).startswith("2 forgotten, ")
    with ris.read() as session:
        assert not seal.is_waiting(session)
        assert session.execute(sa.text("SELECT count(*) FROM login_failure")).scalar_one() == 0
