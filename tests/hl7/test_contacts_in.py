"""Whom senders name as next of kin, and how a patient is reached, on both engines."""

from datetime import date

from ris.bootstrap import Ris
from ris.hl7.intake import Intake
from ris.patient import contacts
from ris.patient import service as patients
from ris.patient.contacts import ContactData
from tests.factories.hospital import Hospital
from tests.factories.orders import make_patient
from tests.hl7.asking import PLACE, accept, counts, patient_of
from tests.messages.samples import adt, pid

MOTHER = "NK1|1|Meadow^Ida|MTH||217 555 0101|217 555 0102|C"
HOME = "NK1|2||OTH^nursing home||||||||||Elm House"
TODAY = date(2026, 11, 24)


def known(ris: Ris, mrn: str = "M1") -> list[tuple[str, str, str, str]]:
    with ris.read() as session:
        return [(c.name, c.relation, c.phone, c.other_phone) for c in contacts.contacts(session, patient_of(session, mrn).id)]


def test_the_list_of_a_sender_replaces_its_last_and_leaves_the_desks_alone(ris: Ris, hospital: Hospital) -> None:
    accept(ris, adt("A04", pid(born="20200517"), MOTHER, HOME))
    assert known(ris) == [("Meadow, Ida", "mother", "217 555 0101", "217 555 0102"), ("Elm House", "nursing home", "", "")]
    before = counts(ris, "message", "message_link")
    accept(ris, adt("A08", pid(born="20200517"), MOTHER, HOME), adt("A08", pid(born="20200517")))
    assert counts(ris, "message", "message_link") == before, "the same again, and nothing at all, change nothing"
    with ris.uow() as uow:
        patient_id = patient_of(uow.session, "M1").id
        assert contacts.reached(uow.session, patient_id, TODAY).person.name == "Meadow, Ida", "of a minor without a guardian a parent"
        contacts.save_contact(uow, patient_id, ContactData("Ben Brook", "uncle", is_guardian=True))
        uow.session.flush()
        assert contacts.reached(uow.session, patient_id, TODAY).person.name == "Ben Brook"
        assert contacts.reached(uow.session, patient_id, date(2038, 5, 16)).is_minor
        grown = contacts.reached(uow.session, patient_id, date(2038, 5, 17))
        assert (grown.is_minor, grown.person.name) == (False, "Meadow, Ida"), "who is called first"
        other = make_patient(uow)
    accept(ris, adt("A08", pid(born="20200517"), 'NK1|1|""'))
    assert [name for name, *_ in known(ris)] == ["Ben Brook"]
    with ris.uow() as uow:
        patients.merge(uow, survivor_id=other.id, loser_id=patient_id)
    with ris.read() as session:
        assert [c.name for c in contacts.contacts(session, other.id)] == ["Ben Brook"]


def test_messages_of_one_group_name_the_same_people_once(ris: Ris, hospital: Hospital) -> None:
    Intake(ris).take([(adt(trigger, pid(), MOTHER), PLACE) for trigger in ("A04", "A08")])
    assert len(known(ris)) == 1


def test_two_numbers_and_an_address_are_read_from_the_places_senders_use(ris: Ris, hospital: Hospital) -> None:
    places = {
        "M1": ("555-0101~^PRN^CP^^^217^5550102~^NET^Internet^anna@example.org", ""),
        "M2": ("^NET^Internet^anna@example.org~555-0101", "217-5550102"),
        "M3": ("555-0101^^^not an address", '""'),
    }
    accept(ris, *(adt("A04", pid(mrn, phone=home) + f"|{work}") for mrn, (home, work) in places.items()))
    with ris.read() as session:
        said = {mrn: (p.phone, p.other_phone, p.email) for mrn in places if (p := patient_of(session, mrn))}
    assert said == {
        "M1": ("555-0101", "217-5550102", "anna@example.org"),
        "M2": ("555-0101", "217-5550102", "anna@example.org"),
        "M3": ("555-0101", "", ""),
    }
