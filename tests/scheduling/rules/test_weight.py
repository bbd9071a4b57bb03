"""What a table carries: nobody books over it, unless a rule of the house lets somebody with a right and a reason; on both engines."""

import pytest
import sqlalchemy as sa

from ris.base.errors import Forbidden, Invalid
from ris.bootstrap import Ris
from ris.catalog.model import Room
from ris.order.model import RequestedProcedure
from ris.patient import clinical
from ris.patient.model import ObservationKind
from ris.scheduling import exchange
from ris.scheduling import service as scheduling
from ris.scheduling.exchange import Kind, NoLongerFits
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.finding import AgainstRules
from ris.scheduling.rules.model import RuleAnswer
from ris.scheduling.rules.service import RuleData
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, booked, new_exam


@pytest.fixture
def heavy(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    """An exam of a patient of 180 kg, where the table carries 150 kg."""
    exam = new_exam(ris, hospital)
    with ris.uow() as uow:
        uow.session.get_one(Room, hospital.rooms["CT1"]).weight_limit_kg = 150
        clinical.measure(uow, exam.order.patient_id, ObservationKind.weight, "180", "kg")
    return exam


def book(ris: Ris, hospital: Hospital, exam: RequestedProcedure, role: str, answers: dict[str, str] | None = None) -> None:
    with ris.uow(hospital.actor(role)) as uow:
        scheduling.book(uow, procedure_id=exam.id, room_id=hospital.rooms["CT1"], starts_at=MONDAY, answers=answers or {})


def test_a_room_that_does_not_carry_the_patient_is_booked_only_by_right_and_with_a_reason(
    ris: Ris, hospital: Hospital, heavy: RequestedProcedure
) -> None:
    with pytest.raises(Invalid, match="Room CT1 carries 150 kg"):
        book(ris, hospital, heavy, "lead_scheduler")
    with ris.uow() as uow:
        rules.add(uow, RuleData("What tables carry", "weight", "block", "rule:override", {}))
    with pytest.raises(AgainstRules) as refused:
        book(ris, hospital, heavy, "front_desk")
    (finding,) = refused.value.findings
    assert finding.text == "Room CT1 carries 150 kg, and the patient weighs 180 kg"
    answers = {finding.key: "the engineer says that 200 kg are safe"}
    with pytest.raises(Forbidden):
        book(ris, hospital, heavy, "front_desk", answers)
    book(ris, hospital, heavy, "scheduler", answers)
    with ris.read() as session:
        assert session.scalars(sa.select(RuleAnswer.reason)).all() == [answers[finding.key]]


def test_a_changed_exam_is_held_to_what_the_table_carries(ris: Ris, hospital: Hospital) -> None:
    exam = booked(ris, hospital, "CTCHESTC")
    with ris.uow() as uow:
        uow.session.get_one(Room, hospital.rooms["CT1"]).weight_limit_kg = 150
        clinical.measure(uow, exam.order.patient_id, ObservationKind.weight, "180", "kg")
    to = Kind(hospital.procedures["CTHEAD"])
    with pytest.raises(NoLongerFits) as refused, ris.uow() as uow:
        exchange.change(uow, procedure_id=exam.id, to=to, reason="the head was meant")
    assert not refused.value.can_stay
    with ris.uow() as uow:
        rules.add(uow, RuleData("What tables carry", "weight", "warn", "", {}))
    with pytest.raises(NoLongerFits, match="What tables carry") as refused, ris.uow() as uow:
        exchange.change(uow, procedure_id=exam.id, to=to, reason="the head was meant")
    assert refused.value.can_stay


def test_a_value_that_nobody_has_is_refused(ris: Ris, heavy: RequestedProcedure) -> None:
    weight, creatinine, egfr = ObservationKind.weight, ObservationKind.creatinine, ObservationKind.egfr
    wrong = ((weight, "900", "kg"), (weight, "heavy", "kg"), (weight, "80", "stone"), (creatinine, "88", "mg/dL"), (egfr, "70", "kg"))
    for kind, value, unit in wrong:
        with pytest.raises(Invalid), ris.uow() as uow:
            clinical.measure(uow, heavy.order.patient_id, kind, value, unit)
