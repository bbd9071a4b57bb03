"""Patients are found by what a clerk types, right or nearly right, on both engines."""

from datetime import date

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.patient import service as patients
from ris.patient.keys import search_keys
from ris.patient.model import Patient
from ris.patient.search import search
from ris.patient.service import IdentifierData, PatientData
from ris.processes import database
from tests.factories.orders import make_patient

CROWD = (
    ("Smith", "John", "MRN-1", date(1980, 2, 3), "+1 217 555 0101"),
    ("Smith", "Joan", "MRN-2", date(1981, 3, 4), "217-555-0102"),
    ("Smythe", "John", "MRN-3", date(1982, 4, 5), ""),
    ("García-López", "María", "MRN-4", date(1970, 5, 17), ""),
    ("O'Brien", "Kathryn", "MRN-5", date(1990, 12, 1), "5550105"),
    ("Meyer", "Jörg", "MRN-6", date(1948, 11, 30), ""),
    ("Łukasik", "Søren", "MRN-7", None, ""),
    ("Иванова", "Мария", "MRN-8", date(1966, 6, 6), ""),
    ("Doe", "Trauma1", "MRN-9", None, ""),
)


@pytest.fixture
def crowd(ris: Ris) -> Ris:
    with ris.uow() as uow:
        for family, given, mrn, born, phone in CROWD:
            make_patient(uow, family, given, mrn, born=born, phone=phone)
    return ris


def found(ris: Ris, text: str) -> list[str]:
    with ris.read() as session:
        return [str(row.mrn) for row in search(session, text)]


def test_a_patient_is_found_by_everything_that_a_clerk_may_know(crowd: Ris) -> None:
    asked = {
        "smith john": ["MRN-1"],
        "john smith": ["MRN-1"],
        "SMITH, Jo": ["MRN-2", "MRN-1"],
        "jo smith": ["MRN-2", "MRN-1"],
        "garcia": ["MRN-4"],
        "lopez": ["MRN-4"],
        "garcia lopez maria": ["MRN-4"],
        "maria garcia-lópez": ["MRN-4"],
        "maria": ["MRN-4"],
        "obrien": ["MRN-5"],
        "o'brien": ["MRN-5"],
        "lukasik soren": ["MRN-7"],
        "иванова": ["MRN-8"],
        "doe trauma1": ["MRN-9"],
        "mrn-4": ["MRN-4"],
        "smith MRN-2": ["MRN-2"],
        "1970-05-17": ["MRN-4"],
        "17.05.1970": ["MRN-4"],
        "5/17/1970": ["MRN-4"],
        "19700517": ["MRN-4"],
        "smith 4/3/1981": ["MRN-2"],
        "+1 217 555 0101": ["MRN-1"],
        "(217) 555-0101": ["MRN-1"],
        "555 0102": ["MRN-2"],
        "1-217-555-0105": ["MRN-5"],
        "smith 5550101": ["MRN-1"],
    }
    assert {text: found(crowd, text)[: len(mrns)] for text, mrns in asked.items()} == asked


def test_who_fits_only_in_part_is_not_found(crowd: Ris) -> None:
    asked = (
        "smith jean-luc",
        "lopez anna",
        "smith MRN-4",
        "555 0199",
        "MRN-10",
        "lopes maria x",
        "mueller",
        "o",
        "zz",
        "'--",
        "1970-13-01",
    )
    assert {text: found(crowd, text) for text in asked} == {text: [] for text in asked}


def test_one_error_or_another_spelling_hides_nobody(crowd: Ris) -> None:
    asked = {
        "smiht john": "MRN-1",
        "smth john": "MRN-1",
        "smmith john 1980-02-03": "MRN-1",
        "smith jhon": "MRN-1",
        "smith john 1980-02-04": "MRN-1",
        "smith john 3.2.1980": "MRN-1",
        "smith john 1980-20-03": "MRN-1",
        "meier jorg": "MRN-6",
        "maier": "MRN-6",
        "obrian catherine": "MRN-5",
        "obrien catherine": "MRN-5",
        "garcialopez": "MRN-4",
        "ивановa": "MRN-8",
        "иваново мария": "MRN-8",
    }
    assert {text: found(crowd, text)[:1] for text in asked} == {text: [mrn] for text, mrn in asked.items()}


def test_who_fits_best_comes_first_and_who_was_born_on_another_day_not_beside(crowd: Ris) -> None:
    assert found(crowd, "smith") == ["MRN-2", "MRN-1", "MRN-3"], "the same name, in the order of given names; then what sounds so"
    assert found(crowd, "smyth john")[:2] == ["MRN-3", "MRN-1"], "the beginning of a name before one that sounds so"
    assert found(crowd, "john 1982-04-05") == ["MRN-3"]
    assert found(crowd, "smith john 1999-09-09")[:1] == ["MRN-1"], "a birth date that nobody has narrows nothing down"


def test_a_changed_patient_is_found_by_what_is_said_now(crowd: Ris) -> None:
    number = IdentifierData("MRN-1", "HOSP", "MR")
    with crowd.uow() as uow:
        patients.upsert(uow, PatientData((number,), family="Ashford-Lane", phone="217 555 7777"))
    assert found(crowd, "lane john") == found(crowd, "5557777") == found(crowd, "ashfrod") == ["MRN-1"]
    assert found(crowd, "5550101") == []


def test_patients_of_before_are_found_after_the_migration(crowd: Ris) -> None:
    database.downgrade(crowd.settings, "e83b1d5f70c2-1")
    database.upgrade(crowd.settings)
    with crowd.read() as session:
        for row in session.scalars(sa.select(Patient)):
            keys = search_keys(row.family, row.given, row.phone)
            assert {name: getattr(row, name) for name in keys} == keys
