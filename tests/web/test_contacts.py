"""The contacts page, what the banner says of them, and the way that a patient prefers."""

from collections.abc import Callable
from datetime import date

from ris.bootstrap import Ris
from ris.patient import contacts
from tests.factories.hospital import Hospital
from tests.factories.orders import make_patient
from tests.web.visitor import Visitor, trail


def test_a_contact_is_added_corrected_shown_in_the_banner_and_ended(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    with ris.uow() as uow:
        patient_id = make_patient(uow, born=date(2020, 5, 17)).id
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    page = f"/patients/{patient_id}/contacts"
    assert "no guardian is named" in clerk.get(f"/patients/{patient_id}").text
    wrong = clerk.post(page, name="", email="nowhere", relation="<mother>")
    assert (wrong.status_code, 'id="e-name"' in wrong.text, 'id="e-email"' in wrong.text) == (422, True, True)
    assert 'value="&lt;mother&gt;"' in wrong.text
    assert clerk.post(page, name="Ida Meadow", relation="mother", phone="217 555 0101", is_guardian="1").status_code == 303
    with ris.read() as session:
        row = contacts.contacts(session, patient_id)[0]
    assert 'value="Ida Meadow"' in clerk.get(f"{page}?edit={row.id}").text
    fields = {"name": "Ida Brook", "is_guardian": "1", "contact_id": str(row.id), "row_version": "1"}
    assert [clerk.post(page, **fields).status_code for _ in range(2)] == [303, 409]
    shown = clerk.get(f"/patients/{patient_id}").text
    assert "Guardian" in shown
    assert "Ida Brook" in shown
    assert [clerk.post(f"{page}/{row.id}/end").status_code for _ in range(2)] == [303, 303]
    assert "Nobody is named yet." in clerk.get(page).text
    assert len(trail(ris, what="patient.contacts_updated")) == 3


def test_the_way_that_a_patient_prefers_must_be_filled_in(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    with ris.uow() as uow:
        patient_id = make_patient(uow).id
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    said = {"family": "Meadow", "given": "Anna", "birth_date": "1970-05-17", "sex": "F", "reached_by": "other_phone", "row_version": "1"}
    page = f"/patients/{patient_id}/edit"
    assert 'id="e-reached_by"' in clerk.post(page, **said).text
    assert clerk.post(page, **said, other_phone="217 555 0102").status_code == 303
    assert "217 555 0102 <strong>preferred</strong>" in clerk.get(f"/patients/{patient_id}").text
