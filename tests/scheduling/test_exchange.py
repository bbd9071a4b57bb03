"""Exams that are changed, split and combined while they are booked: what does not fit is named, and released or kept."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from ris.base.errors import Forbidden, Invalid
from ris.bootstrap import Ris
from ris.exam import consent
from ris.exam.model import ConsentForm
from ris.order.model import RequestedProcedure
from ris.outbox.model import StoredEvent
from ris.patient.model import Patient
from ris.protocol import service as protocol
from ris.protocol.model import ExamProtocol
from ris.protocol.status import Urgency
from ris.scheduling import exchange
from ris.scheduling import service as scheduling
from ris.scheduling.exchange import Appointment, Kind, NoLongerFits
from ris.scheduling.model import Occupancy
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.model import RuleAnswer
from ris.scheduling.rules.service import RuleData
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, booked, make_order


def exam(ris: Ris, procedure_id: int) -> RequestedProcedure:
    with ris.read() as session:
        return session.get_one(RequestedProcedure, procedure_id)


def facts(ris: Ris, name: str) -> list[dict[str, object]]:
    with ris.read() as session:
        return list(session.scalars(sa.select(StoredEvent.facts).where(StoredEvent.name == name).order_by(StoredEvent.id)))


def test_a_changed_exam_names_what_does_not_fit_and_is_released_or_kept(ris: Ris, hospital: Hospital) -> None:
    kinds, desk = hospital.procedures, hospital.actor("front_desk")
    one = booked(ris, hospital)
    with ris.uow(desk) as uow:
        consent.give(uow, procedure_id=one.id, form=ConsentForm.written, given_by="the patient")
    with ris.uow(hospital.actor("radiologist")) as uow:
        protocol.approve(uow, one.id, protocol.Plan((), "thin slices", Urgency.elective))
    with pytest.raises(NoLongerFits, match="Room CT1 does not do MR brain") as refused, ris.uow(desk) as uow:
        exchange.change(uow, procedure_id=one.id, to=Kind(kinds["MRBRAIN"]), reason="MR says more")
    assert not refused.value.can_stay
    with pytest.raises(NoLongerFits), ris.uow(desk) as uow:
        exchange.change(uow, procedure_id=one.id, to=Kind(kinds["MRBRAIN"]), reason="MR says more", appointment=Appointment.keep)
    assert exam(ris, one.id).changed_at is None, "nothing has happened"
    with pytest.raises(NoLongerFits, match="20 minutes are booked, CT chest with contrast takes 30"), ris.uow(desk) as uow:
        exchange.change(uow, procedure_id=one.id, to=Kind(kinds["CTCHESTC"]), reason="the chest was meant")
    with ris.uow(desk) as uow:
        exchange.change(
            uow, procedure_id=one.id, to=Kind(kinds["CTCHESTC"], "L"), reason="the chest was meant", appointment=Appointment.keep
        )
    changed = exam(ris, one.id)
    assert (changed.status, changed.procedure_id, changed.laterality, changed.partner_code) == (
        "scheduled",
        kinds["CTCHESTC"],
        "L",
        "CTHEAD",
    )
    with ris.read() as session:
        assert consent.in_force(session, one.id) is None, "nobody has agreed to that"
        assert session.scalars(sa.select(ExamProtocol.status)).one() == "pending"
    with ris.uow(desk) as uow:
        exchange.put_back(uow, procedure_id=one.id)
    assert (exam(ris, one.id).procedure_id, exam(ris, one.id).changed_at) == (kinds["CTHEAD"], None)
    with ris.uow(desk) as uow:
        exchange.change(uow, procedure_id=one.id, to=Kind(kinds["MRBRAIN"]), reason="MR says more", appointment=Appointment.release)
    assert exam(ris, one.id).status == "ordered"
    told = facts(ris, "order.procedure_changed")[-1]
    assert (told["reason"], told["before"]["code"], told["after"]["code"]) == ("MR says more", "CTHEAD", "MRBRAIN")
    with ris.read() as session:
        assert session.scalars(sa.select(Occupancy.id)).all() == []
    with pytest.raises(Invalid), ris.uow(desk) as uow:
        exchange.put_back(uow, procedure_id=booked(ris, hospital).id)


def test_a_rule_that_blocks_is_not_gone_round_by_changing_a_booked_exam(ris: Ris, hospital: Hospital) -> None:
    one = booked(ris, hospital, "CTCHESTC")
    to = Kind(hospital.procedures["CTHEAD"])
    with ris.uow() as uow:
        parameters = {"exams": "CTHEAD", "age_from": "12", "age_to": "99", "days": "14"}
        rules.add(uow, RuleData("Pregnancy", "pregnancy", "block", "rule:override", parameters))
    with pytest.raises(NoLongerFits, match="Pregnancy: Whether the patient is pregnant is not known"), ris.uow() as uow:
        exchange.change(uow, procedure_id=one.id, to=to, reason="the head was meant")
    with pytest.raises(Forbidden), ris.uow(hospital.actor("technologist")) as uow:
        exchange.change(uow, procedure_id=one.id, to=to, reason="the head was meant", appointment=Appointment.keep)
    with ris.uow(hospital.actor("scheduler")) as uow:
        exchange.change(uow, procedure_id=one.id, to=to, reason="the head was meant", appointment=Appointment.keep)
    with ris.read() as session:
        assert session.scalars(sa.select(RuleAnswer.reason)).all() == ["the head was meant"]


def test_one_exam_becomes_several_and_several_become_one(ris: Ris, hospital: Hospital) -> None:
    kinds, desk = hospital.procedures, hospital.actor("front_desk")
    with ris.uow(desk) as uow:
        order = make_order(uow, hospital, "CTHEAD")
        uow.session.flush()
        patient = uow.session.get_one(Patient, order.patient_id)
        other = make_order(uow, hospital, "CTCHESTC", patient=patient)
        other.reason, other.orderer_name = "cough", "Stone, Ida"
        head, chest = order.procedures[0].id, other.procedures[0].id
        uow.session.flush()
        scheduling.book(uow, procedure_id=head, room_id=hospital.rooms["CT1"], starts_at=MONDAY)
        scheduling.book(uow, procedure_id=chest, room_id=hospital.rooms["CT1"], starts_at=MONDAY + timedelta(hours=1))
    with ris.uow(desk) as uow:
        made = exchange.split(uow, procedure_id=head, into=[Kind(kinds["CTHEAD"]), Kind(kinds["XRHAND"], "R")], reason="both hurt")
        assert [(p.status, p.laterality, p.sequence) for p in made] == [("scheduled", "", 1), ("ordered", "R", 2)]
    with pytest.raises(Invalid), ris.uow(desk) as uow:
        exchange.split(uow, procedure_id=head, into=[Kind(kinds["CTHEAD"])], reason="one is one")
    with ris.uow(desk) as uow:
        exchange.combine(uow, procedure_id=head, absorbed_ids=[chest], to=None, reason="one scan shows both")
    kept, gone = exam(ris, head), exam(ris, chest)
    assert (gone.status, gone.combined_into_id, gone.order.status) == ("cancelled", head, "cancelled")
    assert gone.ended_reason == f"done with exam {kept.accession_number}: one scan shows both"
    assert kept.order.clinical_information == f"For order {gone.order.filler_number}: cough"
    assert kept.order.copies_to == "Stone, Ida"
    with ris.read() as session:
        assert len(session.scalars(sa.select(Occupancy.id).where(Occupancy.resource.like("room:%"))).all()) == 1
    assert facts(ris, "order.cancelled")[0]["reason"] == gone.ended_reason
