"""A resident's reading is approved, changed or sent back by somebody else, and what was signed a moment ago can be taken back."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow, Stale
from ris.billing.model import Charge
from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from ris.outbox.model import StoredEvent
from ris.patient.model import Patient
from ris.report import mine, publication, reading, review, service, versions
from ris.report.model import Report, ReportDiscrepancy, ReportVersion
from ris.report.queries import reading_worklist
from ris.report.status import Grade
from ris.settings import Reports, Settings
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, completed

READING = "FINDINGS:\nNo bleeding.\n\nIMPRESSION:\nNormal."


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY)


@pytest.fixture
def exam(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    return completed(ris, hospital)


def claim(ris: Ris, hospital: Hospital, role: str, exam: RequestedProcedure) -> Report:
    with ris.uow(hospital.actor(role)) as uow:
        return service.claim(uow, service.open_for(uow, exam.id).id)


def submit(ris: Ris, hospital: Hospital, exam: RequestedProcedure, text: str = READING, **asked: object) -> int:
    report = claim(ris, hospital, "resident", exam)
    with ris.uow(hospital.actor("resident")) as uow:
        review.submit(uow, report_id=report.id, text=text, row_version=report.row_version, **asked)
    return report.id


def approve(ris: Ris, hospital: Hospital, exam: RequestedProcedure, text: str = READING, **change: object) -> None:
    report = claim(ris, hospital, "radiologist", exam)
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.sign_final(uow, report_id=report.id, text=text, row_version=report.row_version, password_checked=True, **change)


def shown(ris: Ris, exam: RequestedProcedure) -> reading.ReportRow:
    with ris.read() as session:
        found = reading.report_of(session, exam.id)
    assert found is not None
    return found


def events(ris: Ris) -> list[str]:
    with ris.read() as session:
        return list(session.scalars(sa.select(StoredEvent.name).where(StoredEvent.name.like("report.%")).order_by(StoredEvent.id)))


def lists(ris: Ris, hospital: Hospital, role: str) -> dict[str, int]:
    """The lists of a person that are not empty, with how many stand on each."""
    with ris.read() as session:
        main = [hospital.sites["MAIN"]]
        found = mine.of(session, hospital.users[role], main, main if role == "radiologist" else [])
    return {name: len(rows) for name in found.__slots__ if (rows := getattr(found, name))}


def test_a_submitted_reading_is_preliminary_for_all_and_waits_for_somebody_else(
    ris: Ris, hospital: Hospital, exam: RequestedProcedure
) -> None:
    report_id = submit(ris, hospital, exam)
    assert (lists(ris, hospital, "resident"), lists(ris, hospital, "radiologist")) == ({"submitted": 1}, {"to_approve": 1})
    row = shown(ris, exam)
    assert (row.status, row.author, [v.kind for v in row.versions]) == ("in_review", "Test Resident", ["preliminary"])
    assert row.versions[0].published_at is not None
    with pytest.raises(NotAllowedNow, match="recall it to write on"):
        claim(ris, hospital, "resident", exam)
    with pytest.raises(NotAllowedNow, match="cannot approve it"), ris.uow(hospital.actor("resident")) as uow:
        service.sign_final(uow, report_id=report_id, text=READING, row_version=row.row_version, password_checked=True)


def test_an_approval_keeps_how_far_the_readings_are_apart(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
    submit(ris, hospital, exam)
    changed = READING.replace("Normal.", "Small bleeding.")
    with pytest.raises(NotAllowedNow, match="say how much"):
        approve(ris, hospital, exam, changed)
    approve(ris, hospital, exam, changed, grade=Grade.major, comment="see image 12")
    other = completed(ris, hospital)
    submit(ris, hospital, other)
    approve(ris, hospital, other, READING + "\n")
    with ris.read() as session:
        newest, first = mine.approvals(session, hospital.users["resident"])
        assert mine.approvals(session, hospital.users["radiologist"])[0].id == newest.id
    assert (first.grade, first.comment, first.author, first.reviewer) == ("major", "see image 12", "Test Resident", "Test Radiologist")
    assert newest.grade == "agreed"
    assert [(kind, text) for kind, text in mine.changes(first.preliminary, first.final) if kind != "same"] == [
        ("gone", "Normal."), ("come", "Small bleeding."),
    ]  # fmt: skip
    assert lists(ris, hospital, "radiologist") == {}


def test_a_reading_that_is_sent_back_stands_on_its_authors_list_with_the_reason(
    ris: Ris, hospital: Hospital, exam: RequestedProcedure
) -> None:
    report_id = submit(ris, hospital, exam)
    report = claim(ris, hospital, "radiologist", exam)
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.save_draft(uow, report_id=report_id, text="Half a sentence", row_version=report.row_version)
    for reason in ("", "   "):
        with pytest.raises(NotAllowedNow, match="a reason must be given"), ris.uow(hospital.actor("radiologist")) as uow:
            review.send_back(uow, report_id=report_id, reason=reason)
    with pytest.raises(Invalid, match="at most 500"), ris.uow(hospital.actor("radiologist")) as uow:
        review.send_back(uow, report_id=report_id, reason="x" * 501)
    with ris.uow(hospital.actor("radiologist")) as uow:
        review.send_back(uow, report_id=report_id, reason="look at the left side again")
    row = shown(ris, exam)
    assert (row.status, row.sent_back_by, row.sent_back_reason) == ("sent_back", "Test Radiologist", "look at the left side again")
    assert row.draft_text == READING
    assert (lists(ris, hospital, "resident"), lists(ris, hospital, "radiologist")) == ({"sent_back": 1}, {})
    submit(ris, hospital, exam, READING.replace("Normal.", "Bleeding on the left."))
    assert (lists(ris, hospital, "resident"), lists(ris, hospital, "radiologist")) == ({"submitted": 1}, {"to_approve": 1})
    assert events(ris).count("report.submitted") == 2


def test_the_author_recalls_a_reading_while_nobody_reviews_it(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
    report_id = submit(ris, hospital, exam)
    with pytest.raises(NotAllowedNow, match="only who submitted it"), ris.uow(hospital.actor("radiologist")) as uow:
        review.recall(uow, report_id=report_id)
    claim(ris, hospital, "radiologist", exam)
    with pytest.raises(Stale, match="Test Radiologist has taken over"), ris.uow(hospital.actor("resident")) as uow:
        review.recall(uow, report_id=report_id)
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.release(uow, report_id)
    with ris.uow(hospital.actor("resident")) as uow:
        review.recall(uow, report_id=report_id)
    assert lists(ris, hospital, "resident") == {"drafts": 1}
    claim(ris, hospital, "resident", exam)
    assert (shown(ris, exam).status, shown(ris, exam).draft_text) == ("draft", READING)


def test_only_who_may_sign_there_is_asked_to_approve(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
    for nobody in (hospital.users["technologist"], 1):
        with pytest.raises(Invalid, match="no right to sign"):
            submit(ris, hospital, exam, supervisor_id=nobody)
    with pytest.raises(Invalid, match="cannot approve"):
        submit(ris, hospital, exam, supervisor_id=hospital.users["resident"])
    submit(ris, hospital, exam, supervisor_id=hospital.users["radiologist"])
    assert shown(ris, exam).supervisor == "Test Radiologist"
    assert lists(ris, hospital, "radiologist") == {"to_approve": 1}


def test_a_signature_is_refused_when_what_was_displayed_has_changed(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
    report = claim(ris, hospital, "radiologist", exam)
    displayed = shown(ris, exam).displayed
    with ris.uow() as uow:
        uow.session.execute(sa.update(Patient).values(family="Somebody else"))
    with pytest.raises(Stale, match="read it again before signing"), ris.uow(hospital.actor("radiologist")) as uow:
        service.sign_final(
            uow, report_id=report.id, text=READING, row_version=report.row_version, password_checked=True, displayed=displayed
        )
    with ris.uow(hospital.actor("radiologist")) as uow:
        seal = shown(ris, exam).displayed
        service.sign_final(uow, report_id=report.id, text=READING, row_version=report.row_version, password_checked=True, displayed=seal)
    below = shown(ris, exam).displayed_below
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.addend(uow, report_id=report.id, text="More.", password_checked=True, displayed=below)
    with pytest.raises(Stale, match="read it again before signing"), ris.uow(hospital.actor("radiologist")) as uow:
        service.addend(uow, report_id=report.id, text="And more.", password_checked=True, displayed=below)
    with ris.read() as session:
        assert all(versions.verify(version) for version in session.scalars(sa.select(ReportVersion)))


class TestWithADelay:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"reports": Reports(publication_delay_seconds=180)})

    def test_the_signer_takes_back_what_has_not_left(self, ris: Ris, hospital: Hospital, exam: RequestedProcedure, clock: Clock) -> None:
        approve(ris, hospital, exam)
        assert lists(ris, hospital, "radiologist") == {"leaving": 1}
        report_id = shown(ris, exam).id
        with pytest.raises(NotAllowedNow, match="somebody else has signed it"), ris.uow(hospital.actor("resident")) as uow:
            publication.take_back(uow, report_id=report_id)
        clock.advance(seconds=179)
        with ris.uow(hospital.actor("radiologist")) as uow:
            publication.take_back(uow, report_id=report_id)
        row = shown(ris, exam)
        assert (row.status, row.draft_text, row.shown) == ("draft", READING, None)
        assert lists(ris, hospital, "radiologist") == {"drafts": 1}
        assert [(v.kind, v.is_taken_back, v.unaltered) for v in row.versions] == [("withdrawal", True, True), ("final", True, True)]
        clock.advance(hours=1)
        assert self.published(ris) == 0
        assert "report.published" not in events(ris)
        with ris.read() as session:
            assert [row.procedure_id for row in reading_worklist(session, [hospital.sites["MAIN"]], clock())] == [exam.id]
            assert "professional" not in session.scalars(sa.select(Charge.component)).all()
        approve(ris, hospital, exam, READING + " Addition.")
        clock.advance(minutes=3)
        assert self.published(ris) == 1
        assert shown(ris, exam).shown.number == 3

    def test_what_is_published_is_not_taken_back(self, ris: Ris, hospital: Hospital, exam: RequestedProcedure, clock: Clock) -> None:
        approve(ris, hospital, exam)
        clock.advance(minutes=3)
        assert self.published(ris) == 1
        with pytest.raises(NotAllowedNow, match="sign an addendum, or retract it"), ris.uow(hospital.actor("radiologist")) as uow:
            publication.take_back(uow, report_id=shown(ris, exam).id)

    def test_an_approval_that_is_taken_back_waits_for_approval_again(self, ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> None:
        submit(ris, hospital, exam)
        approve(ris, hospital, exam, "Otherwise.", grade=Grade.minor)
        with ris.uow(hospital.actor("radiologist")) as uow:
            publication.take_back(uow, report_id=shown(ris, exam).id)
        assert (shown(ris, exam).status, lists(ris, hospital, "radiologist")) == ("in_review", {"to_approve": 1})
        with ris.read() as session:
            assert session.scalars(sa.select(ReportDiscrepancy)).all() == []

    def test_an_addendum_that_is_taken_back_leaves_the_report_as_it_was(
        self, ris: Ris, hospital: Hospital, exam: RequestedProcedure, clock: Clock
    ) -> None:
        approve(ris, hospital, exam)
        clock.advance(minutes=3)
        self.published(ris)
        report_id = shown(ris, exam).id
        for text in ("First addition.", "Second addition."):
            with ris.uow(hospital.actor("radiologist")) as uow:
                service.addend(uow, report_id=report_id, text=text, password_checked=True)
        with ris.uow(hospital.actor("radiologist")) as uow:
            publication.take_back(uow, report_id=report_id)
        row = shown(ris, exam)
        assert (row.status, row.draft_text) == ("addended", "Second addition.")
        assert row.shown.text.splitlines()[1] == "First addition."
        with ris.uow(hospital.actor("radiologist")) as uow:
            service.addend(uow, report_id=report_id, text="Third addition.", password_checked=True)
        assert "Second addition." not in shown(ris, exam).shown.text
        clock.advance(minutes=3)
        assert self.published(ris) == 2

    @staticmethod
    def published(ris: Ris) -> int:
        with ris.uow() as uow:
            return publication.publish_due(uow)


def test_changes_of_a_long_text_are_shown_by_line() -> None:
    before = "".join(f"line {n} of many words\n" for n in range(2000))
    pieces = mine.changes(before, before.replace("line 7 of", "line seven of"))
    assert [piece for piece in pieces if piece[0] != "same"] == [
        ("gone", "line 7 of many words\n"), ("come", "line seven of many words\n"),
    ]  # fmt: skip
    assert "".join(text for kind, text in pieces if kind != "come") == before


def test_times_of_the_lists_are_moments(ris: Ris, hospital: Hospital, exam: RequestedProcedure, clock: Clock) -> None:
    submit(ris, hospital, exam)
    with ris.read() as session:
        (row,) = mine.of(session, hospital.users["resident"], [hospital.sites["MAIN"]], []).submitted
    assert isinstance(row.at, datetime)
    assert clock() - row.at < timedelta(minutes=1)
