"""ADT in: what each event does to patients and visits, and what a merge carries along."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.order.model import Order
from ris.partner.model import Partner
from ris.patient import service as patients
from ris.patient.model import Merge, Patient, PatientIdentifier, Sex, Visit, VisitState
from ris.scheduling import service as scheduling
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY
from tests.hl7.asking import AA, accept, ask, counts, order_of, patient_of, rows
from tests.messages.samples import adt, merge, message, msh, order, orm, pid, pv1
from tests.messages.samples import obr as obr_segment
from tests.messages.samples import orc as orc_segment

pytestmark = pytest.mark.usefixtures("hospital")

CREATING = ("A01", "A04", "A05", "A08", "A28", "A31")


@pytest.mark.parametrize("trigger", CREATING)
def test_every_event_creates_an_unknown_patient(trigger: str, ris: Ris) -> None:
    accept(
        ris, adt(trigger, pid("M1", "Meadow^Anna^Rose^Jr^Dr", "19700517", "F", address="1 Elm St^^Salem^MA^01970^USA", phone="555-0100"))
    )
    with ris.read() as session:
        patient = patient_of(session, "M1")
        assert (patient.family, patient.given, patient.middle, patient.suffix, patient.prefix) == ("Meadow", "Anna", "Rose", "Jr", "Dr")
        assert (patient.birth_date, patient.sex) == (date(1970, 5, 17), Sex.female)
        assert (patient.street, patient.city, patient.region, patient.postal_code) == ("1 Elm St", "Salem", "MA", "01970")
        assert patient.phone == "555-0100"


@pytest.mark.parametrize(
    ("trigger", "state"), [("A01", VisitState.open), ("A04", VisitState.open), ("A05", VisitState.expected), ("A08", VisitState.open)]
)
def test_the_event_says_what_the_visit_is(trigger: str, state: VisitState, ris: Ris) -> None:
    accept(ris, adt(trigger, pid(), pv1("V1", "I", "WARD^12^A")))
    with ris.read() as session:
        visit = session.scalars(sa.select(Visit)).one()
        assert (visit.key, visit.state, visit.patient_class, visit.location) == ("HOSP|V1", state, "I", "WARD 12 A")
        assert visit.patient_id == patient_of(session, "M1").id


def test_a_change_leaves_the_state_of_a_visit_alone(ris: Ris) -> None:
    accept(ris, adt("A05", pid(), pv1("V1")), adt("A08", pid(), pv1("V1", location="ER^2")))
    with ris.read() as session:
        visit = session.scalars(sa.select(Visit)).one()
        assert (visit.state, visit.location) == (VisitState.expected, "ER 2")


@pytest.mark.parametrize("trigger", ["A28", "A31"])
def test_an_event_about_the_person_opens_no_visit(trigger: str, ris: Ris) -> None:
    accept(ris, adt(trigger, pid(), pv1("V1")))
    assert counts(ris)["visit"] == 0


def test_a_present_field_replaces_an_empty_one_says_nothing_and_null_clears(ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1", "Meadow^Anna^Rose", phone="555-0100")))
    accept(ris, adt("A08", pid("M1", "Brook^Anna", born="", sex="", phone='""')))
    with ris.read() as session:
        patient = patient_of(session, "M1")
        assert (patient.family, patient.phone) == ("Brook", "")
        assert (patient.birth_date, patient.sex) == (date(1970, 5, 17), Sex.female)


def test_a_null_component_clears_that_part_of_the_name(ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1", "Meadow^Anna^Rose")), adt("A08", pid("M1", 'Meadow^Anna^""')))
    with ris.read() as session:
        assert patient_of(session, "M1").middle == ""


def test_the_same_facts_again_change_nothing(ris: Ris) -> None:
    accept(ris, adt("A04", pid(), pv1("V1")))
    before = counts(ris, "message", "message_link")
    accept(ris, adt("A08", pid(), pv1("V1")))
    assert counts(ris, "message", "message_link") == before


def test_an_impossible_birth_date_is_no_statement(ris: Ris) -> None:
    accept(ris, adt("A04", pid(born="19700517")), adt("A08", pid(born="19701345")))
    with ris.read() as session:
        assert patient_of(session, "M1").birth_date == date(1970, 5, 17)


def test_every_identifier_leads_to_the_patient(ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1~S9^^^NATION^NI")), adt("A08", pid("S9^^^NATION^NI", "Brook^Anna")))
    with ris.read() as session:
        assert patient_of(session, "M1").family == "Brook"
        assert session.scalar(sa.select(sa.func.count()).select_from(Patient)) == 1


def test_the_same_number_of_another_authority_is_another_patient(ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1")), adt("A04", pid("M1^^^CLINIC^MR", "Brook^Ida")))
    assert counts(ris)["patient"] == 2


def test_the_same_bare_number_of_two_partners_without_authority_is_two_patients(ris: Ris) -> None:
    with ris.uow() as uow:
        for name in ("NORTH", "SOUTH"):
            uow.add(Partner(name=name, application="ADT", facility=name, zone="UTC", policies={}))
    accept(ris, *(message(msh("ADT^A04", sender=f"ADT|{name}"), "PID|1||77||Meadow^Anna") for name in ("NORTH", "SOUTH")))
    assert rows(ris, "SELECT key FROM patient_identifier ORDER BY key") == [("NORTH|MR|77",), ("SOUTH|MR|77",)]
    assert counts(ris)["patient"] == 2


def test_an_authority_may_be_named_by_its_universal_id(ris: Ris) -> None:
    accept(ris, adt("A04", pid("77^^^&1.2.840.1&ISO^MR")))
    assert rows(ris, "SELECT key FROM patient_identifier") == [("1.2.840.1|MR|77",)]


def test_identifiers_of_two_patients_are_refused_and_change_nothing(ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1")), adt("A04", pid("M2", "Brook^Ida")))
    before = counts(ris, "message")
    assert ask(ris, adt("A08", pid("M1~M2"))) == [("AE", "204", "PID^1^3")]
    assert counts(ris, "message") == before


def test_a_visit_number_of_another_patient_is_refused_at_its_place(ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1"), pv1("V1")))
    before = counts(ris, "message")
    assert ask(ris, adt("A04", pid("M2", "Brook^Ida"), pv1("V1"))) == [("AE", "205", "PV1^1^19")]
    assert counts(ris, "message") == before


def test_a_patient_without_identifier_is_refused(ris: Ris) -> None:
    assert ask(ris, adt("A04", pid(""))) == [("AE", "101", "PID^1^3")]


def test_a_message_without_pid_is_refused(ris: Ris) -> None:
    assert ask(ris, adt("A04")) == [("AE", "100", "PID^1")]


def test_an_event_that_is_not_read_is_rejected(ris: Ris) -> None:
    assert ask(ris, adt("A60", pid(), pv1("V1"))) == [("AR", "201", "MSH^1^9")]


# ── merge ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def two_patients(ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1", "Meadow^Anna"), pv1("V1")), adt("A04", pid("M2", "Meadows^Ann"), pv1("V2")))


def merged(ris: Ris) -> int:
    with ris.read() as session:
        return session.scalars(sa.select(Merge.id)).one()


def test_orders_visits_and_appointments_follow_the_survivor(ris: Ris, hospital: Hospital) -> None:
    two_patients(ris)
    accept(ris, order("P2^EHR", mrn="M2"))
    with ris.uow(hospital.actor("scheduler")) as uow:
        procedure = uow.session.scalars(sa.select(Order)).one().procedures[0]
        scheduling.book(uow, procedure_id=procedure.id, room_id=hospital.rooms["CT1"], starts_at=MONDAY)
    accept(ris, merge("M1", "M2"))
    with ris.read() as session:
        survivor = patient_of(session, "M1")
        assert patient_of(session, "M2").id == survivor.id
        assert order_of(session, "P2").patient_id == survivor.id
        assert set(session.scalars(sa.select(Visit.patient_id))) == {survivor.id}
        assert (survivor.family, survivor.given) == ("Meadow", "Anna")
    assert _person_occupied(ris) == {f"patient:{survivor.id}"}


def _person_occupied(ris: Ris) -> set[str]:
    return {resource for (resource,) in rows(ris, "SELECT resource FROM occupancy") if resource.startswith("patient")}


def test_overlapping_appointments_do_not_refuse_a_merge_but_raise_a_task(ris: Ris, hospital: Hospital) -> None:
    two_patients(ris)
    accept(ris, order("P1^EHR", mrn="M1"), order("P2^EHR", "MRBRAIN^MR brain^L", mrn="M2"))
    with ris.uow(hospital.actor("scheduler")) as uow:
        for placer, room in (("P1", "CT1"), ("P2", "MR1")):
            procedure = order_of(uow.session, placer).procedures[0]
            scheduling.book(uow, procedure_id=procedure.id, room_id=hospital.rooms[room], starts_at=MONDAY + timedelta(minutes=5))
    accept(ris, merge("M1", "M2"))
    assert rows(ris, "SELECT kind FROM task") == [("double_booked_after_merge",)]


def test_a_patient_cannot_be_merged_into_itself(ris: Ris) -> None:
    two_patients(ris)
    assert ask(ris, merge("M1", "M1")) == [("AE", "205", "MRG^1^1")]


def test_another_number_of_the_same_patient_is_itself_too(ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1~M9")))
    assert ask(ris, merge("M1", "M9")) == [("AE", "205", "MRG^1^1")]


def test_the_same_merge_again_is_accepted_and_changes_nothing(ris: Ris) -> None:
    two_patients(ris)
    accept(ris, merge("M1", "M2"))
    before = counts(ris, "message", "message_link")
    assert ask(ris, merge("M1", "M2")) == [AA]
    assert counts(ris, "message", "message_link") == before


def test_the_inverse_of_a_merge_is_refused(ris: Ris) -> None:
    two_patients(ris)
    accept(ris, merge("M1", "M2"))
    before = _belongings(ris)
    assert ask(ris, merge("M2", "M1")) == [("AE", "207", "MRG^1^1")]
    assert _belongings(ris) == before
    assert rows(ris, "SELECT kind FROM task") == [("merge_conflict",)]


def test_a_patient_that_was_merged_is_not_merged_into_another(ris: Ris) -> None:
    two_patients(ris)
    accept(ris, merge("M1", "M2"), adt("A04", pid("M3", "Mead^Ada")))
    before = _belongings(ris)
    assert ask(ris, merge("M3", "M2")) == [("AE", "207", "MRG^1^1")]
    assert _belongings(ris) == before
    assert rows(ris, "SELECT kind FROM task") == [("merge_conflict",)]


def test_a_chain_of_merges_leads_to_its_last_survivor(ris: Ris) -> None:
    two_patients(ris)
    accept(ris, adt("A04", pid("M3", "Mead^A")), merge("M2", "M3"), merge("M1", "M2"))
    with ris.read() as session:
        assert patient_of(session, "M3").id == patient_of(session, "M1").id
        assert patient_of(session, "M1").family == "Meadow"


def test_a_merge_of_unknown_patients_creates_both(ris: Ris) -> None:
    accept(ris, merge("M7", "M8"))
    with ris.read() as session:
        assert patient_of(session, "M8").id == patient_of(session, "M7").id
        assert session.scalar(sa.select(sa.func.count()).select_from(Patient)) == 2


def test_a_message_for_the_loser_reaches_the_survivor_without_changing_them(ris: Ris) -> None:
    two_patients(ris)
    accept(ris, merge("M1", "M2"), adt("A08", pid("M2", "Meadows^Ann", "19990101", "M")), order("P2^EHR", mrn="M2"))
    with ris.read() as session:
        survivor = patient_of(session, "M1")
        assert (survivor.family, survivor.birth_date, survivor.sex) == ("Meadow", date(1970, 5, 17), Sex.female)
        assert order_of(session, "P2").patient_id == survivor.id


def test_a_merge_without_prior_identifier_is_refused(ris: Ris) -> None:
    assert ask(ris, adt("A40", pid("M1", "", "", ""), "MRG|")) == [("AE", "101", "MRG^1^1")]
    assert ask(ris, adt("A40", pid("M1", "", "", ""))) == [("AE", "101", "MRG^1")]


def test_identifiers_of_different_types_are_not_merged(ris: Ris) -> None:
    two_patients(ris)
    assert ask(ris, adt("A40", pid("M1", "", "", ""), "MRG|S9^^^NATION^NI")) == [("AE", "207", "MRG^1^1")]


def test_several_pairs_in_one_message_are_all_merged(ris: Ris) -> None:
    two_patients(ris)
    accept(ris, adt("A04", pid("M3")), adt("A04", pid("M4")))
    accept(ris, adt("A40", pid("M1", "", "", ""), "MRG|M2^^^HOSP^MR", pid("M3", "", "", ""), "MRG|M4^^^HOSP^MR"))
    with ris.read() as session:
        assert patient_of(session, "M2").id == patient_of(session, "M1").id
        assert patient_of(session, "M4").id == patient_of(session, "M3").id


def test_unmerge_restores_every_row_that_the_merge_moved(ris: Ris, hospital: Hospital) -> None:
    two_patients(ris)
    accept(ris, order("P2^EHR", mrn="M2"))
    before = _belongings(ris)
    accept(ris, merge("M1", "M2"))
    assert _belongings(ris) != before
    with ris.uow(hospital.actor("administrator")) as uow:
        patients.unmerge(uow, merged(ris))
    assert _belongings(ris) == before
    accept(ris, merge("M1", "M2"))


def _belongings(ris: Ris) -> list[tuple[object, ...]]:
    with ris.read() as session:
        identifiers = session.execute(sa.select(PatientIdentifier.key, PatientIdentifier.patient_id, PatientIdentifier.merged))
        visits = session.execute(sa.select(Visit.key, Visit.patient_id))
        orders = session.execute(sa.select(Order.placer_number, Order.patient_id))
        losers = session.execute(sa.select(Patient.id, Patient.merged_into_id))
        return sorted(map(repr, (*identifiers, *visits, *orders, *losers)))


def test_a_merge_while_appointments_stand_keeps_their_time(ris: Ris, hospital: Hospital) -> None:
    two_patients(ris)
    accept(ris, orm(pid("M2"), orc_segment("NW", "P2^EHR"), obr_segment("P2^EHR")))
    with ris.uow(hospital.actor("scheduler")) as uow:
        step = scheduling.book(
            uow, procedure_id=order_of(uow.session, "P2").procedures[0].id, room_id=hospital.rooms["CT1"], starts_at=MONDAY
        )
    accept(ris, merge("M1", "M2"))
    ((starts_at,),) = rows(ris, "SELECT starts_at FROM scheduled_procedure_step WHERE id = :id", id=step.id)
    assert datetime.fromisoformat(str(starts_at)).replace(tzinfo=UTC) == MONDAY
