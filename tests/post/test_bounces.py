"""What comes back as mail: reports of real mail servers about messages that a real one took, put into the watched folder."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.notice import consent, service
from ris.notice.status import NoticeState
from ris.patient.model import Patient
from ris.post import bounce
from ris.processes.returned import Returned
from ris.task.model import Task
from tests.factories.hospital import Hospital
from tests.factories.mail import book, notices, patient_with_mail, write_to_patients
from tests.post.mail_server import MailServer
from tests.post.test_postman import deliver, open_tasks
from tests.waiting import until

MONDAY = datetime(2026, 11, 30, 15, tzinfo=UTC)

POSTFIX = """\
Return-Path: <>
Received: by mail.example (Postfix) id 4XyZ19; Mon, 23 Nov 2026 15:00:05 +0000 (UTC)
Date: Mon, 23 Nov 2026 15:00:05 +0000 (UTC)
From: MAILER-DAEMON@mail.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: radiology@main.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4XyZ19.1764000005/mail.example"
Message-Id: <20261123150005.4XyZ19@mail.example>

This is a MIME-encapsulated message.

--4XyZ19.1764000005/mail.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mail.example.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

<{to}>: host mx.example.org[192.0.2.7] said: {status_line}

--4XyZ19.1764000005/mail.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example
X-Postfix-Queue-ID: 4XyZ19
X-Postfix-Sender: rfc822; radiology@main.example
Arrival-Date: Mon, 23 Nov 2026 15:00:00 +0000 (UTC)

Final-Recipient: rfc822; {to}
Original-Recipient: rfc822;{to}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.org
Diagnostic-Code: smtp; {status_line}

--4XyZ19.1764000005/mail.example
Content-Description: Undelivered Message
Content-Type: message/rfc822

{original}
--4XyZ19.1764000005/mail.example--
"""
EXCHANGE = """\
From: <postmaster@mail.example>
To: <radiology@main.example>
Date: Mon, 23 Nov 2026 15:00:05 +0000
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="b1e7a2c4-6b1f-4d57-9b3e"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: en-US
Message-ID: <6f1d2b60-aa@mail.example>
Subject: =?utf-8?B?VW5kZWxpdmVyYWJsZTogQXBwb2ludG1lbnQ=?=
Auto-Submitted: auto-replied
MIME-Version: 1.0

--b1e7a2c4-6b1f-4d57-9b3e
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

<html><body><p>Delivery has failed to these recipients.</p></body></html>

--b1e7a2c4-6b1f-4d57-9b3e
Content-Type: message/delivery-status

Reporting-MTA: dns;EX1.mail.example
Received-From-MTA: dns;mail.example
Arrival-Date: Mon, 23 Nov 2026 15:00:02 +0000

Original-Recipient: rfc822;{to}
Final-Recipient: rfc822;elsewhere@forward.example
Action: {action}
Status: {status}
Diagnostic-Code: smtp;{status_line}
X-Display-Name: Anna

--b1e7a2c4-6b1f-4d57-9b3e
Content-Type: text/rfc822-headers

{heads}

