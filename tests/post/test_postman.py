"""E-mails to patients through a real mail server: what leaves, when, once, and what becomes of what is not taken."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.notice import consent, queries, sending, service, stop_link
from ris.notice.model import MailText, Notice, NoticeKind, StopSource
from ris.notice.status import NoticeState
from ris.order import service as orders
from ris.outbox import hold
from ris.patient.model import Patient
from ris.post.postman import Postman
from ris.post.smtp import MailServer as Line
from ris.post.smtp import NoServer
from ris.scheduling import service as scheduling
from ris.settings import Mail
from ris.task.model import Task, TaskState
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.mail import book, notices, patient_with_mail, said, write_to_patients
from tests.post.mail_server import PASSWORD, USER, MailServer
from tests.waiting import until

NEXT_MONDAY = datetime(2026, 11, 30, 15, tzinfo=UTC)
"""10:00 by the clock of MAIN."""


@contextmanager
def delivering(ris: Ris) -> Iterator[Postman]:
    postman = Postman(sending, ris.uow, ris.read, ris.settings, clock=ris.clock, poll_s=0.02)
    postman.start()
    try:
        yield postman
    finally:
        postman.stop()


def deliver(ris: Ris) -> None:
    """Everything that is due now, and no more."""
    with delivering(ris):
        until(lambda: not _is_due(ris))


def _is_due(ris: Ris) -> bool:
    with ris.read() as session:
        under_way = session.scalar(sa.select(Notice.id).where(Notice.state == NoticeState.sending))
        return bool(under_way or sending.due(session, ris.clock()))


def is_served(ris: Ris) -> bool:
    with ris.read() as session:
        return queries.queue(session, ris.clock(), ris.clock()).is_served


def open_tasks(ris: Ris) -> list[str]:
    with ris.read() as session:
        return list(session.scalars(sa.select(Task.kind).where(Task.state == TaskState.open).order_by(Task.kind)))


def text_of(message: EmailMessage) -> str:
    return str(message.get_body(("plain",)).get_content())


def calendars(message: EmailMessage) -> list[str]:
    return [part.get_content().replace("\r\n ", "").replace("\n ", "") for part in message.iter_attachments()]


def value(calendar: str, name: str) -> str:
    event = calendar.partition("BEGIN:VEVENT")[2]
    return next(line.partition(":")[2].strip() for line in event.splitlines() if line.split(":")[0].split(";")[0] == name)


def test_the_life_of_an_appointment_reaches_the_patient_and_his_calendar(
    ris: Ris, hospital: Hospital, clock: Clock, mail_server: MailServer
) -> None:
    write_to_patients(ris, hospital)
    anna = patient_with_mail(ris, hospital)
    exam_id, step_id = book(ris, hospital, anna, NEXT_MONDAY)
    deliver(ris)
    assert mail_server.taken == [], "a slip of the hand can be mended for some minutes"
    clock.advance(minutes=10)
    deliver(ris)

    [confirmation] = mail_server.taken
    assert confirmation["To"] == "anna@example.org"
    assert confirmation["From"] == '"Main hospital, Radiology" <radiology@main.example>'
    assert confirmation["Reply-To"] == "desk@main.example"
    assert confirmation["Auto-Submitted"] == "auto-generated"
    assert confirmation["Subject"] == "Your appointment, Main hospital"
    assert "Dear Anna Meadow," in text_of(confirmation)
    assert "Monday, November 30, 2026, 10:00 am: CT chest with contrast" in text_of(confirmation)
    assert "How to prepare" not in text_of(confirmation), "this exam needs no preparation: the paragraph is left out"
    link = confirmation["List-Unsubscribe"].strip(" <>")
    assert link in text_of(confirmation)
    assert confirmation["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    [first] = calendars(confirmation)
    assert "METHOD:REQUEST" in first
    assert "DTSTART;TZID=America/New_York:20261130T100000" in first
    assert "CT" not in value(first, "SUMMARY"), "a calendar is shown to others"
    assert mail_server.logins == 1

    with ris.uow(hospital.actor("scheduler")) as uow:
        scheduling.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=NEXT_MONDAY + timedelta(hours=2))
    with ris.uow(hospital.actor("scheduler")) as uow:
        scheduling.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=NEXT_MONDAY + timedelta(hours=3))
    clock.advance(minutes=10)
    deliver(ris)
    assert mail_server.subjects()[1:] == ["Your appointment has changed, Main hospital"], "two moves, and only the newest is told"
    [second] = calendars(mail_server.taken[1])
    assert value(second, "DTSTART") == "20261130T130000"
    assert value(second, "UID") == value(first, "UID")
    assert int(value(second, "SEQUENCE")) > int(value(first, "SEQUENCE"))

    clock.now = NEXT_MONDAY - timedelta(hours=21)
    deliver(ris)
    assert mail_server.subjects()[2:] == ["Reminder of your appointment, Main hospital"]
    with ris.uow(hospital.actor("scheduler")) as uow:
        orders.cancel_procedure(uow, exam_id, "feels well")
    clock.advance(minutes=10)
    deliver(ris)
    assert mail_server.subjects()[3:] == ["Your appointment is cancelled, Main hospital"]
    [last] = calendars(mail_server.taken[3])
    assert "METHOD:CANCEL" in last
    assert value(last, "STATUS") == "CANCELLED"
    assert value(last, "UID") == value(first, "UID")
    assert int(value(last, "SEQUENCE")) > int(value(second, "SEQUENCE"))
    assert "10:00" not in text_of(mail_server.taken[3])

    assert [kind for kind, state in said(ris) if state == "sent"] == ["confirmation", "reminder", "change", "cancellation"]
    assert all(notice.reason == "250 2.0.0 queued as 17" for notice in notices(ris, state=NoticeState.sent))
    assert len({message["Message-ID"] for message in mail_server.taken}) == 4
    for message in mail_server.taken:
        names = [part.get_filename() for part in message.iter_attachments()]
        assert names == ["appointment.ics"]
    with ris.read() as session:
        found = queries.queue(session, clock.now, clock.now - timedelta(days=30))
        assert (found.waiting, found.later, found.sent_1h) == (0, 0, 2)
        assert {row.kind for row in queries.of_exam(session, exam_id)} == set(NoticeKind)
        assert len(queries.of_patient(session, anna, [hospital.sites["MAIN"]])) == len(notices(ris))


def test_what_need_not_or_must_not_be_said_is_not_sent_and_says_why(
    ris: Ris, hospital: Hospital, clock: Clock, mail_server: MailServer
) -> None:
    write_to_patients(ris, hospital)
    reasons = {}
    columns = {
        "no address": {"address": ""}, "deceased": {"deceased": True}, "wants none": {}, "stopped": {"address": "other@example.org"},
        "never asked": {}, "fleeting": {},
    }  # fmt: skip
    for number, (name, changed) in enumerate(columns.items()):
        patient_id = patient_with_mail(ris, hospital, **changed)
        _, step_id = book(ris, hospital, patient_id, NEXT_MONDAY + timedelta(minutes=30 * number))
        with ris.uow(hospital.actor("front_desk")) as uow:
            if name == "wants none":
                consent.say(uow, patient_id, given=False)
            elif name == "stopped":
                consent.stop_at_desk(uow, patient_id)
            elif name == "never asked":
                uow.session.execute(sa.text("DELETE FROM mail_consent WHERE patient_id = :id"), {"id": patient_id})
            elif name == "fleeting":
                scheduling.cancel(uow, step_id=step_id, reason="a slip")
        reasons[step_id] = name
    clock.advance(minutes=10)
    deliver(ris)
    assert mail_server.taken == []
    found = {reasons[n.step_id]: (n.state.value, n.reason) for n in notices(ris, kind=NoticeKind.confirmation)}
    assert found == {
        "no address": ("not_sent", "no e-mail address is known"),
        "deceased": ("not_sent", "the patient is recorded as deceased"),
        "wants none": ("opted_out", "the patient wants no e-mails"),
        "stopped": ("opted_out", "no more e-mails are wanted at this address"),
        "never asked": ("not_sent", "the patient has not agreed to e-mails"),
        "fleeting": ("not_sent", "cancelled before it was sent"),
    }
    assert notices(ris, kind=NoticeKind.cancellation) == [], "who was told nothing need not be told that it is off"


def test_quiet_hours_delay_and_a_reminder_that_would_come_too_late_is_not_sent(
    ris: Ris, hospital: Hospital, clock: Clock, mail_server: MailServer
) -> None:
    write_to_patients(ris, hospital, reminder_hours=(2,), delay_minutes=0)
    anna = patient_with_mail(ris, hospital)
    clock.now = datetime(2026, 11, 24, 2, tzinfo=UTC)
    _, step_id = book(ris, hospital, anna, datetime(2026, 11, 24, 12, tzinfo=UTC))
    deliver(ris)
    assert mail_server.taken == []
    assert said(ris) == [("confirmation", "quiet"), ("reminder", "queued")], "it is nine in the evening"
    assert open_tasks(ris) == ["mail_too_late"], "the exam is at seven, the quiet hours end at eight"
    clock.now = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
    deliver(ris)
    [reminder] = notices(ris, kind=NoticeKind.reminder)
    assert (reminder.state, reminder.reason) == (NoticeState.not_sent, "the quiet hours end only after the appointment has begun")
    with ris.uow(hospital.actor("scheduler")) as uow:
        scheduling.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=NEXT_MONDAY)
    clock.now = datetime(2026, 11, 24, 13, tzinfo=UTC)
    deliver(ris)
    assert mail_server.subjects() == ["Your appointment, Main hospital"], "the newest state, at eight in the morning"
    assert "November 30" in text_of(mail_server.taken[0])


def test_what_is_not_taken_is_tried_again_or_handed_to_the_desk(
    ris: Ris, hospital: Hospital, clock: Clock, mail_server: MailServer
) -> None:
    write_to_patients(ris, hospital, delay_minutes=0, reminder_hours=())
    anna = patient_with_mail(ris, hospital)
    book(ris, hospital, anna, NEXT_MONDAY)
    mail_server.says["rcpt"] = ["451 4.7.1 greylisted"] * 2
    deliver(ris)
    waits = []
    for _ in range(2):
        [notice] = notices(ris)
        assert (notice.state, notice.reason) == (NoticeState.queued, "451 4.7.1 greylisted")
        waits.append((notice.due_at - clock.now) / timedelta(minutes=1))
        clock.now = notice.due_at
        deliver(ris)
    assert waits == [1, 2]
    assert len(mail_server.taken) == 1

    book(ris, hospital, anna, NEXT_MONDAY + timedelta(hours=1))
    mail_server.says["data"] = ["554-5.7.1 not\r\n554 wanted here"]
    deliver(ris)
    refused = notices(ris)[-1]
    assert (refused.state, refused.reason) == (NoticeState.refused, "554 5.7.1 not wanted here")
    assert open_tasks(ris) == ["mail_refused"]
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.send_again(uow, refused.id)
    deliver(ris)
    assert open_tasks(ris) == []
    assert len(mail_server.taken) == 2
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.come_back(uow, refused.id, "mailbox full")
    assert open_tasks(ris) == ["mail_refused"]

    book(ris, hospital, anna, NEXT_MONDAY + timedelta(hours=2))
    mail_server.says["mail"] = ["550 sender not allowed"]
    with delivering(ris):
        until(lambda: len(mail_server.taken) == 3)
    assert notices(ris)[-1].state is NoticeState.sent, "a fault of ours with the server gives up no message"


def test_a_stop_between_the_servers_answer_and_its_record_repeats_the_same_message(
    ris: Ris, hospital: Hospital, clock: Clock, mail_server: MailServer
) -> None:
    write_to_patients(ris, hospital, delay_minutes=0, reminder_hours=())
    anna = patient_with_mail(ris, hospital)
    _, step_id = book(ris, hospital, anna, NEXT_MONDAY)
    [notice] = notices(ris)
    line = Line(ris.settings.mail)
    line.connect()
    with ris.uow() as uow:
        letter = sending.begin(uow, notice.id, ris.settings)
    assert line.send(letter).taken
    line.close()
    deliver(ris)
    assert [message["Message-ID"] for message in mail_server.taken] == [letter.message_id] * 2

    mail_server.hang_up_after_data = True
    book(ris, hospital, anna, NEXT_MONDAY + timedelta(hours=1))
    deliver(ris)
    assert notices(ris)[-1].state is NoticeState.queued
    clock.advance(minutes=1)
    deliver(ris)
    assert mail_server.taken[2]["Message-ID"] == mail_server.taken[3]["Message-ID"]

    with ris.uow() as uow:
        uow.session.execute(sa.update(Notice).where(Notice.id == notice.id).values(state=NoticeState.sending))
    with ris.uow(hospital.actor("scheduler")) as uow:
        scheduling.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=NEXT_MONDAY + timedelta(hours=3))
    deliver(ris)
    assert mail_server.subjects()[4:] == ["Your appointment has changed, Main hospital"], "what is overtaken is not repeated"


def test_nothing_leaves_while_all_is_held_nor_without_trusted_tls(
    ris: Ris, hospital: Hospital, clock: Clock, mail_server: MailServer
) -> None:
    write_to_patients(ris, hospital, delay_minutes=0, reminder_hours=())
    book(ris, hospital, patient_with_mail(ris, hospital), NEXT_MONDAY)
    with ris.uow() as uow:
        hold.hold_all(uow, "restored")
    with delivering(ris):
        until(lambda: is_served(ris))
    assert mail_server.logins == 0
    with ris.uow() as uow:
        hold.release_all(uow)
    ris.settings = ris.settings.model_copy(update={"mail": ris.settings.mail.model_copy(update={"authorities": None})})
    with delivering(ris):
        until(lambda: "not trusted" in notices(ris)[0].reason)
    assert said(ris) == [("confirmation", "queued")]
    clock.advance(minutes=16)
    with ris.uow() as uow:
        assert service.is_call_due(uow.session, uow.now)
        service.call_for_late(uow)
    assert open_tasks(ris) == ["mail_late"]


@pytest.mark.parametrize(
    ("server", "mail", "fault"),
    [
        ({"offers_tls": False}, {}, "no TLS"),
        ({}, {"password": "wrong"}, "535"),
        ({}, {"port": 1}, "cannot be reached"),
        ({}, {"host": ""}, "no mail server is set"),
        ({"implicit": True}, {"security": "tls"}, ""),
    ],
    ids=["no TLS", "wrong password", "nobody there", "not set", "TLS from the first byte"],
)
def test_the_mail_server_is_spoken_to_inside_tls_alone(certificate, server, mail, fault) -> None:
    with MailServer(certificate, **server) as peer:
        known = {
            "host": "127.0.0.1",
            "port": peer.port,
            "user": USER,
            "password": PASSWORD,
            "authorities": certificate[0],
            "timeout_seconds": 5,
        }
        line = Line(Mail(**(known | mail)))
        if fault:
            with pytest.raises(NoServer, match=fault):
                line.connect()
        else:
            line.connect()
        line.close()


def test_who_shares_a_mailbox_is_called_by_the_first_name_and_a_language_without_text_falls_back(
    ris: Ris, hospital: Hospital, clock: Clock, mail_server: MailServer
) -> None:
    write_to_patients(ris, hospital, delay_minutes=0, reminder_hours=(), language="de")
    with ris.uow(hospital.actor("administrator")) as uow:
        spanish = "{patient}: {appointments}\n\n{preparation}\n\n{stop}"
        service.write_text(uow, NoticeKind.confirmation, "es", subject="Cita {date}", body=spanish)
        assert service.write_text(uow, NoticeKind.confirmation, "es", subject="Cita {date}", body=spanish) is None
        uow.session.execute(sa.text("UPDATE procedure SET preparation = 'Nothing to eat for 4 hours.' WHERE code = 'CTCHESTC'"))
    for number, (given, language) in enumerate({"Anna": "es-MX", "Berta": "pl", "Clara": ""}.items()):
        patient_id = patient_with_mail(ris, hospital, given=given, language=language)
        book(ris, hospital, patient_id, NEXT_MONDAY + timedelta(hours=number))
    deliver(ris)
    anna, berta, clara = mail_server.taken
    assert anna["Subject"] == "Cita lunes, 30 de noviembre de 2026"
    assert text_of(anna).startswith("Anna: lunes, 30 de noviembre de 2026, 10:00: CT chest with contrast")
    assert "Nothing to eat for 4 hours." in text_of(anna)
    assert anna["Content-Language"] == "es"
    assert berta["Subject"] == "Ihr Termin, Main hospital", "there is no Polish text: the site's language is taken"
    assert "Guten Tag Clara," in text_of(clara)
    assert "Meadow" not in text_of(anna) + text_of(berta) + text_of(clara)

    token = anna["List-Unsubscribe"].strip(" <>").rpartition("/")[2]
    secret = ris.settings.web.secret_key.get_secret_value()
    notice_id = stop_link.notice_of(secret, token)
    with ris.uow() as uow:
        consent.stop_by_link(uow, notice_id, StopSource.mail_program)
    with ris.read() as session:
        wishes = [consent.wish(session, patient) for patient in session.scalars(sa.select(Patient).where(Patient.email != ""))]
        assert all(wish.stopped_at for wish in wishes), "one mailbox, one wish"
        assert session.scalar(sa.select(sa.func.count(MailText.id))) == 1
    assert stop_link.notice_of(secret, token[:-2] + "AA") is None
    assert stop_link.notice_of("another secret", token) is None
