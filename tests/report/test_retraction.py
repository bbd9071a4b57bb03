"""A report on the wrong patient or exam is taken back: what stays, what is told, what is charged, and how it goes on."""

import csv

import pytest
import sqlalchemy as sa

from ris.base.errors import NotAllowedNow, Stale
from ris.billing.model import Charge, ChargeStatus
from ris.bootstrap import Ris
from ris.exports import charges_csv
from ris.order.model import RequestedProcedure
from ris.outbox.model import StoredEvent
from ris.patient.model import Patient
from ris.report import dictation, publication, reading, service
from ris.report.model import Report, ReportVersion
from ris.report.priors import priors
from ris.report.queries import reading_worklist
from ris.settings import Reports, Settings
from tests.factories.hospital import Hospital
from tests.factories.orders import completed, make_order, reported


def retract(ris: Ris, hospital: Hospital, procedure_id: int, reason: str = "wrong patient", password_checked: bool = True) -> int:
    with ris.uow(hospital.actor("radiologist")) as uow:
        report_id = service.open_for(uow, procedure_id).id
        return service.retract(uow, report_id=report_id, reason=reason, password_checked=password_checked).id


def sign(ris: Ris, hospital: Hospital, procedure_id: int, text: str) -> int:
    with ris.uow(hospital.actor("radiologist")) as uow:
        report = service.claim(uow, service.open_for(uow, procedure_id).id)
        uow.session.flush()
        return service.sign_final(uow, report_id=report.id, text=text, row_version=report.row_version, password_checked=True).id


def versions(ris: Ris) -> list[ReportVersion]:
    with ris.read() as session:
        return list(session.scalars(sa.select(ReportVersion).order_by(ReportVersion.number)))


def events(ris: Ris, *names: str) -> list[tuple[str, str]]:
    """Name, and kind or reason."""
    with ris.read() as session:
        found = session.scalars(sa.select(StoredEvent).where(StoredEvent.name.in_(names)).order_by(StoredEvent.id))
        return [(event.name, event.facts.get("kind") or event.facts["reason"]) for event in found]


def unread(ris: Ris, hospital: Hospital) -> list[int]:
    with ris.uow() as uow:
        return [row.procedure_id for row in reading_worklist(uow.session, [hospital.sites["MAIN"]], uow.now)]


def charges(ris: Ris) -> list[tuple[str, str, int | None]]:
    with ris.read() as session:
        found = session.scalars(sa.select(Charge).where(Charge.component == "professional").order_by(Charge.id))
        return [(charge.status, charge.voided_reason, charge.amount) for charge in found]


def export(ris: Ris, day: int) -> list[list[str]]:
    """The cells of the lines of a nightly file, without header and trailer."""
    with ris.uow() as uow:
        until = uow.now
    with charges_csv.write(ris, until.date().replace(day=day), until).open(newline="") as file:
        return list(csv.reader(file))[1:-1]


def test_the_text_stays_below_the_notice_and_every_version_is_what_was_signed(ris: Ris, hospital: Hospital) -> None:
    exam = reported(ris, hospital, text="No fracture.")
    retract(ris, hospital, exam.id)
    final, retraction = versions(ris)
    assert (final.text, final.kind, retraction.kind, retraction.method) == ("No fracture.", "final", "retraction", "password")
    heading, reason, *rest = retraction.text.splitlines()
    assert heading.startswith("RETRACTED ")
    assert heading.endswith("Test Radiologist")
    assert (reason, rest) == ("Reason: wrong patient", ["", "No fracture."])
    with ris.read() as session:
        row = reading.report_of(session, exam.id)
        assert [version.unaltered for version in row.versions] == [True, True]
        assert row.retraction.id == retraction.id
        assert reading.statuses(session, [exam.id]) == {exam.id: "retracted"}


def test_the_exam_is_unread_again_and_the_next_reading_begins_with_the_template(ris: Ris, hospital: Hospital) -> None:
    exam = reported(ris, hospital)
    assert unread(ris, hospital) == []
    retract(ris, hospital, exam.id)
    assert unread(ris, hospital) == [exam.id]
    with ris.read() as session:
        assert session.scalars(sa.select(Report.draft_text)).one().startswith("FINDINGS:")
    sign(ris, hospital, exam.id, "Fracture of the left hip.")
    assert unread(ris, hospital) == []
    assert [(v.number, v.kind) for v in versions(ris)] == [(1, "final"), (2, "retraction"), (3, "final")]
    with ris.read() as session:
        assert reading.report_of(session, exam.id).retraction is None


def test_whoever_was_told_is_told_at_once(ris: Ris, hospital: Hospital) -> None:
    exam = reported(ris, hospital)
    retract(ris, hospital, exam.id)
    assert events(ris, "report.retracted", "report.published") == [
        ("report.published", "final"), ("report.retracted", "wrong patient"), ("report.published", "retraction"),
    ]  # fmt: skip


