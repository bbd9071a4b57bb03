"""Messages to patients in the browser: how a site writes, what is said, a patient's messages, and the public page."""

import re
from collections.abc import Callable
from datetime import timedelta

from flask import Flask

from ris.bootstrap import Ris
from ris.notice import stop_link
from ris.notice.model import MailFailure, MailPolicy, Notice, NoticeKind
from ris.notice.status import NoticeState
from tests.factories.hospital import Hospital
from tests.factories.mail import book, notices, patient_with_mail, write_to_patients
from tests.factories.orders import MONDAY
from tests.web.visitor import Visitor, trail

FORM = {
    "active": "on", "sender": "radiology@main.example", "sender_name": "Radiology", "phone": "217 555 0100", "place": "1 Main Street",
    "language": "en",
    "needs_consent": "on", "delay_minutes": "10", "reminder_hours": "72, 24", "quiet_from": "20:00", "quiet_until": "08:00",
}  # fmt: skip


def test_an_administrator_sets_a_site_up_and_writes_a_text(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    admin = visitor()
    admin.enter(hospital.users["administrator"])
    page = f"/mail/sites/{hospital.sites['MAIN']}"
    assert "No mail server is set" in admin.get("/mail").text
    wrong = admin.post(page, **FORM | {"sender": "nobody", "reminder_hours": "a day", "phone": ""})
    assert wrong.status_code == 422
    assert "The telephone number is needed." in wrong.text
    assert "Reminders are whole hours" in wrong.text
    assert "Sender: an address is written like" in admin.post(page, **FORM | {"sender": "a@b\r\nBcc: x"}).text
    assert admin.post(page, **FORM).status_code == 303
    assert admin.post(page, **FORM).status_code == 409, "the form is from before the first save"
    with ris.read() as session:
        policy = session.get_one(MailPolicy, hospital.sites["MAIN"])
        assert (policy.reminder_hours, policy.active) == ([72, 24], True)
    changed = FORM | {"row_version": str(policy.row_version), "quiet_until": "07:30"}
    assert admin.post(page, **changed).status_code == 303
    entry = trail(ris, what="notice.policy_changed")[-1]
    assert entry.detail == {"before": {"quiet_until": "08:00"}, "after": {"quiet_until": "07:30"}}

    text = "/mail/texts/reminder/pl"
    assert "There is no text in this language yet" in admin.get(text).text
    said = {"subject": "Wizyta {date}", "body": "{patient}\r\n\r\n{appointments}\r\n\r\n{stop}"}
    preview = admin.post(text, preview="1", **said).text
    assert "<dd>Wizyta 2026-12-07</dd>" in preview
    assert "2026-12-07, 10:00: CT chest with contrast" in preview
    assert "take out mri" in admin.post(text, **said | {"subject": "MRI {date}"}).text
    assert admin.post(text, **said).status_code == 303
    assert admin.post(text, **said | {"subject": "Termin {date}"}).status_code == 303
    shown = admin.get(text).text
    assert "Version 2 holds." in shown
    assert 'value="Wizyta {date}"' in admin.get(f"{text}?version=1").text
    assert [entry.detail["number"] for entry in trail(ris, what="notice.text_changed")] == [1, 2]
    assert "version 2" in admin.get("/mail").text


def test_the_desk_sees_what_was_sent_and_says_what_the_patient_wishes(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    write_to_patients(ris, hospital)
    anna = patient_with_mail(ris, hospital)
    exam_id, _ = book(ris, hospital, anna, MONDAY + timedelta(days=7))
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    page = f"/patients/{anna}/mail"
    assert page in clerk.get(f"/patients/{anna}").text
    shown = clerk.get(page).text
    assert "Confirmation" in shown
    assert "24 h before" in shown
    assert "Reminder" in clerk.get(f"/exams/{exam_id}").text
    assert [e.patient_id for e in trail(ris, what="messages to the patient")] == [anna]

    clerk.post(f"{page}/wish", given="no")
    assert "wants none" in clerk.get(page).text
    clerk.post(f"{page}/stop")
    assert "Nothing goes to this address" in clerk.get(page).text
    clerk.post(f"{page}/lift")
    assert "Nothing goes to this address" not in clerk.get(page).text
    acts = [entry.what for entry in trail(ris, patient_id=anna) if entry.what.startswith("notice.")]
    assert acts == ["notice.consent_given", "notice.consent_refused", "notice.address_stopped", "notice.stop_lifted"]

    [confirmation] = notices(ris, kind=NoticeKind.confirmation)
    with ris.uow() as uow:
        uow.session.get_one(Notice, confirmation.id).state = NoticeState.sent
    assert clerk.post(f"{page}/{confirmation.id}/came-back", reason="").status_code == 422
    assert clerk.post(f"{page}/{confirmation.id}/came-back", reason="mailbox full").status_code == 303
    assert f"/messages-to-patients/{confirmation.id}" in clerk.get("/tasks").text
    assert clerk.get(f"/messages-to-patients/{confirmation.id}").location == f"{page}#n-{confirmation.id}"
    assert clerk.post(f"{page}/{confirmation.id}/again").status_code == 303
    assert notices(ris, kind=NoticeKind.confirmation)[0].state is NoticeState.queued
    other = patient_with_mail(ris, hospital)
    assert clerk.post(f"/patients/{other}/mail/{confirmation.id}/again").status_code == 404


def test_an_address_that_takes_no_mail_is_shown_wherever_the_patient_is_received(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    write_to_patients(ris, hospital)
    anna = patient_with_mail(ris, hospital)
    book(ris, hospital, anna, MONDAY + timedelta(hours=3))
    with ris.uow() as uow:
        uow.add(MailFailure(address="anna@example.org", notice_id=notices(ris)[0].id, said="5.1.1 unknown", failed_at=uow.now))
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    page = f"/patients/{anna}/mail"
    assert "5.1.1 unknown" in clerk.get(page).text
    assert "comes back" in clerk.get(f"/patients/{anna}").text
    assert "e-mail comes back: ask for the address" in clerk.get(f"/worklists/arrivals?date={MONDAY.date()}").text
    assert clerk.post(f"{page}/works").status_code == 303
    assert "takes no e-mails" not in clerk.get(page).text


def test_the_link_stops_e_mails_without_a_login_and_shows_nothing(ris: Ris, hospital: Hospital, app: Flask) -> None:
    write_to_patients(ris, hospital)
    anna = patient_with_mail(ris, hospital)
    book(ris, hospital, anna, MONDAY + timedelta(days=7))
    with ris.uow() as uow:
        notice = uow.session.query(Notice).order_by(Notice.id).first()
        notice.address, notice.language, notice.state = "anna@example.org", "es", NoticeState.sent
    token = stop_link.token(ris.settings.web.secret_key.get_secret_value(), notice.id)
    reader = Visitor(app, ris)
    asked = reader.get(f"/stop-mail/{token}")
    assert asked.status_code == 200
    assert "¿Desea" in asked.text
    assert not re.search("anna|meadow|example.org", asked.text, re.IGNORECASE)
    assert asked.headers["Cache-Control"] == "no-store"
    for _ in range(2):
        answer = app.test_client().post(f"/stop-mail/{token}", data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200, "as a mail program sends it: no cookie, no form token, no origin"
    [stopped] = trail(ris, what="notice.address_stopped")
    assert stopped.detail == {"source": "mail_program"}
    assert reader.get("/stop-mail/AAAA").status_code == 404
    assert reader.post("/stop-mail/é").status_code == 404
    clerk = Visitor(app, ris)
    clerk.enter(hospital.users["front_desk"])
    assert "said by the reader of the mailbox" in clerk.get(f"/patients/{anna}/mail").text
