"""The pages of referrers, and choosing one at order entry."""

import re
from collections.abc import Callable

from ris.bootstrap import Ris
from ris.order.model import Order
from ris.referrer import queries
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, make_patient
from tests.web.visitor import Visitor, trail


def test_a_referrer_is_added_gets_practices_and_is_chosen_at_order_entry(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    assert "appears here by itself" in clerk.get("/referrers").text
    wrong = clerk.post("/referrers", family="", npi="1234567890")
    assert [f'id="e-{name}"' in wrong.text for name in ("family", "npi")] == [True, True]
    made = clerk.post("/referrers", family="Grove", given="Oscar", npi="1234567893", is_active="1")
    assert made.status_code == 303
    page = made.location
    assert clerk.post("/referrers", family="Groves", npi="1234567893").status_code == 409
    assert 'id="e-fax"' in clerk.post(f"{page}/practices", name="Clinic", delivery="fax").text
    assert clerk.post(f"{page}/practices", name="Clinic", delivery="fax", fax="217 555 0101", city="Salem").status_code == 303
    shown = clerk.get(page).text
    practice = re.search(r"\?practice=(\d+)", shown)
    assert practice is not None
    assert 'value="217 555 0101"' in clerk.get(f"{page}?practice={practice[1]}").text
    assert re.search(r"Salem</td><td>fax", clerk.get("/referrers?q=grove").text)
    with ris.uow(hospital.actor("scheduler")) as uow:
        order = make_order(uow, hospital, patient=make_patient(uow))
    assert "Grove, Oscar · 1234567893" in clerk.get(f"/patients/{order.patient_id}/orders/new").text
    version = re.search(r'name="row_version" value="(\d+)"', clerk.get(f"/orders/{order.id}").text)
    said = {"orderer_name": "Grove, Oscar · 1234567893", "reason": "Pain", "row_version": version[1] if version else "", "priority": "R"}
    assert clerk.post(f"/orders/{order.id}", **said).status_code == 303
    with ris.read() as session:
        row = session.get_one(Order, order.id)
        assert (row.orderer_name, row.orderer_number) == ("Grove, Oscar", "1234567893")
    assert clerk.post("/referrers", family="Groove").status_code == 303
    assert clerk.post(f"{page}/join", other="nobody").status_code == 422
    assert clerk.post(f"{page}/join", other="Groove").status_code == 303
    assert clerk.post(f"{page}/practices/{practice[1]}/end").status_code == 303
    with ris.read() as session:
        assert [row.name for row in queries.search(session, "")] == ["Grove, Oscar"]
    assert [entry.what for entry in trail(ris) if entry.what.startswith("referrer.")] == [
        "referrer.added", "referrer.practice_saved", "referrer.added", "referrer.joined", "referrer.practice_ended"
    ]  # fmt: skip
