"""Several exams of an order in one report: told and charged each by itself, and taken apart again before anything left."""

import pytest
import sqlalchemy as sa

from ris.audit.model import AuditEntry
from ris.base.errors import Conflict, NotAllowedNow
from ris.billing.model import Charge, Component
from ris.bootstrap import Ris
from ris.hl7 import er7
from ris.order.model import RequestedProcedure
from ris.report import grouping, reading, service
from ris.report.model import Report, UnreadExam
from tests.factories.hospital import Hospital
from tests.hl7 import building
from tests.outbox.outgoing import Placed, do_exam, place


def claimed(ris: Ris, hospital: Hospital, procedure_id: int, role: str = "radiologist") -> Report:
    with ris.uow(hospital.actor(role)) as uow:
        return service.claim(uow, service.open_for(uow, procedure_id).id)


def group(ris: Ris, hospital: Hospital, report: Report, procedure_id: int) -> None:
    with ris.uow(hospital.actor("radiologist")) as uow:
        grouping.group(uow, report_id=report.id, procedure_id=procedure_id)


def says(ris: Ris, placed: Placed) -> list[int | None]:
    """The report of each exam of the order."""
    with ris.read() as session:
        found = [reading.report_of(session, key) for key in placed.procedure_ids]
    return [row.id if row else None for row in found]


def test_exams_said_together_are_told_and_charged_each_and_can_be_taken_apart_before(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital, codes=("CTCHESTC", "CTHEAD", "CTHEAD"))
    do_exam(ris, hospital, placed)
    chest, head, hand = placed.procedure_ids
    other = place(ris, hospital, "P2")
    do_exam(ris, hospital, other)
    report = claimed(ris, hospital, chest)
    untouched = claimed(ris, hospital, head, "resident")
    with pytest.raises(NotAllowedNow, match="is reading that exam"):
        group(ris, hospital, report, head)
    with ris.uow(hospital.actor("resident")) as uow:
        service.release(uow, untouched.id)
    group(ris, hospital, report, head)
    group(ris, hospital, report, hand)
    assert says(ris, placed) == [report.id] * 3
    for refused in (head, other.procedure_ids[0]):
        with pytest.raises(Conflict):
            group(ris, hospital, report, refused)
    with ris.uow(hospital.actor("radiologist")) as uow:
        grouping.ungroup(uow, report_id=report.id, procedure_id=hand)
    assert says(ris, placed) == [report.id, report.id, None]
    with ris.read() as session:
        seen = {row.procedure_id: (row.is_with, row.why_not) for row in grouping.siblings(session, chest)}
        numbers = {key: session.get_one(RequestedProcedure, key).accession_number for key in placed.procedure_ids}
        assert session.get(Report, untouched.id) is None, "an empty report goes with its exam"
        before = reading.report_of(session, head)
    assert seen == {head: (True, "its own report is begun") if before.draft_at else (True, ""), hand: (False, "")}

    with ris.uow(hospital.actor("radiologist")) as uow:
        version = service.sign_final(
            uow, report_id=report.id, text="No embolus. No bleeding.", row_version=before.row_version, password_checked=True
        )
    assert f"{numbers[chest]},{numbers[head]}" in version.identifiers
    message = er7.Message.parse(building.raw(ris, "report.published").decode())
    assert [obr.value(18) for obr in message.all("OBR")] == [numbers[chest], numbers[head]]
    with ris.read() as session:
        charged = session.scalars(sa.select(Charge.procedure_id).where(Charge.component == Component.professional)).all()
        waits = session.scalars(sa.select(UnreadExam.procedure_id).where(UnreadExam.procedure_id.in_(placed.procedure_ids))).all()
        trail = session.scalars(sa.select(AuditEntry.what).where(AuditEntry.what.in_(("report.grouped", "report.ungrouped")))).all()
    assert sorted(charged) == sorted((chest, head))
    assert waits == [hand]
    assert sorted(trail) == ["report.grouped", "report.grouped", "report.ungrouped"]
    with pytest.raises(NotAllowedNow, match="it is final"), ris.uow(hospital.actor("radiologist")) as uow:
        grouping.ungroup(uow, report_id=report.id, procedure_id=head)


def test_what_was_told_of_a_draft_stays_together_and_the_only_exam_stays(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital, codes=("CTCHESTC", "CTHEAD"))
    do_exam(ris, hospital, placed)
    chest, head = placed.procedure_ids
    report = claimed(ris, hospital, chest)
    with pytest.raises(NotAllowedNow, match="the only exam"), ris.uow(hospital.actor("radiologist")) as uow:
        grouping.ungroup(uow, report_id=report.id, procedure_id=chest)
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.sign_preliminary(uow, report_id=report.id, text="No embolus.", row_version=report.row_version)
    report = claimed(ris, hospital, chest)
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.save_draft(uow, report_id=report.id, text="No embolus at all.", row_version=report.row_version)
    with pytest.raises(NotAllowedNow, match="something of it was published"):
        group(ris, hospital, report, head)
