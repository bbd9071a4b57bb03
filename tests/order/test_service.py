import dataclasses
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ris.base.errors import Duplicate, Invalid, NotAllowedNow, NotFound
from ris.base.ref import Coded
from ris.bootstrap import Ris
from ris.exam import service as exam
from ris.order import service
from ris.order.model import Order, RequestedProcedure
from ris.order.service import OrderRequest, ProcedureRequest
from ris.order.status import OrderStatus, Priority, ProcedureStatus
from ris.outbox.model import StoredEvent
from ris.task.model import Task
from tests.factories.hospital import Hospital
from tests.factories.orders import booked, make_order, make_patient


def order_of(ris: Ris, order_id: int) -> Order:
    with ris.read() as session:
        return session.get_one(Order, order_id)


def placed(ris: Ris, hospital: Hospital, *codes: str) -> Order:
    with ris.uow(hospital.actor("scheduler")) as uow:
        return make_order(uow, hospital, *codes)


def events(ris: Ris, order_id: int) -> list[str]:
    with ris.read() as session:
        return list(session.scalars(sa.select(StoredEvent.name).where(StoredEvent.order_id == order_id).order_by(StoredEvent.id)))


def _again(procedure: RequestedProcedure) -> ProcedureRequest:
    code = Coded(procedure.partner_code, procedure.partner_text, procedure.partner_system)
    return ProcedureRequest(code, procedure.procedure_id)


def said_again(order: Order, **changes: object) -> OrderRequest:
    """What the placer sends a second time: the same, but for the changes."""
    request = OrderRequest(
        patient_id=order.patient_id,
        site_id=order.site_id,
        procedures=tuple(_again(procedure) for procedure in order.procedures),
        partner_id=order.partner_id,
        placer_number=order.placer_number,
        placer_namespace=order.placer_namespace,
    )
    return dataclasses.replace(request, **changes)  # type: ignore[arg-type]


def change(ris: Ris, order: Order, request: Callable[[Order], OrderRequest]) -> Order:
    with ris.uow() as uow:
        known = service.get(uow, order.id)
        return service.change(uow, known, request(known))


def test_a_placed_order_has_numbers_of_its_own_and_a_study_uid_for_each_procedure(ris: Ris, hospital: Hospital) -> None:
    first, second = placed(ris, hospital, "CTHEAD", "XRHAND"), placed(ris, hospital)
    procedures = [*first.procedures, *second.procedures]
    assert first.status is OrderStatus.scheduled
    assert [p.sequence for p in first.procedures] == [1, 2]
    assert len({p.accession_number for p in procedures}) == len({p.study_instance_uid for p in procedures}) == 3
    assert all(len(p.accession_number) <= 16 and p.study_instance_uid.startswith("2.25.") for p in procedures)
    assert all(len(p.study_instance_uid) <= 64 for p in procedures)
    assert first.filler_number != second.filler_number
    assert events(ris, first.id) == ["order.placed"]


def test_an_order_for_nothing_is_refused(ris: Ris, hospital: Hospital) -> None:
    with pytest.raises(Invalid, match="at least one procedure"), ris.uow() as uow:
        service.place(uow, OrderRequest(make_patient(uow).id, hospital.sites["MAIN"], ()))


def test_a_placer_number_leads_to_one_order(ris: Ris, hospital: Hospital) -> None:
    order = placed(ris, hospital)
    with pytest.raises(Duplicate), ris.uow() as uow:
        service.place(uow, said_again(service.get(uow, order.id)))


