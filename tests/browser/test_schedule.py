from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Locator, Page, expect

from ris.bootstrap import Ris
from ris.catalog.model import Closure
from ris.order.status import Priority, ProcedureStatus
from ris.scheduling import service as scheduling
from ris.scheduling.model import ScheduledProcedureStep
from tests.browser.desk import DAY, context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.full_day import build_rooms, fill_day
from tests.factories.hospital import Hospital, build_hospital
from tests.factories.orders import make_order, make_patient
from tests.waiting import until


@dataclass
class Desk:
    ris: Ris
    hospital: Hospital
    address: str
    waiting: dict[str, int]
    """Family name to the exam that has no appointment."""
    booked: dict[str, int]
    """Family name to the appointment."""

    def step(self, family: str) -> ScheduledProcedureStep:
        with self.ris.read() as session:
            return session.get_one(ScheduledProcedureStep, self.booked[family])

    def step_of(self, family: str) -> ScheduledProcedureStep:
        with self.ris.read() as session:
            return session.scalars(
                sa.select(ScheduledProcedureStep).where(ScheduledProcedureStep.procedure_id == self.waiting[family])
            ).one()


def at(hour: int, minute: int = 0) -> datetime:
    """The moment of a wall-clock time of MAIN on the day of the tests."""
    return datetime(2026, 11, 30, hour + 5, minute, tzinfo=UTC)


BOOKED = (
    ("Alder", "CTHEAD", "CT1", at(9), Priority.routine),
    ("Birch", "CTCHESTC", "CT1", at(10), Priority.stat),
    ("Cedar", "MRBRAIN", "MR1", at(9, 30), Priority.routine),
    ("Dogwood", "XRCHEST2", "XR1", at(9, 15), Priority.asap),
)
WAITING = (("Elm", "CTHEAD", Priority.stat), ("Fir", "MRBRAIN", Priority.routine), ("Ginkgo", "XRHAND", Priority.asap))


@pytest.fixture
def desk(ris: Ris) -> Iterator[Desk]:
    hospital = build_hospital(ris)
    booked, waiting = {}, {}
    for family, code, room, starts_at, priority in BOOKED:
        with ris.uow(hospital.actor("scheduler")) as uow:
            exam = make_order(uow, hospital, code, patient=make_patient(uow, family), priority=priority).procedures[0]
            uow.session.flush()
            booked[family] = scheduling.book(uow, procedure_id=exam.id, room_id=hospital.rooms[room], starts_at=starts_at).id
    for family, code, priority in WAITING:
        with ris.uow(hospital.actor("scheduler")) as uow:
            waiting[family] = make_order(uow, hospital, code, patient=make_patient(uow, family), priority=priority).procedures[0].id
    with ris.uow() as uow:
        main, magnet = hospital.sites["MAIN"], hospital.rooms["MR1"]
        uow.add(Closure(site_id=main, room_id=magnet, starts_at=at(12), ends_at=at(13), reason="Helium refill"))
    with served(ris) as address:
        yield Desk(ris, hospital, address, waiting, booked)


def open_day(page: Page, desk: Desk, login: str = "scheduler") -> None:
    log_in(page, desk.address, login, f"/schedule?date={DAY}")
    expect(page.locator(".ec-event").filter(has_text="Alder")).to_be_visible()


def box_of(found: Locator) -> dict[str, float]:
    box = found.bounding_box()
    assert box is not None
    return box


def event(page: Page, family: str) -> Locator:
    return page.locator(".rooms .ec-event").filter(has_text=family)


def place(page: Page, room: str, hour: float) -> tuple[float, float]:
    """The point on the screen of a room and an hour, measured on two appointments that are there."""
    head = box_of(page.locator(".ec-col-head", has_text=room))
    alder, birch = box_of(event(page, "Alder")), box_of(event(page, "Birch"))
    return head["x"] + head["width"] / 2, alder["y"] + (hour - 9) * (birch["y"] - alder["y"]) + 2


def said(page: Page) -> Locator:
    return page.locator("[data-sched-said]")


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 8, start[1] + 8)
    page.mouse.move(*end, steps=8)
    page.mouse.up()


def middle(page: Page, family: str) -> tuple[float, float]:
    box = box_of(event(page, family))
    return box["x"] + box["width"] / 2, box["y"] + 4


def test_an_order_is_dragged_into_a_room(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page)
        open_day(page, desk)
        shoot(page, "schedule-light")
        card = page.locator(f"#w-{desk.waiting['Elm']}")
        box = box_of(card)
        drag(page, (box["x"] + 20, box["y"] + 10), place(page, "Room CT1", 11))
        expect(said(page)).to_contain_text("is booked")
        expect(event(page, "Elm")).to_be_visible()
        expect(card).to_have_count(0)
        assert desk.step_of("Elm").starts_at == at(11)
        assert problems == []


