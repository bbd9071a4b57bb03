"""Orders on the pages: entered with the placer told, corrected, held and cancelled, with nothing lost on a fault."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.order.model import Order
from ris.outbox.model import Delivery
from ris.patient.model import Patient
from tests.factories.hospital import Hospital
from tests.factories.orders import make_patient
from tests.web.visitor import Visitor, trail


@pytest.fixture
def patient(ris: Ris, hospital: Hospital) -> Patient:
    with ris.uow() as uow:
        return make_patient(uow, "Meadow", "Anna", "MRN-1")


@pytest.fixture
def clerk(visitor: Callable[[], Visitor], hospital: Hospital) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["front_desk"])
    return someone


def asked(hospital: Hospital, **changes: str) -> dict[str, str]:
    return {
        "site_id": str(hospital.sites["MAIN"]), "procedure_1": "CTHEAD CT head without contrast", "procedure_2": "xrhand", "side_2": "L",
        "priority": "S", "requested_at": "2026-12-01T10:00", "reason": "headache", "orderer_name": "Grove, Oscar", "copies_to": "",
        "partner_id": str(hospital.partner_id), **changes,
    }  # fmt: skip


def the_order(ris: Ris) -> Order:
    with ris.read() as session:
        return session.scalars(sa.select(Order)).one()


def enter(clerk: Visitor, hospital: Hospital, patient: Patient, **changes: str) -> str:
    answer = clerk.post(f"/patients/{patient.id}/orders/new", **asked(hospital, **changes))
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def test_an_order_of_two_exams_is_entered_and_its_placer_asked(ris: Ris, hospital: Hospital, clerk: Visitor, patient: Patient) -> None:
    page = clerk.get(enter(clerk, hospital, patient)).text
    order = the_order(ris)
    assert [(p.partner_code, p.laterality) for p in order.procedures] == [("CTHEAD", ""), ("XRHAND", "L")]
    assert (order.priority, order.partner_id) == ("S", hospital.partner_id)
    assert f"{order.requested_at:%Y-%m-%d %H:%M}" == "2026-12-01 15:00", "ten o'clock in New York"
    for shown in ("asked of EHR", "2026-12-01 10:00", "Grove, Oscar", "X-ray hand", "left"):
        assert shown in page
    with ris.read() as session:
        assert session.scalars(sa.select(Delivery.message)).one() == "orm_o01"
    assert trail(ris, what="order.placed")[0].actor_id == hospital.users["front_desk"]


def test_a_fault_keeps_what_was_written(ris: Ris, hospital: Hospital, clerk: Visitor, patient: Patient) -> None:
    changes = {"procedure_1": "NOSUCH", "reason": "", "requested_at": "2027-03-14T02:30", "orderer_name": "Gr<ve", "site_id": "77"}
    answer = clerk.post(f"/patients/{patient.id}/orders/new", **asked(hospital, **changes))
    assert answer.status_code == 422
    for name in ("procedure_1", "reason", "site_id"):
        assert f'id="e-{name}"' in answer.text
    for kept in ('value="NOSUCH"', 'value="Gr&lt;ve"', 'value="2027-03-14T02:30"', 'value="xrhand"'):
        assert kept in answer.text
    empty = clerk.post(
        f"/patients/{patient.id}/orders/new", **asked(hospital, procedure_1="", procedure_2="", requested_at="2027-03-14T02:30")
    )
    assert "An order asks for at least one exam." in empty.text
    assert "is no time of the site" in empty.text, "the clocks go forward then"
    with ris.read() as session:
        assert session.scalar(sa.select(sa.func.count(Order.id))) == 0


def test_an_order_is_corrected_and_a_late_save_is_refused(ris: Ris, hospital: Hospital, clerk: Visitor, patient: Patient) -> None:
    page = enter(clerk, hospital, patient)
    said = {"priority": "R", "reason": "migraine", "orderer_name": "Grove, Oscar", "requested_at": ""}
    assert clerk.post(page, **said, row_version="1").status_code == 303
    assert (the_order(ris).priority, the_order(ris).reason, the_order(ris).requested_at) == ("R", "migraine", None)
    late = clerk.post(page, **{**said, "reason": "vertigo"}, row_version="1")
    assert late.status_code == 409
    assert 'value="vertigo"' in late.text
    assert the_order(ris).reason == "migraine"


def test_an_order_is_held_released_and_cancelled(ris: Ris, hospital: Hospital, clerk: Visitor, patient: Patient) -> None:
    page = enter(clerk, hospital, patient)
    assert 'id="e-hold_reason"' in clerk.post(f"{page}/hold", hold_reason="").text
    past = clerk.post(f"{page}/hold", hold_reason="no bed", held_until="2026-11-30T09:00")
    assert (past.status_code, "A hold ends in the future." in past.text) == (422, True)
    assert clerk.post(f"{page}/hold", hold_reason="no bed", held_until="2026-12-02T09:00").status_code == 303
    assert "It ends by itself at 2026-12-02 09:00." in clerk.get(page).text
    assert clerk.post(f"{page}/release").status_code == 303
    assert the_order(ris).held_at is None
    assert 'id="e-cancel_reason"' in clerk.post(f"{page}/cancel", cancel_reason=" ").text
    assert clerk.post(f"{page}/cancel", cancel_reason="entered twice").status_code == 303
    assert the_order(ris).status == "cancelled"
    assert "Correct what it says" not in clerk.get(page).text
