"""Two people before one thing: what one of them does the other sees within three seconds, and loses nothing by it."""

from datetime import timedelta

from playwright.sync_api import Browser, Locator, expect

from ris.base.ref import Ref
from ris.bootstrap import Ris
from ris.exam import service as exam
from ris.scheduling import service as scheduling
from ris.scheduling import waitlist
from ris.task import service as tasks
from tests.browser.desk import NOW, context_of, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import Hospital, build_hospital
from tests.factories.orders import booked, new_exam

SOON = 3_000
"""Milliseconds within which another's change is seen."""


def arrive(ris: Ris, hospital: Hospital, procedure_id: int) -> None:
    with ris.uow(hospital.actor("front_desk")) as uow:
        step = scheduling.current_step(uow, procedure_id)
        assert step is not None
        exam.arrive(uow, step_id=step.id)


def height_of(found: Locator) -> float:
    """How far from the upper edge of the window it is seen."""
    box = found.bounding_box()
    assert box is not None
    return float(box["y"])


def test_the_waiting_board_follows_while_somebody_is_in_a_row_of_it(browser: Browser, ris: Ris) -> None:
    hospital = build_hospital(ris)
    first = booked(ris, hospital, starts_at=NOW + timedelta(minutes=30))
    for number in range(1, 16):
        arrive(ris, hospital, booked(ris, hospital, "XRHAND", "XR1", NOW + timedelta(minutes=20 * number)).id)
    with served(ris) as address, context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, address, "front_desk", "/worklists/queue")
        page.set_viewport_size({"width": 1200, "height": 400})
        last = page.locator("tr[tabindex]").last
        last.focus()
        before = height_of(last)
        arrive(ris, hospital, first.id)
        expect(page.locator(f"#x-{first.id}")).to_be_attached(timeout=SOON)
        expect(last).to_be_focused()
        assert abs(height_of(last) - before) < 1
        assert problems == []


def test_tasks_and_the_waiting_list_follow_while_somebody_types_or_stands_on_a_button(browser: Browser, ris: Ris) -> None:
    hospital = build_hospital(ris)
    exams = [new_exam(ris, hospital) for _ in range(2)]
    task(ris, hospital, exams[0].id)
    wait(ris, hospital, exams[0].id)
    with served(ris) as address, context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, address, "scheduler", "/tasks")
        done = page.get_by_label("What was done")
        done.fill("called the w")
        task(ris, hospital, exams[1].id)
        expect(page.locator("#tasks tbody tr")).to_have_count(2, timeout=SOON)
        expect(page.locator("[data-live-count]")).to_have_text("2")
        expect(done.first).to_be_focused()
        expect(done.first).to_have_value("called the w")
        shoot(page, "tasks-live")
        assert axe(page) == []

        page.goto(f"{address}/schedule/waitlist")
        button = page.get_by_role("button", name="Waits no more")
        button.focus()
        wait(ris, hospital, exams[1].id)
        expect(button).to_have_count(2, timeout=SOON)
        expect(button.first).to_be_focused()
        shoot(page, "waitlist-live")
        assert axe(page) == []
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("keeps the appointment")
        expect(button).to_have_count(1)
        assert problems == []


def task(ris: Ris, hospital: Hospital, procedure_id: int) -> None:
    with ris.uow() as uow:
        tasks.open(uow, "map_procedure", Ref("procedure", procedure_id), "no such code", site_id=hospital.sites["MAIN"])


def wait(ris: Ris, hospital: Hospital, procedure_id: int) -> None:
    with ris.uow(hospital.actor("scheduler")) as uow:
        waitlist.wait(uow, procedure_id=procedure_id)


def test_an_exam_page_follows_while_somebody_types_on_it(browser: Browser, ris: Ris) -> None:
    hospital = build_hospital(ris)
    procedure = booked(ris, hospital, starts_at=NOW + timedelta(minutes=30))
    with served(ris) as address, context_of(browser) as context:
        page = context.new_page()
        problems = page_problems(page)
        log_in(page, address, "scheduler", f"/exams/{procedure.id}")
        page.set_viewport_size({"width": 1200, "height": 500})
        page.get_by_text("Cancel this exam").click()
        why = page.get_by_label("Why; the placer is told")
        why.fill("the patient is")
        arrive(ris, hospital, procedure.id)
        expect(page.locator(".page-head .status")).to_have_text("arrived", timeout=SOON)
        expect(page.locator("#trail")).to_contain_text("exam.arrived")
        expect(why).to_be_focused()
        expect(why).to_have_value("the patient is")
        expect(why).to_be_in_viewport()
        with ris.uow(hospital.actor("technologist")) as uow:
            exam.start(uow, procedure_id=procedure.id)
        expect(page.locator(".page-head .status")).to_have_text("in progress", timeout=SOON)
        expect(why).to_have_count(0)
        shoot(page, "exam-live")
        assert axe(page) == []
        assert problems == []