--b1e7a2c4-6b1f-4d57-9b3e--
"""
UNKNOWN = "550 5.1.1 User unknown in virtual mailbox table"


def report(original: EmailMessage, form: str = POSTFIX, *, action: str = "failed", status: str = "5.1.1", said: str = UNKNOWN) -> bytes:
    heads = "\n".join(f"{name}: {value}" for name, value in original.items())
    filled = form.format(to=original["To"], action=action, status=status, status_line=said, original=original.as_string(), heads=heads)
    return filled.encode()


@pytest.fixture
def put(ris: Ris, tmp_path: Path) -> Callable[[bytes], str]:
    """Puts a mail into the watched folder and waits for what is said about it."""
    folder, count = tmp_path / "bounces", iter(range(100))

    def take(content: bytes) -> str:
        watched = Returned(ris.uow, folder, look_s=0.02, settled_s=5)
        watched.start()
        path = folder / f"{next(count)}.eml"
        try:
            path.with_suffix(".part").write_bytes(content)
            os.utime(path.with_suffix(".part"), (1, 1))
            path.with_suffix(".part").rename(path)
            until(lambda: not path.exists())
        finally:
            watched.stop()
        return (folder / "done" / f"{path.name}.answers").read_text().strip()

    return take


def test_what_comes_back_is_handed_to_the_desk_and_nothing_more_goes_to_an_address_that_takes_none(
    ris: Ris, hospital: Hospital, mail_server: MailServer, put: Callable[[bytes], str]
) -> None:
    write_to_patients(ris, hospital, delay_minutes=0, reminder_hours=())
    anna = patient_with_mail(ris, hospital, "Anna@example.org")
    book(ris, hospital, anna, MONDAY)
    deliver(ris)
    [first] = notices(ris)
    original = mail_server.taken[0]

    assert put(report(original, action="delayed", status="4.4.1", said="451 try later")) == f"message {first.id}: delayed is no failure"
    assert put(b"From: anna@example.org\r\nSubject: Re: thanks\r\n\r\nI will come.\r\n") == "no report about a message"
    assert put(b"\xff\x00 no mail at all") == "no report about a message"
    forged = EmailMessage()
    forged["Message-ID"], forged["To"] = "<notice-17-0@main.example>", "anna@example.org"
    assert put(report(forged)) == "not about a message of ours"
    assert (notices(ris)[0].state, open_tasks(ris)) == (NoticeState.sent, [])

    assert put(report(original)) == f"message {first.id}: came back, and its address takes no mail"
    assert put(report(original)) == f"message {first.id}: known already, or sent again since"
    [came_back] = notices(ris)
    assert (came_back.state, came_back.reason) == (NoticeState.returned, UNKNOWN)
    with ris.read() as session:
        assert session.scalars(sa.select(Task)).one().reason == f"confirmation came back: {UNKNOWN}"
        assert consent.failing(session, [anna]) == {anna}

    book(ris, hospital, anna, MONDAY + timedelta(hours=1))
    deliver(ris)
    assert notices(ris)[-1].reason == f"the address takes no e-mails: {UNKNOWN}"
    with ris.uow(hospital.actor("front_desk")) as uow:
        uow.session.get_one(Patient, anna).email = "anna.new@example.org"
    with ris.uow(hospital.actor("front_desk")) as uow:
        assert consent.failing(uow.session, [anna]) == frozenset()
        service.send_again(uow, first.id)
    deliver(ris)
    assert (mail_server.recipients[-1], open_tasks(ris)) == ("anna.new@example.org", [])

    assert put(report(original)) == f"message {first.id}: known already, or sent again since"
    full = report(mail_server.taken[-1], EXCHANGE, status="5.2.2", said="552 5.2.2 mailbox full")
    assert put(full) == f"message {first.id}: came back"
    with ris.uow(hospital.actor("front_desk")) as uow:
        assert consent.failing(uow.session, [anna]) == frozenset(), "a full mailbox is no fault of the address"
        service.send_again(uow, first.id)
    deliver(ris)
    gone = report(mail_server.taken[-1], EXCHANGE, status="5.4.4", said="")
    assert put(gone) == f"message {first.id}: came back, and its address takes no mail"
    assert notices(ris)[0].reason == "5.4.4"
    with ris.uow(hospital.actor("front_desk")) as uow:
        consent.lift_failure(uow, anna)
    with ris.uow(hospital.actor("front_desk")) as uow:
        assert consent.failing(uow.session, [anna]) == frozenset()
        service.send_again(uow, first.id)
    deliver(ris)
    assert notices(ris)[0].state is NoticeState.sent


@pytest.mark.parametrize(
    "raw",
    [b"", b"Content-Type: message/delivery-status\n\n", b"Content-Type: multipart/report; boundary=x\n\n--x\n", b"Content-Type: \xe9\n\n"],
)
def test_what_is_no_report_says_nothing(raw: bytes) -> None:
    assert bounce.read(raw) == []
