"""Many clerks at once before one server, and what the database says afterwards of what they were promised."""

import statistics
import threading
from dataclasses import dataclass

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.scheduling.model import Occupancy, ScheduledProcedureStep
from ris.scheduling.status import OCCUPYING
from ris.staff.model import Role, RoleAssignment, User
from tests.factories.hospital import PASSWORD, Hospital
from tests.factories.orders import make_order
from tests.load.clerk import NAMED, Clerk, Ledger

CODES = ("CTHEAD", "CTCHESTC", "MRBRAIN", "XRHAND")


@dataclass(frozen=True, slots=True)
class Outcome:
    ledgers: list[Ledger]
    double: int
    """Pairs that overlap in one lane of one resource."""
    lost: list[str]
    """Where a ledger and the database disagree."""

    @property
    def unnamed(self) -> list[str]:
        """Conflicts that do not say who has it."""
        return [said for ledger in self.ledgers for said in ledger.conflicts if not NAMED.search(said)]

    @property
    def faults(self) -> list[str]:
        return [fault for ledger in self.ledgers for fault in ledger.faults]


def employ(ris: Ris, hospital: Hospital, port: int, count: int, exams: int, pause_s: tuple[float, float]) -> list[Clerk]:
    """Clerks with a login and so many waiting exams each."""
    clerks = []
    for number in range(1, count + 1):
        with ris.uow(hospital.actor("scheduler")) as uow:
            pattern = uow.session.get_one(User, hospital.users["scheduler"])
            name = {"login": f"clerk{number}", "family": f"Clerk{number:02}", "given": "Test"}
            user = uow.add(User(**name, password_hash=pattern.password_hash, created_at=uow.now))
            uow.session.flush()
            role_id = uow.session.scalars(sa.select(Role.id).where(Role.code == "scheduler")).one()
            uow.add(RoleAssignment(user_id=user.id, role_id=role_id, site_id=hospital.sites["MAIN"]))
            own = [make_order(uow, hospital, CODES[turn % len(CODES)]).procedures[0].id for turn in range(exams)]
        clerks.append(Clerk(port, f"clerk{number}", PASSWORD, own, number, pause_s))
    return clerks


def run(ris: Ris, clerks: list[Clerk], seconds: float) -> Outcome:
    over = threading.Event()
    threads = [threading.Thread(target=_work, args=(clerk, over)) for clerk in clerks]
    for thread in threads:
        thread.start()
    over.wait(seconds)
    over.set()
    for thread in threads:
        thread.join()
    ledgers = [clerk.ledger for clerk in clerks]
    return Outcome(ledgers, _double(ris), _lost(ris, ledgers))


def percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) * percent // 100, len(values) - 1)]


def report(outcome: Outcome, seconds: float, wanted_ms: float) -> None:
    kinds: dict[str, list[float]] = {}
    for ledger in outcome.ledgers:
        for timing in ledger.timings:
            kinds.setdefault(timing.kind, []).append(timing.ms)
    every = [ms for taken in kinds.values() for ms in taken]
    print(f"{'request':20}{'count':>8}{'median ms':>12}{'95 % within':>14}{'longest':>10}")
    for kind, taken in [*sorted(kinds.items()), ("all", every)]:
        print(f"{kind:20}{len(taken):>8}{statistics.median(taken):>12.0f}{percentile(taken, 95):>14.0f}{max(taken):>10.0f}")
    accepted = sum(ledger.accepted for ledger in outcome.ledgers)
    conflicts = [said for ledger in outcome.ledgers for said in ledger.conflicts]
    print(f"{len(every) / seconds:.0f} requests a second; wanted: 95 % within {wanted_ms:.0f} ms")
    print(f"{accepted} changes accepted, {len(conflicts)} conflicts, {len(outcome.unnamed)} of them without a name")
    print(f"double booked: {outcome.double}; lost: {len(outcome.lost)}; faults: {len(outcome.faults)}")
    for line in (*outcome.unnamed[:5], *outcome.lost[:5], *outcome.faults[:5]):
        print(f"  {line}")


def _work(clerk: Clerk, over: threading.Event) -> None:
    try:
        clerk.work(over)
    except Exception as error:
        clerk.ledger.faults.append(f"{type(error).__name__}: {error}")
        raise


def _double(ris: Ris) -> int:
    one, other = sa.alias(Occupancy.__table__), sa.alias(Occupancy.__table__)
    pairs = (
        sa.select(sa.func.count())
        .select_from(one)
        .join(other, sa.and_(one.c.resource == other.c.resource, one.c.lane == other.c.lane, one.c.id < other.c.id))
        .where(one.c.starts_at < other.c.ends_at, other.c.starts_at < one.c.ends_at)
    )
    with ris.read() as session:
        return session.scalar(pairs) or 0


def _lost(ris: Ris, ledgers: list[Ledger]) -> list[str]:
    promised = {exam: place for ledger in ledgers for exam, place in ledger.appointments.items()}
    step = ScheduledProcedureStep
    with ris.read() as session:
        rows = session.execute(sa.select(step.procedure_id, step.room_id, step.starts_at).where(step.status.in_(OCCUPYING)))
        kept = {exam: (room, at) for exam, room, at in rows}
        taken = set(session.execute(sa.select(step.procedure_id).join(Occupancy, Occupancy.step_id == step.id)).scalars())
    everybody = promised.keys() | kept.keys()
    other = [exam for exam in everybody if promised.get(exam) != kept.get(exam)]
    different = [f"exam {exam}: promised {promised.get(exam)}, kept {kept.get(exam)}" for exam in other]
    return different + [f"exam {exam} occupies nothing" for exam in kept.keys() - taken]
