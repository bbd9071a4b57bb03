"""Reasons of the house: offered where one must be given, refused where one says too little; order sets and sides in the order form."""

from collections.abc import Callable

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.catalog.kinds import ORDER_SET, PROCEDURE, REASON
from ris.catalog.records import service as records
from ris.order.model import Order, RequestedProcedure
from tests.factories.hospital import Hospital
from tests.factories.orders import booked, make_patient, new_exam
from tests.web.visitor import Visitor


def test_a_reason_is_offered_in_its_place_and_one_that_says_too_little_is_refused(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    with ris.uow() as uow:
        for kind in ("cancel", "no_show", "hold", "discontinue", "override", "overbook"):
            records.add(uow, REASON, {"kind": kind, "code": "LAST", "text": f"Other {kind}", "position": "9", "needs_text": "yes"})
        records.add(uow, REASON, {"kind": "cancel", "code": "FIRST", "text": "The patient is ill", "position": "1"})
        records.add(uow, REASON, {"kind": "cancel", "code": "GONE", "text": "Retired", "active": "no"})
    exam, other = new_exam(ris, hospital), booked(ris, hospital)
    with ris.read() as session:
        step_id = session.scalar(sa.text("SELECT id FROM scheduled_procedure_step"))
    someone = visitor()
    someone.enter(hospital.users["scheduler"])
    page = someone.get(f"/exams/{exam.id}").text
    assert page.index("The patient is ill") < page.index("Other cancel")
    assert "Retired" not in page
    order = f"/orders/{exam.order_id}"
    for path, fields in (
        (f"/exams/{exam.id}/cancel", {"reason": "other cancel: "}),
        (f"{order}/cancel", {"cancel_reason": "Other cancel"}),
        (f"{order}/hold", {"hold_reason": "Other hold."}),
        (f"/schedule/appointments/{step_id}/cancel", {"reason": "Other cancel"}),
    ):
        answer = someone.post(path, **fields)
        assert (answer.status_code, "says too little" in answer.text) == (422, True), path
    assert 'list="reasons-cancel"' in someone.get(f"/schedule/appointments/{step_id}").text
    assert someone.post(f"/schedule/appointments/{step_id}/cancel", reason="Other cancel: snow").status_code == 303
    assert someone.post(f"{order}/hold", hold_reason="Other hold: asked").status_code == 303
    assert someone.post(f"/exams/{other.id}/cancel", reason="The patient is ill").status_code == 303
    with ris.read() as session:
        assert session.get_one(Order, exam.order_id).held_reason == "Other hold: asked"
        assert session.get_one(RequestedProcedure, other.id).ended_reason == "The patient is ill"

    desk = visitor()
    desk.enter(hospital.users["front_desk"])
    missed = booked(ris, hospital, starts_at=None)
    assert 'list="reasons-no_show"' in desk.get(f"/worklists/arrivals/{missed.id}/no_show").text


def test_an_order_set_stands_for_its_exams_and_a_sided_exam_asks_for_its_side(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    with ris.uow() as uow:
        records.add(uow, ORDER_SET, {"code": "STROKE", "name": "Stroke", "procedures": "CTHEAD MRBRAIN"})
        records.change(uow, PROCEDURE, hospital.procedures["XRHAND"], {"sided": "yes"})
        patient_id = make_patient(uow).id
    someone = visitor()
    someone.enter(hospital.users["scheduler"])
    path = f"/patients/{patient_id}/orders/new"
    assert "STROKE Stroke" in someone.get(path).text
    form = {"site_id": hospital.sites["MAIN"], "procedure_1": "stroke", "procedure_2": "XRHAND", "reason": "Fall"}
    refused = someone.post(path, **form)
    assert refused.status_code == 422
    assert "X-ray hand asks for a side" in refused.text
    assert 'value="MRBRAIN MR brain"' in refused.text
    assert someone.post(path, **form, procedure_3="XRHAND", side_2="L", side_3="R").status_code == 303
    with ris.read() as session:
        rows = session.scalars(
            sa.select(RequestedProcedure).join(Order).where(Order.patient_id == patient_id).order_by(RequestedProcedure.id)
        )
        assert [(row.partner_code, row.laterality) for row in rows] == [("CTHEAD", ""), ("MRBRAIN", ""), ("XRHAND", "L"), ("XRHAND", "R")]
