"""Coverage and authorisations on the pages, and an exam put under one."""

from collections.abc import Callable

import pytest

from ris.bootstrap import Ris
from ris.patient import coverage
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, make_patient
from tests.web.visitor import Visitor, trail


@pytest.fixture
def clerk(visitor: Callable[[], Visitor], hospital: Hospital) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["front_desk"])
    return someone


def test_coverage_is_added_corrected_and_ended(ris: Ris, clerk: Visitor) -> None:
    with ris.uow() as uow:
        patient_id = make_patient(uow).id
    page = f"/patients/{patient_id}/coverage"
    wrong = clerk.post(page, payer="", rank="0", valid_from="2026-12-31", valid_to="2026-01-01", member_number="M<7")
    assert wrong.status_code == 422
    assert [f'id="e-{name}"' in wrong.text for name in ("payer", "rank", "valid_to", "member_number")] == [True, True, True, False]
    assert 'value="M&lt;7"' in wrong.text
    assert clerk.post(page, payer="First Mutual", rank="1").status_code == 303
    with ris.read() as session:
        row = coverage.coverages(session, patient_id)[0]
    assert 'value="First Mutual"' in clerk.get(f"{page}?edit={row.id}").text
    fields = {"payer": "Second Trust", "rank": "1", "coverage_id": str(row.id), "row_version": "1"}
    assert [clerk.post(page, **fields).status_code for _ in range(2)] == [303, 409]
    assert "Second Trust" in clerk.get(page).text
    assert clerk.post(f"{page}/{row.id}/end").status_code == 303
    assert "Nobody has said who pays." in clerk.get(page).text
    assert len(trail(ris, what="patient.coverage_updated")) == 3


def test_an_exam_is_put_under_an_authorisation_that_covers_it(ris: Ris, hospital: Hospital, clerk: Visitor) -> None:
    with ris.uow(hospital.actor("scheduler")) as uow:
        order = make_order(uow, hospital, "CTHEAD", "MRBRAIN")
    page = f"/patients/{order.patient_id}/coverage/authorizations"
    wrong = clerk.post(page, number="", units="many", codes="CTHEAD NOSUCH")
    assert [f'id="e-{name}"' in wrong.text for name in ("number", "units", "codes")] == [True, True, True]
    assert clerk.post(page, number="A-77", units="1", codes="cthead").status_code == 303
    with ris.read() as session:
        agreed = coverage.authorizations(session, order.patient_id)[0].id
    shown = clerk.get(f"/orders/{order.id}").text
    assert "A-77: 1 left" in shown
    assert "A-77: it is for CTHEAD" in shown
    head, brain = (f"/orders/{order.id}/exams/{procedure.id}/authorization" for procedure in order.procedures)
    assert clerk.post(head, authorization_id=agreed).status_code == 303
    refused = clerk.post(brain, authorization_id=agreed)
    assert refused.status_code == 409
    assert "Authorisation A-77 does not cover the exam: it is for CTHEAD; no exam is left of it." in refused.text
    assert "0 of 1" in clerk.get(f"/patients/{order.patient_id}/coverage").text
