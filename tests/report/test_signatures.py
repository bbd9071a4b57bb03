"""Whoever changes a signed report in the database is found out: on the page, in the message, on paper, and each night."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from ris.base.errors import NotAllowedNow
from ris.bootstrap import Ris
from ris.documents import report_sheet
from ris.outbox import queries
from ris.outbox.transport import CannotBuild
from ris.processes import jobs
from ris.report import integrity, publication, reading, verification, versions
from ris.report import service as reports
from ris.report.model import ReportVersion
from ris.settings import Reports
from ris.task.queries import open_tasks
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, reported
from tests.hl7 import building
from tests.outbox.outgoing import do_exam, forget_deliveries, place, say, sign

NIGHT = datetime(2026, 12, 1, 1, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY)


def tamper(ris: Ris, change: str, **values: object) -> None:
    """As somebody does who is master of the database: the triggers are out of the way, and come back."""
    if ris.engine.dialect.name == "postgresql":
        off, on = ["SET session_replication_role = replica"], ["SET session_replication_role = DEFAULT"]
    else:
        with ris.engine.connect() as connection:
            wanted = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'report_version'"
            found = connection.execute(sa.text(wanted)).all()
        off, on = [f"DROP TRIGGER {name}" for name, _ in found], [text for _, text in found]
    with ris.engine.begin() as connection:
        for statement in off:
            connection.exec_driver_sql(statement)
        connection.execute(sa.text(f"UPDATE report_version SET {change}"), values)
        for statement in on:
            connection.exec_driver_sql(statement)


def test_what_was_changed_behind_the_program_is_shown_told_to_nobody_and_found_at_night(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    version_id = sign(ris, hospital, placed, "No embolus.")
    with ris.read() as session:
        report_id, digest = session.execute(sa.select(ReportVersion.report_id, ReportVersion.digest)).one()
    assert jobs.verify_signatures(ris, NIGHT) == "1 verified, 0 broken"
    tamper(ris, "text = :text", text="An embolus.")
    with ris.read() as session:
        shown = reading.report_of(session, placed.procedure_ids[0]).shown
        printed = report_sheet.read(session, version_id)
        checked = verification.verify(session, digest)
    assert not shown.unaltered
    assert printed.banner == report_sheet.ALTERED
    assert (checked.is_unaltered, checked.is_current) == (False, False)
    with pytest.raises(CannotBuild, match="is not what was signed"):
        building.raw(ris, "report.published")
    with pytest.raises(NotAllowedNow, match="not what was signed"), ris.uow(hospital.actor("radiologist")) as uow:
        reports.addend(uow, report_id=report_id, text="And more.", password_checked=True)
    for _ in range(2):
        assert jobs.verify_signatures(ris, NIGHT) == "1 verified, 1 broken"
    with ris.read() as session:
        [task] = open_tasks(session, hospital.sites.values(), integrity.BROKEN)
    assert (task.object_id, task.reason) == (report_id, "version 1 is not what was signed")

    tamper(ris, "text = :text", text="No embolus.")
    assert jobs.verify_signatures(ris, NIGHT) == "1 verified, 0 broken"
    with ris.read() as session:
        assert open_tasks(session, hospital.sites.values(), integrity.BROKEN) == []
        version = session.get_one(ReportVersion, version_id)
        session.expunge(version)
    version.text = "An embolus."
    tamper(ris, "text = :text, digest = :digest", text=version.text, digest=versions.digest(version))
    with ris.read() as session:
        assert versions.verify(session.get_one(ReportVersion, version_id)), "a new digest fits the new text"
    assert jobs.verify_signatures(ris, NIGHT) == "1 verified, 1 broken", "but it is not the one that the signature told"


def test_a_signature_covers_all_that_is_printed_of_it_and_where_it_stands(ris: Ris, hospital: Hospital) -> None:
    reported(ris, hospital, text="Normal.")
    reported(ris, hospital, text="A fracture.")
    with ris.read() as session:
        first, second = session.scalars(sa.select(ReportVersion).order_by(ReportVersion.signed_at, ReportVersion.id)).all()
        session.expunge_all()
    for column, value in {
        "text": "Else.", "signer_id": 1, "signer_name": "Somebody Else", "meaning": "Addendum", "method": "session", "number": 2,
        "kind": "preliminary", "signed_at": datetime(2026, 1, 1, tzinfo=UTC), "identifiers": "x", "report_id": second.report_id,
    }.items():  # fmt: skip
        before = getattr(first, column)
        setattr(first, column, value)
        assert not versions.verify(first), column
        setattr(first, column, before)
    assert versions.verify(first)
    for column in ("text", "identifiers", "signer_id", "signer_name", "meaning", "method", "signed_at", "digest"):
        setattr(second, column, getattr(first, column))
    assert not versions.verify(second), "a signature was copied to another report"
    first.digest = versions._narrow_digest(first)
    assert versions.verify(first), "signatures of the first form hold"


def test_nothing_else_waits_for_a_report_that_may_still_be_taken_back(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    ris.settings = ris.settings.model_copy(update={"reports": Reports()})
    placed = place(ris, hospital, codes=("CTCHESTC", "CTHEAD"))
    do_exam(ris, hospital, placed)
    forget_deliveries(ris)
    sign(ris, hospital, placed, "No embolus.")
    (other,) = say(ris, placed)
    clock.advance(seconds=179)
    with ris.uow() as uow:
        assert publication.publish_due(uow) == 0
        uow.flush()
        assert [delivery.id for delivery, _ in queries.due(uow.session, hospital.destination_id, limit=9)] == [other]
    clock.advance(seconds=1)
    with ris.uow() as uow:
        assert publication.publish_due(uow) == 1
        uow.flush()
        told = [event.name for _, event in queries.due(uow.session, hospital.destination_id, limit=9)]
    assert told == ["exam.started", "report.published"]
