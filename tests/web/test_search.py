"""The search behind Ctrl+K: what is found, for whom, and what the trail keeps of it."""

from collections.abc import Callable
from typing import Any

import pytest

from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from ris.patient import service as patients
from ris.patient.model import Patient
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, make_patient
from tests.web.people import somebody
from tests.web.visitor import Visitor, trail

Visitors = Callable[[], Visitor]


@pytest.fixture
def clerk(visitor: Visitors, hospital: Hospital) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["front_desk"])
    return someone


def patient(ris: Ris, family: str, given: str, mrn: str = "") -> Patient:
    with ris.uow() as uow:
        return make_patient(uow, family, given, mrn)


def exam(ris: Ris, hospital: Hospital, who: Patient, site: str = "MAIN") -> RequestedProcedure:
    with ris.uow(hospital.actor("scheduler")) as uow:
        return make_order(uow, hospital, "CTHEAD", patient=who, site=site).procedures[0]


def found(someone: Visitor, q: str) -> list[dict[str, Any]]:
    """As the palette asks."""
    answer = someone.client.get("/search", query_string={"q": q}, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    return list(answer.get_json())


def names(someone: Visitor, q: str) -> list[str]:
    return [hit["text"] for hit in found(someone, q) if hit["kind"] == "Patient"]


def opened(someone: Visitor, *patients: Patient) -> list[str]:
    """Those whose pages can be opened."""
    return [f"{row.family}, {row.given}" for row in patients if someone.get(f"/patients/{row.id}").status_code == 200]


@pytest.mark.parametrize(
    "q", ["mül", "MÜLLER", "muller", "Müller, Zoë", "zoe muller", "muller z", "zoe", "  müller  ", "MRN-77", "1970-05-17"]
)
def test_a_patient_is_found_by_name_number_and_birth_date(ris: Ris, clerk: Visitor, q: str) -> None:
    patient(ris, "Müller", "Zoë", "MRN-77")
    assert names(clerk, q) == ["Müller, Zoë"]


@pytest.mark.parametrize("q", ["", "m", "ller", "MRN-7", "mrn-", "1970-05-18", "%", "__", "' OR 1=1 --", "müller, anna"])
def test_nothing_else_is_found(ris: Ris, clerk: Visitor, q: str) -> None:
    patient(ris, "Müller", "Zoë", "MRN-77")
    assert found(clerk, q) == []


def test_an_exam_is_found_by_its_accession_number_and_its_placer_number(ris: Ris, hospital: Hospital, clerk: Visitor) -> None:
    procedure = exam(ris, hospital, patient(ris, "Ash", "Bo"))
    with ris.read() as session:
        placer = session.get_one(RequestedProcedure, procedure.id).order.placer_number
    for q in (procedure.accession_number, procedure.accession_number.lower(), placer):
        hits = found(clerk, q)
        assert [(hit["kind"], hit["address"]) for hit in hits] == [("Exam", f"/exams/{procedure.id}")], q


def test_what_is_found_opens(ris: Ris, hospital: Hospital, clerk: Visitor) -> None:
    procedure = exam(ris, hospital, patient(ris, "Ash", "Bo"))
    for hit in (*found(clerk, procedure.accession_number), *found(clerk, "ash")):
        assert clerk.get(hit["address"]).status_code == 200


def test_a_merged_patient_is_found_as_the_survivor_also_by_the_old_number(ris: Ris, clerk: Visitor) -> None:
    survivor, loser = patient(ris, "Ash", "Bo", "NEW-1"), patient(ris, "Ash", "Bo", "OLD-1")
    with ris.uow() as uow:
        patients.merge(uow, survivor_id=survivor.id, loser_id=loser.id)
    assert [hit["address"] for hit in found(clerk, "OLD-1")] == [f"/patients/{survivor.id}"]
    assert [hit["address"] for hit in found(clerk, "ash")] == [f"/patients/{survivor.id}"]


def test_exams_and_patients_of_other_sites_are_neither_found_nor_opened(ris: Ris, hospital: Hospital, visitor: Visitors) -> None:
    here, there, new = patient(ris, "Ash", "Here"), patient(ris, "Ash", "There"), patient(ris, "Ash", "New")
    exam(ris, hospital, here, "WEST")
    other = exam(ris, hospital, there, "MAIN")
    someone = visitor()
    someone.enter(somebody(ris, hospital, "desk", front_desk="WEST"))
    assert found(someone, other.accession_number) == []
    assert names(someone, "ash") == opened(someone, here, there, new) == ["Ash, Here", "Ash, New"]
    exam(ris, hospital, there, "WEST")
    assert names(someone, "ash") == opened(someone, here, new, there) == ["Ash, Here", "Ash, New", "Ash, There"]


def test_the_page_works_without_scripts_and_escapes_what_was_typed(ris: Ris, clerk: Visitor) -> None:
    patient(ris, "<b>Ash", "Bo")
    page = clerk.get("/search?q=<b>ash").text
    assert "&lt;b&gt;Ash, Bo" in page
    assert "<b>ash" not in page.lower()


def test_the_trail_keeps_the_terms_and_not_the_results(ris: Ris, hospital: Hospital, clerk: Visitor) -> None:
    patient(ris, "Müller", "Zoë")
    found(clerk, "mül")
    entry = trail(ris, what="search")[0]
    assert (entry.action, entry.actor_id, entry.detail) == ("query", hospital.users["front_desk"], {"q": "mül"})
    assert entry.patient_id is None


def test_an_empty_search_is_no_search(ris: Ris, clerk: Visitor) -> None:
    assert clerk.get("/search").status_code == 200
    assert trail(ris, what="search") == []


def test_who_may_read_no_patient_finds_none(ris: Ris, hospital: Hospital, visitor: Visitors) -> None:
    someone = visitor()
    someone.enter(hospital.users["administrator"])
    assert someone.get("/search?q=ash").status_code == 404