def test_an_appointment_is_dragged_to_another_time(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        open_day(page, desk)
        x, y = middle(page, "Alder")
        drag(page, (x, y), place(page, "Room CT1", 13))
        expect(said(page)).to_contain_text("is moved")
        assert abs(desk.step("Alder").starts_at - at(13)) <= timedelta(minutes=5)


def test_a_room_that_cannot_do_the_exam_refuses_and_the_appointment_jumps_back(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page, expected_statuses=(422,))
        open_day(page, desk)
        before = event(page, "Alder").bounding_box()
        drag(page, middle(page, "Alder"), place(page, "Room MR1", 14))
        expect(said(page)).to_contain_text("this exam cannot be done in this room")
        until(lambda: event(page, "Alder").bounding_box() == before)
        assert desk.step("Alder").starts_at == at(9)
        shoot(page, "schedule-refused")
        assert problems == []


def test_the_rooms_are_reached_by_key_without_every_waiting_order(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        open_day(page, desk)
        link = page.get_by_role("link", name="Past the waiting orders, to the rooms")
        link.focus()
        expect(link).to_be_in_viewport()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.locator(".rooms .ec-event").first).to_be_focused()


def test_a_taken_slot_is_refused_with_who_has_it(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        open_day(page, desk)
        drag(page, middle(page, "Alder"), place(page, "Room CT1", 10))
        expect(said(page)).to_contain_text("the room is taken from 10:00 to 10:30 by exam")
        expect(said(page)).to_contain_text("booked by Test Scheduler")
        assert desk.step("Alder").starts_at == at(9)


def test_closed_time_is_grey_with_its_reason_and_refused(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        open_day(page, desk)
        expect(page.locator(".ec-bg-event.closed")).to_contain_text("Helium refill")
        drag(page, middle(page, "Cedar"), place(page, "Room MR1", 12.25))
        expect(said(page)).to_contain_text("is closed then: Helium refill")
        assert desk.step("Cedar").starts_at == at(9, 30)


def test_keys_move_an_appointment_by_the_grid(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        open_day(page, desk)
        event(page, "Alder").focus()
        page.keyboard.press("Alt+ArrowDown")
        expect(said(page)).to_contain_text("is moved")
        expect(event(page, "Alder")).to_contain_text("09:05")
        expect(event(page, "Alder")).to_be_focused()
        page.keyboard.press("Alt+ArrowRight")
        expect(said(page)).to_contain_text("cannot be done in this room")
        assert desk.step("Alder").starts_at == at(9, 5)


def test_one_key_books_the_next_free_slot(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page)
        open_day(page, desk)
        page.locator("#waiting").get_by_role("link", name="Elm").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#panel")).to_contain_text("Next free slots")
        shoot(page, "schedule-plan")
        assert axe(page) == []
        page.keyboard.press("1")
        expect(said(page)).to_contain_text("is booked")
        expect(page.locator("#panel")).to_be_hidden()
        assert desk.step_of("Elm").starts_at == at(9, 20)
        assert problems == []


def test_the_dialog_moves_and_cancels(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        open_day(page, desk)
        event(page, "Dogwood").focus()
        page.keyboard.press("Enter")
        panel = page.locator("#panel")
        expect(panel).to_contain_text("Dogwood")
        shoot(page, "schedule-appointment")
        panel.get_by_label("Time").fill("15:30")
        panel.get_by_role("button", name="Move", exact=True).click()
        expect(said(page)).to_contain_text("is moved")
        assert desk.step("Dogwood").starts_at == at(15, 30)
        event(page, "Dogwood").click()
        panel.get_by_label("Why it is cancelled").fill("no contrast agent left")
        panel.get_by_role("button", name="Cancel the appointment").click()
        expect(said(page)).to_contain_text("is cancelled")
        expect(page.locator("#waiting")).to_contain_text("Dogwood")
        expect(event(page, "Dogwood")).to_have_count(0)


def test_without_javascript_plain_forms_book_refuse_and_cancel(browser: Browser, desk: Desk) -> None:
    with context_of(browser, java_script_enabled=False) as context:
        page = context.new_page()
        log_in(page, desk.address, "scheduler", f"/schedule?date={DAY}")
        page.get_by_role("link", name="Ginkgo").click()
        page.get_by_label("Room").select_option(label="Room XR1 (10 min)")
        page.get_by_label("Day").fill(DAY)
        page.get_by_label("Time").fill("09:20")
        page.get_by_role("button", name="Book", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("The room is taken from 09:15 to 09:25")
        page.get_by_label("Time").fill("09:25")
        page.get_by_role("button", name="Book", exact=True).click()
        expect(page.get_by_role("status").first).to_contain_text("is booked")
        page.get_by_role("link", name="Ginkgo").click()
        page.get_by_label("Why it is cancelled").fill("patient called")
        page.get_by_role("button", name="Cancel the appointment").click()
        expect(page.get_by_role("status").first).to_contain_text("is cancelled")


def test_another_desk_sees_the_change_without_reloading(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as one, context_of(browser) as other:
        first, second = one.new_page(), other.new_page()
        open_day(first, desk)
        open_day(second, desk, "front_desk")
        second.locator("#waiting").get_by_role("link", name="Fir").focus()
        first.locator("#waiting").get_by_role("link", name="Elm").click()
        expect(first.locator("#panel")).to_contain_text("Next free slots")
        first.keyboard.press("1")
        expect(event(first, "Elm")).to_be_visible()
        expect(event(second, "Elm")).to_be_visible()
        expect(second.locator("#waiting").get_by_role("link", name="Elm")).to_have_count(0)
        expect(second.locator("#waiting").get_by_role("link", name="Fir")).to_be_focused()


def test_a_browser_in_another_zone_shows_the_wall_clock_of_the_site(browser: Browser, desk: Desk) -> None:
    with browser.new_context(viewport={"width": 1600, "height": 950}, timezone_id="Asia/Kolkata") as context:
        page = context.new_page()
        open_day(page, desk)
        expect(event(page, "Alder")).to_contain_text("09:00")
        drag(page, middle(page, "Alder"), place(page, "Room CT1", 14))
        expect(said(page)).to_contain_text("is moved")
        assert abs(desk.step("Alder").starts_at - at(14)) <= timedelta(minutes=5)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_schedule_has_no_finding_of_axe_and_stat_is_said_in_words(browser: Browser, desk: Desk, scheme: str) -> None:
    with context_of(browser, scheme) as context:
        page = context.new_page()
        problems = page_problems(page)
        open_day(page, desk)
        expect(event(page, "Birch")).to_contain_text("STAT")
        expect(page.locator(f"#w-{desk.waiting['Elm']}")).to_contain_text("STAT")
        shoot(page, f"schedule-{scheme}")
        assert axe(page) == []
        assert problems == []


def test_a_person_of_another_site_cannot_open_the_appointment(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        log_in(page, desk.address, "billing")
        answer = page.goto(f"{desk.address}/schedule/appointments/{desk.booked['Alder']}")
        assert answer is not None
        assert answer.status == 404
        with desk.ris.read() as session:
            step = session.get_one(ScheduledProcedureStep, desk.booked["Alder"])
        assert step.status == "booked"


def test_booking_sets_the_exam_to_scheduled(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        open_day(page, desk)
        page.locator("#waiting").get_by_role("link", name="Fir").click()
        expect(page.locator("#panel")).to_contain_text("Next free slots")
        page.keyboard.press("1")
        expect(said(page)).to_contain_text("is booked")
        with desk.ris.read() as session:
            status = session.scalar(sa.text("SELECT status FROM requested_procedure WHERE id = :id"), {"id": desk.waiting["Fir"]})
        assert status == ProcedureStatus.scheduled


def test_on_a_full_day_rooms_and_times_stay_in_view_while_others_work(browser: Browser, ris: Ris) -> None:
    hospital = build_hospital(ris)
    rooms = [*(hospital.rooms[code] for code in ("CT1", "MR1", "XR1")), *build_rooms(ris, hospital, 17)]
    fill_day(ris, hospital, rooms, at(7), bookings=400, waiting=5)
    with served(ris) as address, context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, address, "scheduler", f"/schedule?date={DAY}")
        last = event(page, "A000400")
        last.focus()
        shoot(page, "schedule-full")
        for found in (last, page.locator(".ec-col-head", has_text="MR 27"), page.locator(".ec-sidebar").get_by_text("16:00")):
            expect(found).to_be_in_viewport()
        scrolled = page.locator(".ec-main").evaluate("main => main.scrollTop")
        assert scrolled > 0
        with ris.uow(hospital.actor("front_desk")) as uow:
            scheduling.move(uow, step_id=399, room_id=rooms[398 % len(rooms)], starts_at=at(18, 15), row_version=1)
        expect(event(page, "A000399")).to_contain_text("18:15", timeout=3_500)
        expect(last).to_be_focused()
        assert page.locator(".ec-main").evaluate("main => main.scrollTop") == scrolled
        page.get_by_label("Modality").select_option("MR")
        expect(page.locator(".ec-col-head")).to_have_count(7)
        page.keyboard.press("?")
        expect(page.locator("#keys-sheet")).to_contain_text("Move the appointment to the room on the right")
        assert axe(page) == []
        assert problems == []
