"""The whole service against a small model: whatever is done in whatever order, nothing overlaps and every state is legal."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ris.base.errors import RisError
from ris.base.uow import Actor
from ris.bootstrap import Ris
from ris.exam import service as exams
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.scheduling import holds, service, waitlist
from ris.scheduling.model import Occupancy, Proposal, ScheduledProcedureStep, SlotHold
from ris.scheduling.places import Place
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.nuclear import CODE, add_bone_scan
from tests.factories.orders import make_order, make_patient

_days = itertools.count()
FIRST_DAY = datetime(2026, 11, 30, 12, tzinfo=UTC)
"""07:00 by the clock of MAIN."""
ROOMS = {"CTHEAD": "CT1", "MRBRAIN": "MR1", CODE: "NM0"}
LIVE = ("booked", "arrived", "started", "finished", "discontinued")
SLOTS = st.integers(0, 20)


@dataclass
class Known:
    """What the model knows of an exam: the state it must be in, and how many steps it has."""

    code: str
    status: str = "ordered"
    step_ids: list[int] = field(default_factory=list)


class ServiceMachine(RuleBasedStateMachine):
    def __init__(self, ris: Ris, hospital: Hospital, clock: Clock) -> None:
        super().__init__()
        self.ris, self.hospital, self.clock = ris, hospital, clock
        self.day = FIRST_DAY + timedelta(days=next(_days))
        clock.now = self.day
        self.known: dict[int, Known] = {}
        with ris.uow(self.actor("scheduler")) as uow:
            self.patients = [make_patient(uow) for _ in range(2)]

    def actor(self, role: str) -> Actor:
        return self.hospital.actor(role)

    def at(self, slot: int) -> datetime:
        return self.day + timedelta(minutes=10 * slot)

    def pick(self, number: int) -> int | None:
        return list(self.known)[number % len(self.known)] if self.known else None

    def steps(self, procedure_id: int) -> list[ScheduledProcedureStep]:
        with self.ris.read() as session:
            step = ScheduledProcedureStep
            wanted = sa.select(step).where(step.procedure_id == procedure_id, step.status.in_(LIVE)).order_by(step.number)
            return list(session.scalars(wanted))

    # ── what is done ─────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(code=st.sampled_from(sorted(ROOMS)), who=st.integers(0, 1))
    def order(self, code: str, who: int) -> None:
        with self.ris.uow(self.actor("scheduler")) as uow:
            placed = make_order(uow, self.hospital, code, patient=self.patients[who], placer=False)
        self.known[placed.procedures[0].id] = Known(code)

    @rule(number=st.integers(0, 9), slot=SLOTS, reason=st.sampled_from(["", "", "stroke"]))
    def book(self, number: int, slot: int, reason: str) -> None:
        exam = self.pick(number)
        if exam is None:
            return
        with self.ris.uow(self.actor("lead_scheduler")) as uow:
            room = self.hospital.rooms[ROOMS[self.known[exam].code]]
            self.tried(exam, "ordered", "scheduled", service.book, uow, procedure_id=exam, room_id=room, starts_at=self.at(slot),
                       overbook_reason=reason)  # fmt: skip

    @rule(number=st.integers(0, 9), slot=SLOTS)
    def hold_and_book(self, number: int, slot: int) -> None:
        exam = self.pick(number)
        if exam is None or self.known[exam].code == CODE:
            return
        place = Place(exam, self.hospital.rooms[ROOMS[self.known[exam].code]], self.at(slot))
        try:
            with self.ris.uow(self.actor("front_desk")) as uow:
                hold_id = holds.hold(uow, places=[place]).id
        except RisError:
            return
        with self.ris.uow(self.actor("front_desk")) as uow:
            self.tried(exam, "ordered", "scheduled", holds.book_held, uow, hold_id=hold_id)

    @rule(number=st.integers(0, 9), slot=SLOTS)
    def hold_only(self, number: int, slot: int) -> None:
        exam = self.pick(number)
        if exam is None or self.known[exam].code == CODE:
            return
        place = Place(exam, self.hospital.rooms[ROOMS[self.known[exam].code]], self.at(slot))
        try:
            with self.ris.uow(self.actor("front_desk")) as uow:
                holds.hold(uow, places=[place])
        except RisError:
            return

    @rule(number=st.integers(0, 9), which=st.integers(0, 1), slot=SLOTS)
    def move(self, number: int, which: int, slot: int) -> None:
        exam = self.pick(number)
        steps = self.steps(exam) if exam is not None else []
        if exam is None or not steps:
            return
        step = steps[which % len(steps)]
        with self.ris.uow(self.actor("scheduler")) as uow:
            self.tried(exam, "scheduled", "scheduled", service.move, uow, step_id=step.id, room_id=step.room_id, starts_at=self.at(slot))

    @rule(number=st.integers(0, 9), deed=st.sampled_from(["cancel", "no_show", "arrive"]))
    def at_the_desk(self, number: int, deed: str) -> None:
        exam = self.pick(number)
        steps = self.steps(exam) if exam is not None else []
        if exam is None or not steps:
            return
        step = next((s for s in steps if s.status == "booked"), steps[0])
        deeds = {
            "cancel": (service.cancel, "ordered", {"reason": "fever"}),
            "no_show": (service.no_show, "ordered", {}),
            "arrive": (exams.arrive, "arrived" if self.known[exam].status == "scheduled" else "in_progress", {}),
        }
        act, then, more = deeds[deed]
        with self.ris.uow(self.actor("front_desk")) as uow:
            self.tried(exam, "scheduled", then, act, uow, also=("in_progress",), step_id=step.id, **more)

    @rule(number=st.integers(0, 9), deed=st.sampled_from(["start", "start", "complete", "discontinue", "cancel"]))
    def in_the_room(self, number: int, deed: str) -> None:
        exam = self.pick(number)
        if exam is None:
            return
        is_last = sum(step.status in ("booked", "arrived") for step in self.steps(exam)) == 0
        with self.ris.uow(self.actor("technologist")) as uow:
            if deed == "start":
                self.tried(exam, "scheduled", "in_progress", exams.start, uow, also=("arrived", "in_progress"), procedure_id=exam)
            elif deed == "complete":
                self.tried(exam, "in_progress", "completed" if is_last else "in_progress", exams.complete, uow, procedure_id=exam)
            elif deed == "discontinue":
                self.tried(exam, "in_progress", "discontinued", exams.discontinue, uow, procedure_id=exam, reason="could not lie still")
            else:
                self.tried(exam, "ordered", "cancelled", orders.cancel_procedure, uow, exam, "ordered twice", also=("scheduled", "arrived"))

    @rule(number=st.integers(0, 9), is_wanted=st.booleans())
    def ask_who_waits(self, number: int, is_wanted: bool) -> None:
        exam = self.pick(number)
        if exam is None:
            return
        try:
            with self.ris.uow(self.actor("scheduler")) as uow:
                waitlist.wait(uow, procedure_id=exam)
        except RisError:
            assert self.known[exam].status not in ("ordered", "scheduled")
        with self.ris.read() as session:
            proposal = session.scalars(sa.select(Proposal.id).where(Proposal.state == "open").order_by(Proposal.id.desc())).first()
        if proposal is None:
            return
        try:
            with self.ris.uow(self.actor("scheduler")) as uow:
                if is_wanted:
                    steps = waitlist.accept(uow, proposal_id=proposal)
                    for step in steps:
                        if step.procedure_id in self.known:
                            self.known[step.procedure_id].status = "scheduled"
                else:
                    waitlist.decline(uow, proposal_id=proposal)
        except RisError:
            self.look_again()

    @rule(minutes=st.sampled_from([1, 6, 45]))
    def time_passes(self, minutes: int) -> None:
        self.clock.advance(minutes=minutes)

    def tried(self, exam: int, before: str, after: str, act, uow, *args, also=(), **values) -> None:
        """Does it; when it is done the exam was in a state that permits it and is in the next, else it is where it was."""
        known = self.known[exam]
        try:
            act(uow, *args, **values)
            uow.flush()
        except RisError:
            uow.session.rollback()
            return
        assert known.status in (before, *also), (act.__name__, known.status)
        known.status = after

    def look_again(self) -> None:
        with self.ris.read() as session:
            for exam, known in self.known.items():
                known.status = session.get_one(RequestedProcedure, exam).status

    # ── what must hold ───────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def the_states_are_those_of_the_model(self) -> None:
        with self.ris.read() as session:
            found = {exam: session.get_one(RequestedProcedure, exam).status.value for exam in self.known}
        assert found == {exam: known.status for exam, known in self.known.items()}

    @invariant()
    def nothing_overlaps(self) -> None:
        one, other = sa.orm.aliased(Occupancy), sa.orm.aliased(Occupancy)
        with self.ris.read() as session:
            pairs = session.scalar(
                sa.select(sa.func.count()).where(
                    one.id < other.id, one.resource == other.resource, one.lane == other.lane,
                    one.starts_at < other.ends_at, one.ends_at > other.starts_at,
                )
            )  # fmt: skip
        assert pairs == 0

    @invariant()
    def what_is_planned_is_taken_and_nothing_else(self) -> None:
        step = ScheduledProcedureStep
        with self.ris.read() as session:
            rows = session.execute(
                sa.select(step.id, step.status, sa.func.count(Occupancy.id)).outerjoin(Occupancy, Occupancy.step_id == step.id)
                .where(step.procedure_id.in_(self.known)).group_by(step.id, step.status)
            )  # fmt: skip
            wrong = [(key, status) for key, status, count in rows if count != (2 if status in LIVE else 0)]
            orphans = session.scalar(
                sa.select(sa.func.count(Occupancy.id)).where(
                    Occupancy.hold_id.is_not(None), Occupancy.hold_id.not_in(sa.select(SlotHold.id))
                )
            )
        assert wrong == []
        assert orphans == 0

    @invariant()
    def an_exam_is_scheduled_when_all_its_steps_are(self) -> None:
        for exam, known in self.known.items():
            count = len([step for step in self.steps(exam) if step.status == "booked"])
            if known.status == "scheduled":
                assert count == (2 if known.code == CODE else 1)
            if known.status in ("ordered", "cancelled", "completed"):
                assert count == 0


@pytest.fixture
def clock() -> Clock:
    return Clock(FIRST_DAY)


def _run(ris: Ris, hospital: Hospital, clock: Clock, examples: int, steps: int) -> None:
    add_bone_scan(ris, hospital)
    run_state_machine_as_test(
        lambda: ServiceMachine(ris, hospital, clock),
        settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None, database=None, derandomize=True,
                          suppress_health_check=list(HealthCheck)),
    )  # fmt: skip


def test_whatever_is_done_in_whatever_order_the_service_is_as_the_model(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    _run(ris, hospital, clock, examples=3, steps=15)


@pytest.mark.fault
@pytest.mark.timeout(900)
def test_the_same_for_a_long_time(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    _run(ris, hospital, clock, examples=40, steps=30)