def test_a_code_that_is_not_mapped_is_taken_and_raises_one_task(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        wanted = (ProcedureRequest(Coded("ODD", "Odd exam", "LOCAL"), None),)
        order = service.place(uow, OrderRequest(make_patient(uow).id, hospital.sites["MAIN"], wanted, partner_id=hospital.partner_id))
    with ris.read() as session:
        task = session.scalars(sa.select(Task).where(Task.kind == "map_procedure")).one()
    assert task.object_id == order.procedures[0].id
    assert task.facts["code"] == "ODD"


def test_what_the_placer_does_not_mention_stays(ris: Ris, hospital: Hospital) -> None:
    order = placed(ris, hospital)
    changed = change(ris, order, lambda known: said_again(known, reason="headache", priority=Priority.stat))
    assert (changed.reason, changed.priority, changed.orderer_name) == ("headache", Priority.stat, "Grove, Oscar")
    assert events(ris, order.id) == ["order.placed", "order.changed"]


def test_the_same_again_is_no_change(ris: Ris, hospital: Hospital) -> None:
    order = placed(ris, hospital)
    change(ris, order, said_again)
    assert events(ris, order.id) == ["order.placed"]


def test_a_known_order_of_another_patient_is_refused(ris: Ris, hospital: Hospital) -> None:
    order = placed(ris, hospital)
    with ris.uow() as uow:
        other = make_patient(uow, "Other").id
    with pytest.raises(Duplicate, match="another patient"):
        change(ris, order, lambda known: said_again(known, patient_id=other))


def test_a_further_procedure_is_added_and_fewer_cancel_nothing(ris: Ris, hospital: Hospital) -> None:
    order = placed(ris, hospital)
    more = ProcedureRequest(Coded("XRHAND", "X-ray hand", "LOCAL"), hospital.procedures["XRHAND"])
    change(ris, order, lambda known: said_again(known, procedures=(*said_again(known).procedures, more)))
    assert [p.partner_code for p in order_of(ris, order.id).procedures] == ["CTHEAD", "XRHAND"]
    change(ris, order, lambda known: said_again(known, procedures=said_again(known).procedures[:1]))
    assert {p.status for p in order_of(ris, order.id).procedures} == {ProcedureStatus.ordered}


def test_another_code_replaces_one_that_has_no_appointment_and_is_refused_afterwards(ris: Ris, hospital: Hospital) -> None:
    other = (ProcedureRequest(Coded("MRBRAIN", "MR brain", "LOCAL"), hospital.procedures["MRBRAIN"]),)
    order = placed(ris, hospital)
    uid = order.procedures[0].study_instance_uid
    change(ris, order, lambda known: said_again(known, procedures=other))
    procedure = order_of(ris, order.id).procedures[0]
    assert (procedure.procedure_id, procedure.study_instance_uid) == (hospital.procedures["MRBRAIN"], uid)
    fixed = booked(ris, hospital)
    with pytest.raises(NotAllowedNow, match="cannot be changed by the placer"):
        change(ris, order_of(ris, fixed.order_id), lambda known: said_again(known, procedures=other))


def test_cancelling_ends_every_procedure_and_again_is_no_change(ris: Ris, hospital: Hospital) -> None:
    order = placed(ris, hospital, "CTHEAD", "XRHAND")
    for _ in range(2):
        with ris.uow() as uow:
            service.cancel(uow, order.id, "patient declined")
    cancelled = order_of(ris, order.id)
    assert cancelled.status is OrderStatus.cancelled
    assert [(p.status, p.ended_reason) for p in cancelled.procedures] == [(ProcedureStatus.cancelled, "patient declined")] * 2
    assert events(ris, order.id).count("order.cancelled") == 1


def test_an_order_that_has_begun_is_not_cancelled(ris: Ris, hospital: Hospital) -> None:
    procedure = booked(ris, hospital)
    with ris.uow(hospital.actor("technologist")) as uow:
        exam.start(uow, procedure_id=procedure.id)
    with pytest.raises(NotAllowedNow, match=f"exam {procedure.accession_number} is in progress"), ris.uow() as uow:
        service.cancel(uow, procedure.order_id, "too late")


def test_a_cancelled_order_takes_no_changes(ris: Ris, hospital: Hospital) -> None:
    order = placed(ris, hospital)
    with ris.uow() as uow:
        service.cancel(uow, order.id, "declined")
    with pytest.raises(NotAllowedNow, match="is cancelled"):
        change(ris, order, lambda known: said_again(known, reason="again"))


def test_the_last_procedure_that_is_cancelled_ends_the_order(ris: Ris, hospital: Hospital) -> None:
    order = placed(ris, hospital, "CTHEAD", "XRHAND")
    for procedure, state in zip(order.procedures, (OrderStatus.scheduled, OrderStatus.cancelled), strict=True):
        with ris.uow(hospital.actor("scheduler")) as uow:
            service.cancel_procedure(uow, procedure.id, "ordered twice")
        assert order_of(ris, order.id).status is state
    assert events(ris, order.id).count("order.cancelled") == 1


def test_cancelling_a_procedure_needs_a_reason(ris: Ris, hospital: Hospital) -> None:
    order = placed(ris, hospital)
    with pytest.raises(Invalid, match="needs a reason"), ris.uow() as uow:
        service.cancel_procedure(uow, order.procedures[0].id, " ")


def test_what_is_not_there_is_not_found(ris: Ris, hospital: Hospital) -> None:
    with pytest.raises(NotFound), ris.uow() as uow:
        service.cancel(uow, 1, "none")
    with pytest.raises(NotFound), ris.uow() as uow:
        service.cancel_procedure(uow, 1, "none")


def test_the_state_of_the_order_is_rewritten_with_each_step(ris: Ris, hospital: Hospital) -> None:
    procedure = booked(ris, hospital)
    seen = [order_of(ris, procedure.order_id).status]
    for work in (exam.start, exam.complete):
        with ris.uow(hospital.actor("technologist")) as uow:
            work(uow, procedure_id=procedure.id)
        seen.append(order_of(ris, procedure.order_id).status)
    assert seen == [OrderStatus.scheduled, OrderStatus.in_progress, OrderStatus.completed]
    with ris.read() as session:
        ended = session.get_one(RequestedProcedure, procedure.id)
    assert ended.started_at is not None
    assert ended.ended_at is not None
    assert ended.started_at <= ended.ended_at
