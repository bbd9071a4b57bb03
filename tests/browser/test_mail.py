"""Messages to patients in Chromium: set up and written by an administrator, looked at by the desk, stopped by whoever reads them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from ris.bootstrap import Ris
from ris.notice import service, stop_link
from ris.notice.model import Notice
from ris.notice.status import NoticeState
from tests.browser.desk import NOW, House, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.mail import book, notices, patient_with_mail, write_to_patients


@pytest.fixture
def house(ris: Ris) -> Iterator[House]:
    hospital = build_hospital(ris)
    write_to_patients(ris, hospital)
    book(ris, hospital, patient_with_mail(ris, hospital), NOW + timedelta(days=7))
    with ris.uow() as uow:
        notice = uow.session.get_one(Notice, notices(ris)[0].id)
        notice.state, notice.sent_at, notice.address = NoticeState.sent, NOW, "anna@example.org"
        notice.subject, notice.text, notice.reason = "Your appointment", "Dear Anna Meadow,\n\nyou have an appointment.", "250 2.0.0 queued"
        uow.session.flush()
        service.come_back(uow, notice.id, "552 mailbox full")
    with served(ris) as address:
        yield House(address, ris, hospital)


def test_the_pages_of_messages_to_patients_work_by_keys_and_pass_axe(house: House, page: Page) -> None:
    problems = page_problems(page)
    log_in(page, house.address, "administrator", "/mail")
    scheme = page.evaluate("document.documentElement.dataset.bsTheme")
    assert axe(page) == []
    shoot(page, f"mail-index-{scheme}")
    page.get_by_role("link", name="Main hospital").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Reminders").fill("48, 24")
    assert axe(page) == []
    shoot(page, f"mail-site-{scheme}")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved: it holds from the next message on.")).to_be_visible()
    page.goto(f"{house.address}/mail/texts/reminder/es")
    page.get_by_label("Subject").fill("Recordatorio {date}")
    page.get_by_role("button", name="Preview").focus()
    page.keyboard.press("Enter")
    expect(page.locator("dd").first).to_have_text("Recordatorio lunes, 7 de diciembre de 2026")
    assert axe(page) == []
    shoot(page, f"mail-text-{scheme}")
    page.get_by_role("button", name="Save as a new version").click()
    expect(page.get_by_text("Version 1 holds.")).to_be_visible()

    notice = notices(house.ris)[0]
    page.goto(f"{house.address}/stop-mail/{stop_link.token(house.ris.settings.web.secret_key.get_secret_value(), notice.id)}")
    assert axe(page) == []
    shoot(page, f"mail-stop-{scheme}")
    page.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_be_visible()

    page.context.clear_cookies()
    log_in(page, house.address, "front_desk", f"/messages-to-patients/{notice.id}")
    expect(page.locator(f"#n-{notice.id}")).to_contain_text("552 mailbox full")
    page.get_by_text("Your appointment", exact=True).click()
    assert axe(page) == []
    shoot(page, f"mail-patient-{scheme}")
    page.get_by_role("button", name="Write to this address again").click()
    expect(page.get_by_text("E-mails go to this address again.")).to_be_visible()
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("It is sent once more")).to_be_visible()
    assert problems == []
