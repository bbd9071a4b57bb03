"""Done otherwise than asked: instead, as well, in one go; what is charged and what the placer is told."""

from decimal import Decimal

import pytest
import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow
from ris.billing.model import Charge
from ris.bootstrap import Ris
from ris.catalog.model import Material, MaterialKind, Procedure
from ris.exam import otherwise, record, service
from ris.exam.model import PerformedProcedureStep
from ris.exam.performed import performed_of, waiting_beside
from ris.exam.record import Giving
from ris.order.model import RequestedProcedure
from ris.outbox.model import StoredEvent
from ris.scheduling import service as scheduling
from ris.scheduling.model import Occupancy
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, booked, make_order, make_patient


def started(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    exam = booked(ris, hospital)
    with ris.uow(hospital.actor("technologist")) as uow:
        service.start(uow, procedure_id=exam.id)
    return exam


def charges(ris: Ris, exam_id: int) -> list[tuple[str, str, str, int | None]]:
    with ris.read() as session:
        rows = session.scalars(sa.select(Charge).where(Charge.procedure_id == exam_id, Charge.status != "voided").order_by(Charge.id))
        return [(row.component.value, row.code, row.status.value, row.amount) for row in rows]


def test_what_is_done_instead_is_charged_and_told_and_what_was_asked_stays(ris: Ris, hospital: Hospital) -> None:
    exam = started(ris, hospital)
    with ris.uow(hospital.actor("technologist")) as uow:
        uow.session.get_one(Procedure, hospital.procedures["CTCHESTC"]).technical_code = "T-CHEST"
        for _ in range(2):
            otherwise.do_instead(uow, procedure_id=exam.id, done_id=hospital.procedures["CTCHESTC"])
    with ris.uow(hospital.actor("technologist")) as uow:
        service.complete(uow, procedure_id=exam.id)
    with ris.read() as session:
        assert session.get_one(RequestedProcedure, exam.id).procedure_id == hospital.procedures["CTHEAD"]
        row = performed_of(session, exam.id)
        (told,) = session.scalars(sa.select(StoredEvent).where(StoredEvent.name == "exam.done_otherwise")).all()
    assert row is not None
    assert row.done_name == "CT chest with contrast"
    assert charges(ris, exam.id)[0][:2] == ("technical", "T-CHEST")
    assert (told.facts["done_code"], told.facts["done_instead"]) == ("CTCHESTC", "CT chest with contrast")


def test_a_further_procedure_is_an_exam_of_its_own_in_the_same_order_and_go(ris: Ris, hospital: Hospital) -> None:
    exam = started(ris, hospital)
    with ris.uow(hospital.actor("technologist")) as uow:
        added_id = otherwise.do_also(uow, procedure_id=exam.id, done_id=hospital.procedures["CTCHESTC"]).id
    with ris.read() as session:
        added = session.get_one(RequestedProcedure, added_id)
        assert (added.order_id, added.status, added.sequence) == (exam.order_id, "in_progress", 2)
        assert added.accession_number != exam.accession_number
        steps = session.scalars(sa.select(PerformedProcedureStep)).all()
        assert len({step.acquisition_id for step in steps}) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(Occupancy).where(Occupancy.resource.like("room:%"))) == 1
    with ris.uow(hospital.actor("technologist")) as uow:
        otherwise.of_all(uow, procedure_id=exam.id, work=lambda uow, member: service.complete(uow, procedure_id=member))
    with ris.read() as session:
        assert set(session.scalars(sa.select(RequestedProcedure.status))) == {"completed"}
    assert [row[0] for row in charges(ris, exam.id) + charges(ris, added_id)] == ["technical", "technical"]


def test_exams_of_one_patient_and_modality_begin_in_one_go_and_others_do_not(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("scheduler")) as uow:
        patient = make_patient(uow)
        ids = {}
        for hour, (code, room) in enumerate((("CTHEAD", "CT1"), ("CTCHESTC", "CT1"), ("XRHAND", "XR1"))):
            procedure = make_order(uow, hospital, code, patient=patient).procedures[0]
            uow.session.flush()
            scheduling.book(uow, procedure_id=procedure.id, room_id=hospital.rooms[room], starts_at=MONDAY.replace(hour=15 + hour))
            ids[code] = procedure.id
    with ris.read() as session:
        assert [row.procedure_id for row in waiting_beside(session, ids["CTHEAD"])] == [ids["CTCHESTC"]]
    confirmed = {"identity", "pregnancy", "allergy", "kidneys"}
    with pytest.raises(Invalid, match="one modality"), ris.uow(hospital.actor("technologist")) as uow:
        otherwise.begin_together(uow, procedure_ids=[ids["CTHEAD"], ids["XRHAND"]], confirmed=confirmed, reasons={})
    with pytest.raises(NotAllowedNow, match="not confirmed"), ris.uow(hospital.actor("technologist")) as uow:
        otherwise.begin_together(uow, procedure_ids=[ids["CTHEAD"], ids["CTCHESTC"]], confirmed=set(), reasons={})
    with ris.uow(hospital.actor("technologist")) as uow:
        otherwise.begin_together(uow, procedure_ids=[ids["CTHEAD"], ids["CTCHESTC"]], confirmed=confirmed, reasons={})
    with ris.uow(hospital.actor("technologist")) as uow:
        otherwise.of_all(uow, procedure_id=ids["CTCHESTC"], work=lambda uow, member: service.pause(uow, procedure_id=member))
    with ris.read() as session:
        rows = session.scalars(sa.select(PerformedProcedureStep)).all()
        assert {(row.procedure_id, row.paused_at is not None) for row in rows} == {(ids["CTHEAD"], True), (ids["CTCHESTC"], True)}
        assert len({row.acquisition_id for row in rows}) == 1


def test_what_was_given_is_charged_by_amount_and_held_where_no_price_is_known(ris: Ris, hospital: Hospital) -> None:
    exam = started(ris, hospital)
    with ris.uow(hospital.actor("technologist")) as uow:
        contrast = uow.add(Material(code="IOH", name="Iohexol", kind=MaterialKind.contrast, unit="ml", charge_code="M-I", charge_amount=45))
        cannula = uow.add(Material(code="CAN", name="Cannula", kind=MaterialKind.supply, unit="piece"))
        uow.session.flush()
        for giving in (
            Giving(Decimal("80.5"), lot="L7", material_id=contrast.id),
            Giving(Decimal(20), lot="L8", material_id=contrast.id),
            Giving(Decimal(1), material_id=cannula.id),
            Giving(Decimal(2), name="Rare coil", unit="piece"),
        ):
            record.give(uow, procedure_id=exam.id, giving=giving)
        mistaken = record.give(uow, procedure_id=exam.id, giving=Giving(Decimal(99), lot="L9", material_id=contrast.id))
        record.take_back(uow, procedure_id=exam.id, given_id=mistaken.id)
        service.complete(uow, procedure_id=exam.id)
    assert charges(ris, exam.id)[1:] == [("supply", "M-I", "ready", 4523), ("supply", "", "held", None)]
    with ris.uow(hospital.actor("technologist")) as uow:
        service.undo(uow, procedure_id=exam.id)
    assert charges(ris, exam.id) == []
    with ris.uow(hospital.actor("technologist")) as uow:
        service.complete(uow, procedure_id=exam.id)
    assert len(charges(ris, exam.id)) == 3