class TestWithADelay:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"reports": Reports(publication_delay_seconds=600)})

    def test_what_was_not_published_yet_is_never_published(self, ris: Ris, hospital: Hospital) -> None:
        exam = completed(ris, hospital)
        sign(ris, hospital, exam.id, "No fracture.")
        retract(ris, hospital, exam.id)
        with ris.uow() as uow:
            uow.now = max(version.publish_at for version in versions(ris))
            assert publication.publish_due(uow) == 0
        assert events(ris, "report.published") == []
        assert charges(ris) == []
        with ris.read() as session:
            assert [version.withdrawn for version in reading.report_of(session, exam.id).versions] == [True, True]

    def test_the_reading_after_it_is_published_as_ever(self, ris: Ris, hospital: Hospital) -> None:
        exam = completed(ris, hospital)
        sign(ris, hospital, exam.id, "No fracture.")
        retract(ris, hospital, exam.id)
        sign(ris, hospital, exam.id, "A fracture.")
        with ris.uow() as uow:
            uow.now = max(version.publish_at for version in versions(ris))
            assert publication.publish_due(uow) == 1
        assert [version.published_at is not None for version in versions(ris)] == [False, False, True]


def test_it_needs_a_reason_the_password_and_something_that_was_signed(ris: Ris, hospital: Hospital) -> None:
    exam = reported(ris, hospital)
    with pytest.raises(NotAllowedNow, match="a reason must be given; the password must be given again"):
        retract(ris, hospital, exam.id, " ", password_checked=False)
    unsigned = completed(ris, hospital)
    with pytest.raises(NotAllowedNow, match="it is draft"):
        retract(ris, hospital, unsigned.id)
    retract(ris, hospital, exam.id)
    with pytest.raises(NotAllowedNow, match="it is retracted"):
        retract(ris, hospital, exam.id)


def test_a_preliminary_report_is_not_taken_from_under_its_reader(ris: Ris, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    with ris.uow(hospital.actor("technologist")) as uow:
        report = service.claim(uow, service.open_for(uow, exam.id).id)
        uow.session.flush()
        service.sign_preliminary(uow, report_id=report.id, text="Looks normal.", row_version=report.row_version)
    with ris.uow(hospital.actor("technologist")) as uow:
        service.claim(uow, service.open_for(uow, exam.id).id)
    with pytest.raises(Stale, match="Test Technologist is reading this exam"):
        retract(ris, hospital, exam.id)
    with ris.uow(hospital.actor("technologist")) as uow:
        service.release(uow, service.open_for(uow, exam.id).id)
    retract(ris, hospital, exam.id)
    assert unread(ris, hospital) == [exam.id]


def test_a_retracted_report_is_no_earlier_report_of_the_patient(ris: Ris, hospital: Hospital) -> None:
    exam = reported(ris, hospital)
    with ris.uow() as uow:
        patient = uow.session.get_one(Patient, exam.order.patient_id)
        other_id = make_order(uow, hospital, patient=patient).procedures[0].id
    sites = [hospital.sites["MAIN"]]
    with ris.read() as session:
        assert [(prior.procedure_id, prior.text) for prior in priors(session, other_id, sites)] == [(exam.id, "No fracture.")]
    retract(ris, hospital, exam.id)
    with ris.read() as session:
        assert [(prior.procedure_id, prior.text) for prior in priors(session, other_id, sites)] == [(exam.id, "")]
    sign(ris, hospital, exam.id, "A fracture.")
    with ris.read() as session:
        assert [prior.text for prior in priors(session, other_id, sites)] == ["A fracture."]


def test_words_from_outside_become_the_draft_of_the_next_reading(ris: Ris, hospital: Hospital) -> None:
    exam = reported(ris, hospital)
    retract(ris, hospital, exam.id)
    with ris.uow() as uow:
        assert dictation.file(uow, uow.session.get_one(RequestedProcedure, exam.id), "Dictated anew.")


def test_a_charge_that_has_not_gone_out_is_voided_and_the_next_reading_is_charged(ris: Ris, hospital: Hospital) -> None:
    exam = reported(ris, hospital)
    retract(ris, hospital, exam.id)
    reason = "the report was retracted: wrong patient"
    assert charges(ris) == [("voided", reason, 4_500)]
    sign(ris, hospital, exam.id, "A fracture.")
    assert charges(ris) == [("voided", reason, 4_500), ("ready", "", 4_500)]
    assert [cells[6] for cells in export(ris, 1)] == ["technical", "professional"]


def test_a_charge_that_has_gone_out_is_reversed_by_a_line_of_the_next_file(ris: Ris, hospital: Hospital) -> None:
    exam = reported(ris, hospital)
    first = export(ris, 1)
    retract(ris, hospital, exam.id)
    sign(ris, hospital, exam.id, "A fracture.")
    charged = next(cells for cells in first if cells[6] == "professional")
    reversal, again = export(ris, 2)
    assert (charged[9], charged[14]) == ("45.00", "")
    assert (reversal[2], reversal[6], reversal[7], reversal[9], reversal[14]) == (*(charged[n] for n in (2, 6, 7)), "-45.00", charged[1])
    assert (again[9], again[14]) == ("45.00", "")
    assert [status for status, _, _ in charges(ris)] == [ChargeStatus.voided, ChargeStatus.exported, ChargeStatus.exported]
    retract(ris, hospital, exam.id, "wrong side")
    assert [cells[9] for cells in export(ris, 3)] == ["-45.00"]
