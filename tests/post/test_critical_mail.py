"""E-mails to who is fetched for a critical result: through a real mail server, once, with nothing clinical in them."""

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.critical import mailing, service
from ris.critical.model import CriticalMail
from ris.critical.service import Call
from ris.critical.status import Outcome, Way
from ris.notice.status import NoticeState
from ris.post.postman import Postman
from ris.processes.jobs import escalate_critical
from ris.staff import service as staff
from tests.clock import Clock
from tests.factories.critical import critical_result
from tests.factories.hospital import Hospital
from tests.factories.mail import write_to_patients
from tests.factories.orders import new_exam
from tests.post.mail_server import MailServer
from tests.waiting import until


@pytest.fixture
def engine_name() -> str:
    return "sqlite"


def noted(ris: Ris, hospital: Hospital, role: str) -> int:
    exam = new_exam(ris, hospital)
    with ris.uow() as uow:
        return critical_result(uow, exam.id, hospital.users[role]).id


def states(ris: Ris) -> list[tuple[str, str]]:
    with ris.read() as session:
        return [(mail.state, mail.reason) for mail in session.scalars(sa.select(CriticalMail).order_by(CriticalMail.id))]


def deliver(ris: Ris) -> None:
    postman = Postman(mailing, ris.uow, ris.read, ris.settings, clock=ris.clock, poll_s=0.02)
    postman.start()
    try:
        until(lambda: all(state not in ("queued", "sending") for state, _ in states(ris)))
    finally:
        postman.stop()


def test_who_is_fetched_gets_a_link_and_no_word_about_the_patient(
    ris: Ris, hospital: Hospital, mail_server: MailServer, clock: Clock
) -> None:
    write_to_patients(ris, hospital, active=False)
    with ris.uow() as uow:
        staff.set_email(uow, user_id=hospital.users["radiologist"], email="rad@main.example")
        staff.set_email(uow, user_id=hospital.users["resident"], email="resident@main.example")
    red = noted(ris, hospital, "radiologist")
    told = noted(ris, hospital, "resident")
    noted(ris, hospital, "front_desk")
    clock.advance(minutes=10)
    assert escalate_critical(ris) == "3 steps taken"
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.tell(uow, told, Call(uow.now, "A", "B", Way.telephone, Outcome.read_back))
    mail_server.says["data"].append("451 later")
    with ris.uow() as uow:
        stopped = uow.session.scalars(sa.select(CriticalMail).where(CriticalMail.critical_result_id == red)).one()
        stopped.state = NoticeState.sending
    postman = Postman(mailing, ris.uow, ris.read, ris.settings, clock=clock, poll_s=0.02)
    postman.start()
    until(lambda: not mail_server.says["data"])
    postman.stop()
    assert states(ris)[0][0] == "queued"
    clock.advance(minutes=1)
    deliver(ris)
    assert [state for state, _ in states(ris)] == ["sent", "not_sent", "not_sent"]
    assert [reason for _, reason in states(ris)][1:] == ["somebody was told meanwhile", "no e-mail address of this person is known"]
    (mail,) = mail_server.taken
    assert (mail["To"], mail["Subject"], mail_server.recipients) == ("rad@main.example", mailing.SUBJECT, ["rad@main.example"])
    text = str(mail.get_body(("plain",)).get_content())
    assert f"/critical/{red}" in text
    for word in ("Meadow", "Anna", "CT", "pneumothorax", "Red", "A26"):
        assert word not in text + mail["Subject"]
