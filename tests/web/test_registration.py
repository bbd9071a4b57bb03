"""Registering and correcting patients on the pages: what is asked, what is refused, and that nothing written is lost."""

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.patient.model import Patient
from ris.patient.naming import PatientName
from tests.factories.hospital import Hospital
from tests.web.visitor import Visitor, trail

ANNA = {"family": "Meadow", "given": "Anna", "birth_date": "1970-05-17", "sex": "F", "phone": "217 555 0101"}


@pytest.fixture
def clerk(visitor: Callable[[], Visitor], hospital: Hospital) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["front_desk"])
    return someone


def patients(ris: Ris) -> list[str]:
    with ris.read() as session:
        return list(session.scalars(sa.select(Patient.given).order_by(Patient.id)))


def test_a_patient_is_registered_once_also_by_a_second_click(ris: Ris, clerk: Visitor) -> None:
    first, second = (clerk.post("/patients/new", **ANNA, form_key="one") for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert first.location == second.location
    assert "The patient is registered." in clerk.get(first.location).text
    assert patients(ris) == ["Anna"]


def test_each_fault_stands_beside_its_field_and_nothing_is_lost(ris: Ris, clerk: Visitor) -> None:
    answer = clerk.post(
        "/patients/new", family="", given="Anna <b>", birth_date="2999-01-01", sex="F", phone="call mum", other_number="77", city="x" * 101,
        email="anna@example.org\r\nBcc: all@example.org", language="e1",
    )  # fmt: skip
    assert answer.status_code == 422
    for name, error in {
        "family": "The family name is needed.",
        "birth_date": "The birth date is after 2026-12-01.",
        "phone": "The telephone number has no digits.",
        "email": "The e-mail address is written like anna@example.org.",
        "language": "The language is a code of two letters, such as en or es.",
        "city": "The city has at most 100 characters.",
        "other_authority": "A number and who gave it belong together.",
    }.items():
        assert f'<div class="field-error" id="e-{name}">{error}</div>' in answer.text, name
        assert re.search(rf'id="f-{name}"[^>]*aria-invalid="true"[^>]*aria-describedby="e-{name} ', answer.text), name
    assert 'value="Anna &lt;b&gt;"' in answer.text
    assert 'value="call mum"' in answer.text
    assert answer.text.count("autofocus") == 1
    assert patients(ris) == []


def test_who_is_alike_is_shown_before_a_second_record_is_made(ris: Ris, clerk: Visitor) -> None:
    known = clerk.post("/patients/new", **ANNA).location
    sister = {**ANNA, "given": "Berta"}
    shown = clerk.post("/patients/new", **sister)
    assert shown.status_code == 409
    assert f'href="{known}"' in shown.text
    looked_at = re.findall(r'name="looked_at" value="(\d+)"', shown.text)
    assert clerk.post("/patients/new", **sister, looked_at=looked_at).status_code == 409, "shown, and not yet compared"
    assert clerk.post("/patients/new", **sister, looked_at=looked_at, is_other="yes").status_code == 303
    assert patients(ris) == ["Anna", "Berta"]
    assert len(trail(ris, what="duplicate guard")) == 2


def test_an_exact_twin_cannot_be_registered(ris: Ris, clerk: Visitor) -> None:
    known = clerk.post("/patients/new", **ANNA).location
    answer = clerk.post("/patients/new", **ANNA, looked_at=[known.rsplit("/", 1)[-1]], is_other="yes")
    assert answer.status_code == 409
    assert "Nothing tells the new record apart" in answer.text
    assert "is_other" not in answer.text
    assert patients(ris) == ["Anna"]


def test_somebody_unknown_is_registered_with_one_click(ris: Ris, clerk: Visitor) -> None:
    page = clerk.get(clerk.post("/patients/unknown", unknown_sex="M", found="ambulance 12").location).text
    assert "Unknown, Trauma 1" in page
    assert "The name is made up" in page
    tasks = clerk.get("/tasks").text
    assert "Unknown patient" in tasks
    assert "ambulance 12" in tasks


def test_a_correction_is_saved_and_told_by_name_of_the_field_only(ris: Ris, clerk: Visitor) -> None:
    page = clerk.post("/patients/new", **ANNA).location
    assert 'value="217 555 0101"' in clerk.get(f"{page}/edit").text
    changed = {**ANNA, "given": "Hanna", "phone": ""}
    assert clerk.post(f"{page}/edit", **changed, row_version="1").status_code == 303
    assert patients(ris) == ["Hanna"]
    entry = trail(ris, what="patient.updated")[0]
    assert entry.detail["changed"] == ["given", "phone"]
    late = clerk.post(f"{page}/edit", **ANNA, row_version="1")
    assert late.status_code == 409
    assert 'value="Anna"' in late.text
    assert "Hanna" in late.text


def test_a_name_of_before_is_kept_shown_found_and_taken_off(ris: Ris, clerk: Visitor) -> None:
    page = clerk.post("/patients/new", **ANNA, earlier="Lake").location
    assert "formerly <strong>Lake, Anna</strong>" in clerk.get(page).text
    married = ANNA | {"family": "Harbour"}
    version = re.search(r'name="row_version" value="(\d+)"', clerk.get(f"{page}/edit").text)
    assert version is not None
    assert clerk.post(f"{page}/edit", **married, row_version=version[1]).status_code == 303
    version = re.search(r'name="row_version" value="(\d+)"', clerk.get(f"{page}/edit").text)
    assert version is not None
    assert clerk.post(f"{page}/edit", **ANNA | {"family": "Harbor"}, row_version=version[1], was_wrong="yes").status_code == 303
    shown = clerk.get(page).text
    assert ("formerly <strong>Meadow, Anna</strong>" in shown, "Harbour" in shown) == (True, False)
    assert "formerly Meadow, Anna · 1970-05-17 · F" in clerk.get("/search?q=medow+anna").text
    again = clerk.post("/patients/new", **ANNA)
    assert again.status_code == 409, "she comes again and says the old name"
    assert "formerly Meadow, Anna" in again.text
    assert clerk.post(f"{page}/names", name_kind="maiden", other_family="Brook").status_code == 303
    assert clerk.post(f"{page}/names", name_kind="maiden", other_family="HARBOR").status_code == 422
    assert clerk.post(f"{page}/names", name_kind="", other_family="").status_code == 422
    with ris.read() as session:
        name_id = session.scalars(sa.select(PatientName.id).where(PatientName.family == "Brook")).one()
    for step, is_found in (("", True), ("end", False), ("restore", True)):
        if step:
            assert clerk.post(f"{page}/names/{name_id}/{step}").status_code == 303
        assert ("maiden name Brook, Anna" in clerk.get("/search?q=brook+anna").text) is is_found
        assert ("taken off by" in clerk.get(page).text) is not is_found
    assert {entry.what for entry in trail(ris) if ".name_" in entry.what} == {"patient.name_added", "patient.name_ended"}
    assert not [entry for entry in trail(ris) if "Brook" in str(entry.detail) or "Meadow" in str(entry.detail)]
