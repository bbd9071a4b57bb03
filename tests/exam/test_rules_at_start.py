"""Rules of the house that are asked when an exam begins stand in its check list, and keep their answers with the others."""

import pytest
import sqlalchemy as sa

from ris.base.errors import Forbidden
from ris.bootstrap import Ris
from ris.exam import checks
from ris.order.model import RequestedProcedure
from ris.protocol import service as protocol
from ris.protocol.service import Plan
from ris.protocol.status import Urgency
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.finding import AgainstRules
from ris.scheduling.rules.model import RuleAnswer
from ris.scheduling.rules.service import RuleData
from ris.staff.permission import Permission
from tests.factories.hospital import Hospital
from tests.factories.orders import booked


def begin(ris: Ris, hospital: Hospital, exam: RequestedProcedure, who: str = "technologist", **reasons: str) -> None:
    with ris.uow(hospital.actor(who)) as uow:
        confirmed = [point.key for point in checks.points(uow.session, exam.id, uow.now)]
        checks.begin(uow, procedure_id=exam.id, confirmed=confirmed, reasons=reasons)


def planned(ris: Ris, hospital: Hospital, moment: str, severity: str = "warn", override: str = "") -> RequestedProcedure:
    """An exam that needs a protocol and has none."""
    exam = booked(ris, hospital)
    with ris.uow() as uow:
        uow.session.execute(sa.text("UPDATE procedure SET needs_protocol = true"))
        rules.add(uow, RuleData("Protocol first", "protocol", severity, override, {}, moment=moment))
    return exam


def asked(ris: Ris, exam: RequestedProcedure) -> list[str]:
    with ris.uow() as uow:
        return [point.key for point in checks.points(uow.session, exam.id, uow.now) if point.text.startswith("Protocol first")]


@pytest.mark.parametrize("moment", ["start", "both"])
def test_an_exam_without_a_protocol_begins_with_a_reason_only(ris: Ris, hospital: Hospital, moment: str) -> None:
    exam = planned(ris, hospital, moment)
    (key,) = asked(ris, exam)
    with pytest.raises(AgainstRules, match="Protocol first"):
        begin(ris, hospital, exam)
    begin(ris, hospital, exam, **{key: "Dr Cedar said it by telephone"})
    with ris.read() as session:
        answer = session.scalars(sa.select(RuleAnswer)).one()
        assert (answer.reason, answer.answered_by) == ("Dr Cedar said it by telephone", "Test Technologist")
        assert session.get_one(RequestedProcedure, exam.id).status == "in_progress"


def test_an_approved_protocol_lets_it_begin(ris: Ris, hospital: Hospital) -> None:
    exam = planned(ris, hospital, "start")
    with ris.uow(hospital.actor("radiologist")) as uow:
        protocol.approve(uow, exam.id, Plan((), "As usual", Urgency.elective))
    assert asked(ris, exam) == []
    begin(ris, hospital, exam)


def test_a_rule_of_the_booking_is_silent_at_the_start(ris: Ris, hospital: Hospital) -> None:
    exam = planned(ris, hospital, "booking", "block")
    assert asked(ris, exam) == []
    begin(ris, hospital, exam)


def test_what_blocks_the_start_is_not_for_the_technologist_to_override(ris: Ris, hospital: Hospital) -> None:
    exam = planned(ris, hospital, "start", "block", Permission.SAFETY_OVERRIDE)
    (key,) = asked(ris, exam)
    with pytest.raises(Forbidden, match="the rule Protocol first blocks this"):
        begin(ris, hospital, exam, **{key: "no time"})
    with ris.read() as session:
        assert session.get_one(RequestedProcedure, exam.id).status == "scheduled"
