"""The duplicate guard finds for a whole file whom it finds for one person at the desk, on both engines."""

from datetime import date

from ris.bootstrap import Ris
from ris.patient import guard, naming
from ris.patient.crowd import Crowd
from ris.patient.guard import Person
from ris.patient.model import Sex
from ris.patient.naming import NameKind, OtherName
from tests.factories.orders import make_patient

BORN = date(1970, 5, 17)
ASKED = {
    "the same": Person("Meadow", "Anna", birth_date=BORN),
    "names exchanged": Person("Anna", "Meadow", birth_date=BORN),
    "a typing error": Person("Medow", "Anna", birth_date=BORN),
    "another year": Person("Meadow", "Anna", birth_date=date(1971, 5, 17)),
    "another day": Person("Meadow", "Anna", birth_date=date(1970, 5, 18)),
    "day and month exchanged": Person("Quist", "Ulla", birth_date=date(1980, 2, 9)),
    "written as it sounds": Person("Meier", "Jorg", birth_date=date(1948, 11, 3)),
    "no birth date here": Person("Fen", "Otto", birth_date=BORN),
    "no birth date there": Person("Meadow", "Anna"),
    "the maiden name, another year": Person("Lake", "Anna", birth_date=date(1979, 5, 17)),
    "the telephone": Person("Moor", "Anna", birth_date=date(1990, 1, 1), phone="217 555 0101", sex=Sex.female),
    "somebody else": Person("Meadow", "Anna", birth_date=date(1950, 1, 2)),
    "nobody": Person("Zander", "Xaver", birth_date=date(2001, 1, 1)),
}


def test_a_file_and_the_desk_find_the_same_people(ris: Ris) -> None:
    with ris.uow() as uow:
        anna = make_patient(uow, "Meadow", "Anna", born=BORN, phone="+1 217 555 0101")
        make_patient(uow, "Quist", "Ulla", born=date(1980, 9, 2))
        make_patient(uow, "Meyer", "Jörg", born=date(1948, 11, 30))
        make_patient(uow, "Moor", "Anna", born=date(1970, 1, 1), phone="(217) 555-0101")
        make_patient(uow, "Fen", "Otto", born=None)
        naming.add(uow, anna.id, OtherName(NameKind.maiden, "Lake"))
    with ris.read() as session:
        one_by_one = {what: guard.alike(session, person) for what, person in ASKED.items()}
        crowd = Crowd(session, list(ASKED.values()))
        at_once = {what: crowd.alike(person) for what, person in ASKED.items() if person.birth_date}
        assert at_once == {what: found for what, found in one_by_one.items() if ASKED[what].birth_date}
        assert {what for what, found in one_by_one.items() if not found} == {"somebody else", "nobody"}
        crowd.add(7, ASKED["nobody"], "B7")
        assert [(one.patient_id, one.mrn, one.is_twin) for one in crowd.alike(ASKED["nobody"])] == [(7, "B7", True)]
