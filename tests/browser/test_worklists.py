from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from ris.bootstrap import Ris
from ris.exam import service as exam
from ris.exam.model import PerformedProcedureStep
from ris.order.model import RequestedProcedure
from ris.order.status import Priority
from ris.scheduling import service as scheduling
from tests.browser.desk import NOW, context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.clock import Clock
from tests.factories.hospital import Hospital, build_hospital
from tests.factories.orders import make_order, make_patient


@dataclass
class Desk:
    ris: Ris
    clock: Clock
    hospital: Hospital
    address: str = ""
    exams: dict[str, int] = field(default_factory=dict)

    def book(self, family: str, code: str, room: str, minutes_from_now: int, priority: Priority = Priority.routine) -> int:
        with self.ris.uow(self.hospital.actor("scheduler")) as uow:
            procedure = make_order(uow, self.hospital, code, patient=make_patient(uow, family), priority=priority).procedures[0]
            uow.session.flush()
            at = NOW + timedelta(minutes=minutes_from_now)
            scheduling.book(uow, procedure_id=procedure.id, room_id=self.hospital.rooms[room], starts_at=at)
        self.exams[family] = procedure.id
        return procedure.id

    def complete(self, family: str, code: str, room: str, minutes_from_now: int, priority: Priority, minutes_ago: int) -> int:
        procedure_id = self.book(family, code, room, minutes_from_now, priority)
        self.clock.now = NOW - timedelta(minutes=minutes_ago)
        for work in (exam.start, exam.complete):
            with self.ris.uow(self.hospital.actor("technologist")) as uow:
                work(uow, procedure_id=procedure_id)
        self.clock.now = NOW
        return procedure_id

    def arrive(self, family: str) -> None:
        with self.ris.uow(self.hospital.actor("front_desk")) as uow:
            step = scheduling.current_step(uow, self.exams[family])
            assert step is not None
            exam.arrive(uow, step_id=step.id)

    def status(self, family: str) -> str:
        with self.ris.read() as session:
            return session.get_one(RequestedProcedure, self.exams[family]).status


@pytest.fixture
def desk(ris: Ris, clock: Clock) -> Iterator[Desk]:
    desk = Desk(ris, clock, build_hospital(ris))
    desk.book("Alder", "CTHEAD", "CT1", 30)
    desk.book("Birch", "CTCHESTC", "CT1", 60, Priority.stat)
    desk.book("Cedar", "MRBRAIN", "MR1", -25)
    desk.complete("Dogwood", "XRCHEST2", "XR1", -120, Priority.routine, 90)
    desk.complete("Elm", "CTHEAD", "CT1", -100, Priority.stat, 75)
    desk.complete("Fir", "XRHAND", "XR1", -60, Priority.stat, 40)
    desk.complete("Ginkgo", "MRBRAIN", "MR1", -118, Priority.routine, 30)
    with served(ris) as desk.address:
        yield desk


def row(page: Page, family: str) -> Locator:
    return page.locator("tr[tabindex]").filter(has_text=family)


def confirm(page: Page) -> None:
    """Starts the exam of the row that has the focus: one key opens the check list, one confirms it."""
    page.keyboard.press("s")
    expect(page.get_by_role("button", name="All of this is so: start")).to_be_focused()
    page.keyboard.press("Enter")


def families(page: Page) -> list[str]:
    return [name.split(",")[0] for name in page.locator(".row-name").all_inner_texts()]


def test_the_front_desk_checks_in_and_takes_it_back_by_keys(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, desk.address, "front_desk", "/worklists/arrivals")
        expect(page.locator("tr[tabindex]").first).to_be_focused()
        expect(row(page, "Cedar")).to_contain_text("late 25 min")
        row(page, "Alder").focus()
        page.keyboard.press("a")
        expect(page.get_by_text("The patient is checked in.")).to_be_visible()
        expect(row(page, "Alder")).to_contain_text("arrived")
        expect(row(page, "Alder")).to_be_focused()
        assert desk.status("Alder") == "arrived"
        page.keyboard.press("u")
        expect(page.get_by_text("The arrival is undone.")).to_be_visible()
        assert desk.status("Alder") == "scheduled"
        assert problems == []


