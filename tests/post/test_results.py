"""Reports that leave by e-mail and as files: through a real mail server and to a real folder, once, whatever happens in between."""

import io

import pypdf

from ris.bootstrap import Ris
from ris.distribution import late, mailing, queries, service
from ris.distribution.model import Dispatch
from ris.distribution.queries import DispatchRow
from ris.outbox import hold
from ris.post import folder
from ris.post.postman import Postman
from ris.referrer.model import Delivery as By
from ris.report.verification import DIGEST
from ris.task.queries import open_tasks
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.mail import write_to_patients
from tests.factories.results import exam_with_copies, referrer, sign
from tests.post.mail_server import MailServer
from tests.waiting import until


def deliver(ris: Ris, report_id: int, version: int) -> DispatchRow:
    """Until the e-mail of the version was tried once more; its record."""

    def found() -> DispatchRow:
        with ris.read() as session:
            return next(r for r in queries.of_report(session, report_id) if r.number == version and r.channel == "email")

    before = found()
    postman = Postman(mailing, ris.uow, ris.read, ris.settings, clock=ris.clock, poll_s=0.02)
    postman.start()
    try:
        until(lambda: found().state != "sending" and found().attempts > before.attempts)
    finally:
        postman.stop()
    return found()


def test_an_email_leads_to_the_report_and_says_nothing_of_it(ris: Ris, hospital: Hospital, clock: Clock, mail_server: MailServer) -> None:
    referrer(ris, "Brook", By.email, email="brook@example.org")
    exam = exam_with_copies(ris, hospital, "Brook")
    report_id = sign(ris, hospital, exam)
    failed = deliver(ris, report_id, 1)
    assert (failed.state, failed.reason) == ("failed", "the site has no address to write from: see the page about e-mails")
    with ris.read() as session:
        [task] = open_tasks(session, hospital.sites.values(), "result_undelivered")
    assert (task.object_kind, task.object_id) == ("dispatch", failed.dispatch_id)

    write_to_patients(ris, hospital, active=False)
    mail_server.hang_up_after_data = True
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.send_again(uow, failed.dispatch_id, "there is an address now")
    with ris.read() as session:
        assert open_tasks(session, hospital.sites.values(), "result_undelivered") == []
    unknown = deliver(ris, report_id, 1)
    assert unknown.state == "waiting"
    mail_server.hang_up_after_data = False
    clock.advance(minutes=20)
    with ris.uow() as uow:
        assert late.is_call_due(uow.session, uow.now)
        late.call_for_late(uow)
    sent = deliver(ris, report_id, 1)
    assert (sent.state, sent.address) == ("sent", "brook@example.org")
    first, second = mail_server.taken
    assert first["Message-ID"] == second["Message-ID"], "nobody can know whether the first was taken: it comes under one name"
    assert second["Subject"] == "A report is ready, Main hospital"
    text = second.get_body(("plain",)).get_content()
    assert f"http://127.0.0.1:8080/results/{sent.dispatch_id}" in text
    for secret in ("Meadow", "Anna", "1970", exam.accession_number, "fracture", "CT"):
        assert secret not in str(second)

    sign(ris, hospital, exam, "addendum")
    deliver(ris, report_id, 2)
    sign(ris, hospital, exam, "retraction")
    deliver(ris, report_id, 3)
    assert [subject.partition(",")[0] for subject in mail_server.subjects()[2:]] == ["A report was changed", "A report was taken back"]
    with ris.uow() as uow:
        late.call_for_late(uow)
    with ris.read() as session:
        assert open_tasks(session, hospital.sites.values()) == []


def test_a_file_is_written_whole_under_one_name_and_leads_to_its_check(ris: Ris, hospital: Hospital) -> None:
    referrer(ris, "Early", By.folder, folder="early")
    exam = exam_with_copies(ris, hospital, "Early")
    report_id = sign(ris, hospital, exam)
    with ris.uow() as uow:
        hold.hold_all(uow, "restored")
    assert folder.write_due(ris) == 0
    with ris.uow() as uow:
        hold.release_all(uow)
    place = ris.settings.results_folder / "early"
    place.parent.mkdir()
    place.write_text("a file where the folder shall be")
    assert folder.write_due(ris) == 0
    with ris.read() as session:
        waits = next(row for row in queries.of_report(session, report_id) if row.channel == "folder")
    assert (waits.state, waits.reason) == ("waiting", "File exists")
    place.unlink()
    with ris.uow() as uow:
        uow.session.get_one(Dispatch, waits.dispatch_id).not_before = uow.now
    assert folder.write_due(ris) == 1
    assert folder.write_due(ris) == 0
    [path] = place.iterdir()
    assert path.name == f"{exam.accession_number}-v1-{waits.dispatch_id:X}.pdf"
    with ris.read() as session:
        done = next(row for row in queries.of_report(session, report_id) if row.channel == "folder")
    assert (done.state, done.reason, done.attempts) == ("sent", path.name, 2)
    words = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(path.read_bytes())).pages)
    assert "No fracture." in words
    assert DIGEST.search(words)
