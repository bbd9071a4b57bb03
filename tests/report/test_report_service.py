"""Claim, write, sign, addend, publish: who may, who is told, and what never changes."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ris.base.errors import NotAllowedNow, RisError, Stale
from ris.base.uow import Actor
from ris.bootstrap import Ris
from ris.exam import service as exams
from ris.order.status import Priority
from ris.report import publication, service, versions
from ris.report.model import Report, ReportVersion
from ris.report.queries import reading_worklist
from ris.report.status import ReportStatus, VersionKind
from ris.scheduling import offering
from ris.scheduling import service as scheduling
from ris.settings import Reports
from tests.factories.hospital import Hospital
from tests.factories.orders import booked, completed, make_order, reported


def _reader(hospital: Hospital, role: str = "radiologist") -> Actor:
    return hospital.actor(role)


def _claimed(ris: Ris, hospital: Hospital, procedure_id: int, role: str = "radiologist") -> Report:
    with ris.uow(_reader(hospital, role)) as uow:
        return service.claim(uow, service.open_for(uow, procedure_id).id)


def _events(ris: Ris, name: str) -> list[dict]:
    with ris.read() as session:
        return [facts for (facts,) in session.execute(sa.text("SELECT facts FROM event WHERE name = :n ORDER BY id"), {"n": name})]


def test_a_report_begins_with_the_template_of_its_procedure(ris: Ris, hospital: Hospital) -> None:
    report = _claimed(ris, hospital, completed(ris, hospital).id)
    assert report.draft_text.startswith("FINDINGS:\n[findings]")


def test_an_exam_that_is_not_completed_cannot_be_read(ris: Ris, hospital: Hospital) -> None:
    exam = booked(ris, hospital)
    with pytest.raises(NotAllowedNow, match="it is scheduled"), ris.uow(_reader(hospital)) as uow:
        service.open_for(uow, exam.id)


def test_of_two_who_claim_one_wins_and_the_other_is_told_who(ris: Ris, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    _claimed(ris, hospital, exam.id)
    with pytest.raises(Stale, match="Test Radiologist is reading"):
        _claimed(ris, hospital, exam.id, "technologist")


def test_an_exam_waits_to_be_read_from_its_completion_to_its_final_report(ris: Ris, hospital: Hospital) -> None:
    exam = booked(ris, hospital)
    waits = [_waits(ris, hospital)]
    with ris.uow(_reader(hospital, "technologist")) as uow:
        exams.start(uow, procedure_id=exam.id)
    with ris.uow(_reader(hospital, "technologist")) as uow:
        exams.complete(uow, procedure_id=exam.id)
    waits.append(_waits(ris, hospital))
    report = _claimed(ris, hospital, exam.id)
    with ris.uow(_reader(hospital)) as uow:
        service.sign_preliminary(uow, report_id=report.id, text="Normal.", row_version=report.row_version)
    waits.append(_waits(ris, hospital))
    report = _claimed(ris, hospital, exam.id)
    with ris.uow(_reader(hospital)) as uow:
        service.sign_final(uow, report_id=report.id, text="Normal.", row_version=report.row_version, password_checked=True)
    waits.append(_waits(ris, hospital))
    with ris.uow(_reader(hospital)) as uow:
        service.addend(uow, report_id=report.id, text="And so it is.", password_checked=True)
    waits.append(_waits(ris, hospital))
    assert waits == [[], [(exam.id, None)], [(exam.id, ReportStatus.preliminary)], [], []]


def _waits(ris: Ris, hospital: Hospital) -> list[tuple[int, ReportStatus | None]]:
    with ris.read() as session:
        assert reading_worklist(session, [hospital.sites["WEST"]], ris.clock()) == []
        rows = reading_worklist(session, [hospital.sites["MAIN"]], ris.clock())
        return [(row.procedure_id, row.report_status) for row in rows]


def test_a_claim_that_nobody_renews_ends_by_itself(ris: Ris, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    _claimed(ris, hospital, exam.id)
    now = ris.clock
    ris.clock = lambda: now() + timedelta(minutes=ris.settings.reports.claim_minutes, seconds=1)
    assert _claimed(ris, hospital, exam.id, "technologist").claimed_by_id == hospital.users["technologist"]


def test_the_loser_of_two_saves_is_told_and_the_winner_s_words_stay(ris: Ris, hospital: Hospital) -> None:
    report = _claimed(ris, hospital, completed(ris, hospital).id)
    with ris.uow(_reader(hospital)) as uow:
        service.save_draft(uow, report_id=report.id, text="first", row_version=report.row_version)
    with pytest.raises(Stale, match="has not been saved over it"), ris.uow(_reader(hospital)) as uow:
        service.save_draft(uow, report_id=report.id, text="second", row_version=report.row_version)
    with ris.read() as session:
        assert session.get_one(Report, report.id).draft_text == "first"


def test_a_signature_names_everything_that_is_missing(ris: Ris, hospital: Hospital) -> None:
    report = _claimed(ris, hospital, completed(ris, hospital).id)
    with pytest.raises(NotAllowedNow) as refused, ris.uow(_reader(hospital)) as uow:
        service.sign_final(uow, report_id=report.id, text="size [cm]", row_version=report.row_version, password_checked=False)
    assert refused.value.missing == ("a template field is still open", "the password must be given again")


def test_two_who_sign_at_once_make_one_version_and_one_publication(ris: Ris, hospital: Hospital) -> None:
    """The same person in two browsers: both hold the claim, and both saw the same row."""
    for _ in range(10):
        exam = completed_again(ris, hospital)
        report = _claimed(ris, hospital, exam)
        outcomes = _at_once(ris, hospital, report)
        assert sorted(outcomes) == ["Stale", "signed"]
        with ris.read() as session:
            assert session.scalar(sa.select(sa.func.count()).where(ReportVersion.report_id == report.id)) == 1


def completed_again(ris: Ris, hospital: Hospital) -> int:
    with ris.uow(hospital.actor("scheduler")) as uow:
        order = make_order(uow, hospital, "CTHEAD")
        exam_id = order.procedures[0].id
    return _perform(ris, hospital, exam_id)


def _perform(ris: Ris, hospital: Hospital, exam_id: int) -> int:
    with ris.read() as session:
        slot = offering.free_slots(session, procedure_id=exam_id, after=ris.clock())[0]
    with ris.uow(hospital.actor("technologist")) as uow:
        step = scheduling.book(uow, procedure_id=exam_id, room_id=slot.room_id, starts_at=slot.starts_at)
        uow.session.flush()
        exams.arrive(uow, step_id=step.id)
        uow.session.flush()
        exams.start(uow, procedure_id=exam_id)
        uow.session.flush()
        exams.complete(uow, procedure_id=exam_id)
    return exam_id


def _at_once(ris: Ris, hospital: Hospital, report: Report) -> list[str]:
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def sign() -> None:
        barrier.wait()
        try:
            with ris.uow(_reader(hospital)) as uow:
                service.sign_final(uow, report_id=report.id, text="Normal.", row_version=report.row_version, password_checked=True)
            outcomes.append("signed")
        except RisError as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=sign) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_a_signed_text_cannot_be_changed_by_raw_sql(ris: Ris, hospital: Hospital) -> None:
    reported(ris, hospital)
    for statement in (
        "UPDATE report_version SET text = 'something else'",
        "UPDATE report_version SET signer_name = 'somebody else'",
        "DELETE FROM report_version",
    ):
        with pytest.raises(DBAPIError), ris.engine.begin() as connection:
            connection.execute(sa.text(statement))
    with ris.read() as session:
        assert versions.verify(session.scalars(sa.select(ReportVersion)).one())


def test_a_signature_does_not_cover_another_text(ris: Ris, hospital: Hospital) -> None:
    reported(ris, hospital)
    with ris.read() as session:
        version = session.scalars(sa.select(ReportVersion)).one()
        session.expunge(version)
    version.text += " Also a fracture."
    assert not versions.verify(version)


def test_an_addendum_stands_above_what_it_adds_to_and_goes_out_as_corrected(ris: Ris, hospital: Hospital) -> None:
    exam = reported(ris, hospital, text="No fracture.")
    with ris.uow(_reader(hospital)) as uow:
        report_id = service.open_for(uow, exam.id).id
        version = service.addend(uow, report_id=report_id, text="A hairline fracture.", password_checked=True)
    assert version.kind is VersionKind.addendum
    assert version.text.index("A hairline fracture.") < version.text.index("No fracture.")
    with ris.read() as session:
        texts = session.scalars(sa.select(ReportVersion.text).order_by(ReportVersion.number)).all()
    assert texts[0] == "No fracture."


def test_a_final_report_waits_for_its_publication_and_a_stat_one_does_not(ris: Ris, hospital: Hospital) -> None:
    ris.settings = ris.settings.model_copy(update={"reports": Reports(publication_delay_seconds=180)})
    reported(ris, hospital)
    assert _events(ris, "report.published") == []
    now = ris.clock
    ris.clock = lambda: now() + timedelta(seconds=179)
    with ris.uow() as uow:
        assert publication.publish_due(uow) == 0
    ris.clock = lambda: now() + timedelta(seconds=181)
    with ris.uow() as uow:
        assert publication.publish_due(uow) == 1
    assert len(_events(ris, "report.published")) == 1


def test_a_stat_report_is_published_at_once(ris: Ris, hospital: Hospital) -> None:
    ris.settings = ris.settings.model_copy(update={"reports": Reports(publication_delay_seconds=180)})
    exam = completed(ris, hospital)
    with ris.engine.begin() as connection:
        connection.execute(sa.text("UPDATE imaging_order SET priority = :p"), {"p": Priority.stat.value})
    report = _claimed(ris, hospital, exam.id)
    with ris.uow(_reader(hospital)) as uow:
        service.sign_final(uow, report_id=report.id, text="Bleeding.", row_version=report.row_version, password_checked=True)
    assert len(_events(ris, "report.published")) == 1