def test_who_did_not_come_is_noted_with_a_question_and_may_come_after_all(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, desk.address, "front_desk", "/worklists/arrivals")
        expect(row(page, "Alder").get_by_text("Did not come")).to_have_count(0)
        row(page, "Cedar").focus()
        page.keyboard.press("n")
        dialog = page.get_by_role("dialog", name="Did not come")
        expect(dialog).to_contain_text("Cedar")
        shoot(page, "no-show")
        dialog.get_by_role("combobox").fill("no train today")
        dialog.get_by_role("button", name="Did not come").click()
        expect(page.get_by_text("the exam waits for another one")).to_be_visible()
        expect(row(page, "Cedar").locator(".status-missed")).to_be_visible()
        assert desk.status("Cedar") == "ordered"
        row(page, "Cedar").get_by_role("button", name="Came after all").click()
        expect(page.get_by_text("The patient is expected again.")).to_be_visible()
        assert desk.status("Cedar") == "scheduled"
        assert problems == []


def test_a_refused_deed_says_why_and_the_list_goes_on_living(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        page.route("**/worklists/arrivals?*v=*", lambda route: route.abort())
        log_in(page, desk.address, "front_desk", "/worklists/arrivals")
        expect(row(page, "Alder")).to_be_visible()
        desk.arrive("Alder")
        row(page, "Alder").get_by_role("button", name="Arrived").click()
        expect(page.get_by_role("alert")).to_contain_text("cannot arrive the exam: it is arrived")
        expect(page).to_have_url(f"{desk.address}/worklists/arrivals")
        page.unroute("**/worklists/arrivals?*v=*")
        desk.arrive("Birch")
        expect(row(page, "Birch")).to_contain_text("arrived")


def test_the_technologist_starts_completes_with_a_note_and_discontinues_with_a_reason(browser: Browser, desk: Desk) -> None:
    desk.arrive("Alder")
    desk.arrive("Cedar")
    with context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, desk.address, "technologist", "/worklists/technologist")
        expect(page.locator("tr[tabindex]").first).to_be_focused()
        row(page, "Alder").focus()
        confirm(page)
        expect(row(page, "Alder")).to_contain_text("started")
        expect(row(page, "Alder")).to_be_focused()
        page.keyboard.press("c")
        page.get_by_label("Note for the radiologist").fill("Patient moved, series 2 repeated")
        shoot(page, "technologist-complete")
        page.keyboard.press("Control+Enter")
        expect(row(page, "Alder")).to_contain_text("finished")
        with desk.ris.read() as session:
            performed = session.query(PerformedProcedureStep).filter_by(procedure_id=desk.exams["Alder"]).one()
        assert performed.note == "Patient moved, series 2 repeated"
        row(page, "Cedar").focus()
        confirm(page)
        expect(row(page, "Cedar")).to_contain_text("started")
        expect(row(page, "Cedar")).to_be_focused()
        page.keyboard.press("x")
        page.get_by_role("dialog").get_by_role("button", name="Discontinue").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        page.get_by_label("Why it is broken off").fill("claustrophobia")
        page.get_by_role("dialog").get_by_role("button", name="Discontinue").click()
        expect(row(page, "Cedar")).to_contain_text("discontinued")
        assert desk.status("Cedar") == "discontinued"
        assert problems == []


def test_without_javascript_a_reason_is_asked_on_a_page(browser: Browser, desk: Desk) -> None:
    with context_of(browser, java_script_enabled=False) as context:
        page = context.new_page()
        log_in(page, desk.address, "technologist", "/worklists/technologist")
        row(page, "Cedar").get_by_role("link", name="Start").click()
        page.get_by_role("button", name="All of this is so: start").click()
        row(page, "Cedar").get_by_role("link", name="Discontinue").click()
        page.get_by_label("Why it is broken off").fill("claustrophobia")
        page.get_by_role("button", name="Discontinue").click()
        expect(row(page, "Cedar")).to_contain_text("discontinued")


def test_readings_stand_by_urgency_and_waiting_time(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, desk.address, "radiologist", "/worklists/reading")
        expect(row(page, "Elm")).to_be_visible()
        assert families(page) == ["Elm", "Fir", "Dogwood", "Ginkgo"]
        expect(row(page, "Elm")).to_contain_text("STAT")
        expect(row(page, "Elm")).to_contain_text("1 h 15")
        expect(row(page, "Elm")).to_contain_text("overdue")
        expect(row(page, "Fir")).to_contain_text("due soon")
        expect(page.locator("[data-live-urgent]")).to_have_text("2 STAT")
        assert problems == []


def test_a_second_reader_sees_who_reads_and_since_when(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as one, context_of(browser) as other:
        first, second = one.new_page(), other.new_page()
        log_in(second, desk.address, "radiologist", "/worklists/reading")
        expect(row(second, "Elm")).to_be_visible()
        row(second, "Dogwood").focus()
        log_in(first, desk.address, "radiologist", "/worklists/reading")
        expect(row(first, "Elm")).to_be_focused()
        first.keyboard.press("r")
        expect(first).to_have_url(f"{desk.address}/exams/{desk.exams['Elm']}/report")
        expect(row(second, "Elm")).to_contain_text("since 09:00")
        expect(row(second, "Dogwood")).to_be_focused()


def test_a_new_stat_exam_appears_by_itself_and_changes_the_count(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        log_in(page, desk.address, "radiologist", "/worklists/reading")
        expect(page.locator("[data-live-urgent]")).to_have_text("2 STAT")
        desk.complete("Hazel", "XRHAND", "XR1", -10, Priority.stat, 5)
        expect(row(page, "Hazel")).to_be_visible()
        expect(page.locator("[data-live-urgent]")).to_have_text("3 STAT")


def test_filters_are_in_the_address_and_hold_while_polling(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        log_in(page, desk.address, "front_desk", "/worklists/arrivals")
        expect(page.locator("tr[tabindex]").first).to_be_focused()
        page.keyboard.press("/")
        page.keyboard.type("birch")
        page.keyboard.press("Enter")
        expect(page.locator("[data-live-count]")).to_have_text("1")
        assert "q=birch" in page.url
        desk.arrive("Birch")
        desk.arrive("Alder")
        expect(row(page, "Birch")).to_contain_text("arrived")
        assert families(page) == ["Birch"]


def test_a_stale_list_says_so(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        page.clock.install()
        log_in(page, desk.address, "radiologist", "/worklists/reading")
        expect(row(page, "Elm")).to_be_visible()
        page.route("**/worklists/reading?*", lambda route: route.abort())
        page.clock.run_for(20_000)
        expect(page.locator("[data-live-age]")).to_contain_text("the server does not answer")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("login", "name"), [("front_desk", "arrivals"), ("technologist", "technologist"), ("radiologist", "reading")])
def test_no_worklist_has_a_finding_of_axe(browser: Browser, desk: Desk, login: str, name: str, scheme: str) -> None:
    desk.arrive("Alder")
    with context_of(browser, scheme) as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, desk.address, login, f"/worklists/{name}")
        expect(page.locator("tr[tabindex]").first).to_be_visible()
        shoot(page, f"{name}-{scheme}")
        assert axe(page) == []
        assert problems == []


def test_a_worklist_of_another_role_does_not_exist(browser: Browser, desk: Desk) -> None:
    with context_of(browser) as context:
        page = context.new_page()
        log_in(page, desk.address, "front_desk")
        answer = page.goto(f"{desk.address}/worklists/reading")
        assert answer is not None
        assert answer.status == 404
