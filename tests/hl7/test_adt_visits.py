"""Visits by ADT: what each event does to them, how they and accounts and identifiers are moved and merged."""

import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.exam import queries as exams
from ris.order.model import Order
from ris.order.status import OrderStatus
from ris.patient.model import Visit, VisitState
from ris.scheduling import service as scheduling
from ris.scheduling.queries import day_span
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY
from tests.hl7.asking import AA, accept, agree, ask, counts, order_of, patient_of, rows, tasks
from tests.messages.samples import adt, merge, obr, orc, order, orm, pid, pv1

pytestmark = pytest.mark.usefixtures("hospital")

QUIET = ("message", "message_link")


def mrg(mrn: str = "", account: str = "", visit: str = "") -> str:
    return f"MRG|{f'{mrn}^^^HOSP^MR' if mrn else ''}||{account}||{visit}"


def account_pid(mrn: str, account: str) -> str:
    fields = pid(mrn, "", "", "").split("|")
    return "|".join([*fields, *[""] * (18 - len(fields)), account])


def ordered(placer: str, visit: str, mrn: str) -> bytes:
    return orm(pid(mrn), pv1(visit), orc("NW", f"{placer}^EHR"), obr(f"{placer}^EHR"))


def visit_of(session: sa.orm.Session, number: str = "V1") -> Visit:
    return session.scalars(sa.select(Visit).where(Visit.visit_number == number)).one()


# ── what an event says about the visit ───────────────────────────────────────────────────────────────────────────────


MOVES = [
    ("A05", "A01", VisitState.open), ("A01", "A02", VisitState.open), ("A01", "A03", VisitState.closed),
    ("A04", "A06", VisitState.open), ("A01", "A07", VisitState.open), ("A01", "A11", VisitState.cancelled),
    ("A02", "A12", VisitState.open), ("A03", "A13", VisitState.open), ("A05", "A38", VisitState.cancelled),
    ("A05", "A02", VisitState.expected),
]  # fmt: skip


def test_an_event_moves_the_visit(ris: Ris) -> None:
    for number, (before, trigger, _) in enumerate(MOVES):
        accept(ris, adt(before, pid(), pv1(f"V{number}", "O", "ER^1")), adt(trigger, pid(), pv1(f"V{number}", "I", "WARD^12^A")))
    with ris.read() as session:
        visits = [visit_of(session, f"V{number}") for number in range(len(MOVES))]
    assert [visit.state for visit in visits] == [state for _, _, state in MOVES]
    assert {(visit.patient_class, visit.location) for visit in visits} == {("I", "WARD 12 A")}


def test_every_event_creates_a_patient_and_a_visit_that_are_unknown(ris: Ris) -> None:
    triggers = ("A02", "A03", "A06", "A07", "A11", "A12", "A13", "A38")
    accept(ris, *(adt(trigger, pid(f"M{trigger}"), pv1(f"V{trigger}")) for trigger in triggers))
    assert (counts(ris)["patient"], counts(ris)["visit"]) == (len(triggers), len(triggers))


def test_a_discharge_ends_the_visit_when_it_says_and_its_cancellation_opens_it_again(ris: Ris) -> None:
    accept(ris, adt("A01", pid(), pv1("V1")), adt("A03", pid(), pv1("V1")))
    with ris.read() as session:
        assert visit_of(session).ended_at == datetime(2026, 11, 24, 17, tzinfo=UTC)  # EVN-2
    accept(ris, adt("A13", pid(), pv1("V1")))
    with ris.read() as session:
        assert visit_of(session).ended_at is None


def test_a_transfer_reaches_the_open_worklist(ris: Ris, hospital: Hospital) -> None:
    accept(ris, ordered("P1", "V1", "M1"))
    with ris.uow(hospital.actor("scheduler")) as uow:
        procedure = order_of(uow.session).procedures[0]
        scheduling.book(uow, procedure_id=procedure.id, room_id=hospital.rooms["CT1"], starts_at=MONDAY)
    accept(ris, adt("A02", pid(), pv1("V1", "I", "WARD^12^A")))
    days = {hospital.sites["MAIN"]: day_span(MONDAY.date(), "America/New_York")}
    with ris.read() as session:
        (row,) = exams.open_steps(session, days)
    assert (row.patient_class, row.location) == ("I", "WARD 12 A")


def test_a_cancelled_visit_asks_about_its_open_orders_once(ris: Ris) -> None:
    accept(ris, ordered("P1", "V1", "M1"), adt("A11", pid(), pv1("V1")), adt("A11", pid(), pv1("V1")))
    assert tasks(ris) == [("visit_cancelled", "open")]
    with ris.read() as session:
        assert order_of(session).status is OrderStatus.scheduled


# ── a patient who was merged, or is called otherwise ─────────────────────────────────────────────────────────────────


def test_an_order_that_names_the_patient_otherwise_is_linked_and_the_difference_stands_in_the_trail(ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1", "Meadow^Anna", "19700517")), orm(pid("M1", "MEADOW^Änna", "19700517"), orc("NW", "P1"), obr("P1")))
    assert rows(ris, "SELECT count(*) FROM event WHERE name = 'patient.told_otherwise'") == [(0,)]
    accept(ris, orm(pid("M1", "Meadow^Ida", "19700517"), orc("NW", "P2"), obr("P2")))
    assert rows(ris, "SELECT count(*) FROM event WHERE name = 'patient.told_otherwise'") == [(1,)]
    assert tasks(ris) == []
    accept(ris, orm(pid("M1", "Brook^Ida", "20010101"), orc("NW", "P3"), obr("P3")))
    assert tasks(ris) == [("identity_differs", "open")]
    with ris.read() as session:
        known = patient_of(session, "M1")
        assert (known.given, order_of(session, "P3").patient_id) == ("Anna", known.id)
    assert not [facts for (facts,) in rows(ris, "SELECT facts FROM event") if "Ida" in str(facts) or re.search(r"\b2001", str(facts))]


def test_a_partner_may_agree_that_messages_for_a_merged_patient_are_refused(ris: Ris, hospital: Hospital) -> None:
    accept(ris, adt("A04", pid("M1")), adt("A04", pid("M2", "Brook^Ida")), merge("M1", "M2"))
    agree(ris, hospital, message_for_merged_patient="refuse")
    late = [adt("A08", pid("M2")), order("P9^EHR", mrn="M2")]
    assert ask(ris, *late) == [("AR", "204", "PID^1^3")] * 2
    agree(ris, hospital)
    assert ask(ris, *late) == [AA] * 2


@pytest.mark.parametrize("trigger", ["A18", "A34", "A39", "A40"])
def test_each_kind_of_patient_merge_merges(trigger: str, ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1"), pv1("V1")), adt("A04", pid("M2", "Brook^Ida"), pv1("V2")), ordered("P2", "V2", "M2"))
    accept(ris, adt(trigger, pid("M1", "", "", ""), mrg("M2")))
    with ris.read() as session:
        survivor = patient_of(session, "M1").id
        assert (patient_of(session, "M2").id, order_of(session, "P2").patient_id, visit_of(session, "V2").patient_id) == (survivor,) * 3


def test_a_legacy_merge_names_patients_in_pid_2_and_mrg_4(ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1")), adt("A04", pid("M2", "Brook^Ida")))
    assert ask(ris, adt("A18", "PID|1||||", "MRG||||M2")) == [("AE", "101", "PID^1^3")]
    accept(ris, adt("A18", "PID|1|M1|||", "MRG||||M2"))
    with ris.read() as session:
        assert patient_of(session, "M2").id == patient_of(session, "M1").id


# ── accounts and visits ──────────────────────────────────────────────────────────────────────────────────────────────


def two_visits(ris: Ris) -> None:
    accept(ris, adt("A01", pid("M1"), pv1("V1")), adt("A01", pid("M2", "Brook^Ida"), pv1("V2")))
    accept(ris, ordered("P1", "V1", "M1"), ordered("P2", "V2", "M2"))


def test_a_visit_is_moved_to_its_patient_with_orders_and_appointments(ris: Ris, hospital: Hospital) -> None:
    two_visits(ris)
    with ris.uow(hospital.actor("scheduler")) as uow:
        procedure = order_of(uow.session, "P2").procedures[0]
        scheduling.book(uow, procedure_id=procedure.id, room_id=hospital.rooms["CT1"], starts_at=MONDAY)
    move = adt("A45", pid("M1", "", "", ""), mrg("M2", visit="V2"), pv1("V2"))
    accept(ris, move)
    with ris.read() as session:
        target = patient_of(session, "M1").id
        assert (visit_of(session, "V2").patient_id, order_of(session, "P2").patient_id) == (target, target)
        assert patient_of(session, "M2").merged_into_id is None
    assert rows(ris, "SELECT patient_id FROM occupancy WHERE patient_id IS NOT NULL") == [(target,)]
    before = counts(ris, *QUIET)
    accept(ris, adt("A45", pid("M1", "", "", ""), mrg("M2", visit="V2"), pv1("V2")))
    assert counts(ris, *QUIET) == before


def test_a_visit_and_an_account_may_be_called_otherwise_where_they_are_moved_to(ris: Ris) -> None:
    accept(ris, adt("A01", account_pid("M2", "ACC7"), pv1("V2")), ordered("P2", "V2", "M2"), adt("A04", pid("M1")))
    for _ in range(2):
        accept(ris, adt("A45", pid("M1", "", "", ""), mrg("M2", visit="V2"), pv1("V8")))
        accept(ris, adt("A44", account_pid("M1", "ACC8"), mrg("M2", account="ACC7")))
    with ris.read() as session:
        moved = visit_of(session, "V8")
        assert (moved.patient_id, moved.account_key) == (patient_of(session, "M1").id, "HOSP|ACC8")
        assert order_of(session, "P2").visit_id == moved.id
    assert counts(ris)["visit"] == 1
    accept(ris, adt("A01", pid("M3", "Mead^Ada"), pv1("V9")))
    before = counts(ris, *QUIET)
    assert ask(ris, adt("A45", pid("M1", "", "", ""), mrg("M2", visit="V8"), pv1("V9"))) == [("AE", "205", "PV1^1^19")]
    assert counts(ris, *QUIET) == before


def test_several_visits_are_moved_by_one_message(ris: Ris) -> None:
    two_visits(ris)
    accept(ris, adt("A01", pid("M2"), pv1("V3")))
    accept(ris, adt("A45", pid("M1", "", "", ""), mrg("M2", visit="V2"), pv1("V2"), mrg("M2", visit="V3"), pv1("V3")))
    with ris.read() as session:
        assert {visit_of(session, n).patient_id for n in ("V1", "V2", "V3")} == {patient_of(session, "M1").id}


def test_a_visit_of_a_third_patient_is_not_moved(ris: Ris) -> None:
    two_visits(ris)
    accept(ris, adt("A04", pid("M3", "Mead^Ada")))
    assert ask(ris, adt("A45", pid("M1", "", "", ""), mrg("M3", visit="V2"), pv1("V2"))) == [("AE", "205", "MRG^1^5")]
    assert ask(ris, adt("A45", pid("M1", "", "", ""), mrg("M2", visit="V9"), pv1("V9"))) == [("AE", "204", "MRG^1^5")]


def test_an_account_is_moved_with_all_its_visits(ris: Ris) -> None:
    for number in ("V1", "V2"):
        accept(ris, adt("A01", account_pid("M2", "ACC7"), pv1(number)))
    accept(ris, ordered("P2", "V2", "M2"), adt("A04", pid("M1")))
    accept(ris, adt("A44", account_pid("M1", "ACC7"), mrg("M2", account="ACC7")))
    with ris.read() as session:
        target = patient_of(session, "M1").id
        assert {visit_of(session, n).patient_id for n in ("V1", "V2")} == {target}
        assert order_of(session, "P2").patient_id == target
    assert ask(ris, adt("A44", account_pid("M1", "ACC9"), mrg("M2", account="ACC9"))) == [("AE", "204", "MRG^1^3")]


@pytest.mark.parametrize("trigger", ["A35", "A41"])
def test_accounts_of_a_patient_are_merged(trigger: str, ris: Ris) -> None:
    accept(ris, adt("A01", account_pid("M1", "ACC1"), pv1("V1")), adt("A01", account_pid("M1", "ACC2"), pv1("V2")))
    accept(ris, adt(trigger, account_pid("M1", "ACC1"), mrg("M1", account="ACC2")))
    assert rows(ris, "SELECT visit_number, account_key FROM visit ORDER BY visit_number") == [("V1", "HOSP|ACC1"), ("V2", "HOSP|ACC1")]


def test_a_merge_of_patient_and_account_does_both(ris: Ris) -> None:
    accept(ris, adt("A01", account_pid("M1", "ACC1"), pv1("V1")), adt("A01", account_pid("M2", "ACC2"), pv1("V2")))
    accept(ris, adt("A36", account_pid("M1", "ACC1"), mrg("M2", account="ACC2")))
    with ris.read() as session:
        assert patient_of(session, "M2").id == patient_of(session, "M1").id
    assert rows(ris, "SELECT DISTINCT account_key FROM visit") == [("HOSP|ACC1",)]


def test_a_visit_that_has_no_number_but_its_accounts_is_merged_with_it(ris: Ris) -> None:
    accept(ris, adt("A01", account_pid("M1", "ACC1"), pv1()), adt("A01", account_pid("M1", "ACC2"), pv1()))
    accept(
        ris,
        adt("A41", account_pid("M1", "ACC1"), mrg("M1", account="ACC2")),
        adt("A41", account_pid("M1", "ACC3"), mrg("M1", account="ACC1")),
    )
    with ris.read() as session:
        (kept,) = session.scalars(sa.select(Visit).where(Visit.merged_into_id.is_(None)))
        assert (kept.key, kept.visit_number) == ("HOSP|ACC3", "ACC3")


def test_visits_are_merged_and_the_old_number_leads_to_the_survivor(ris: Ris) -> None:
    accept(ris, adt("A01", pid("M1"), pv1("V1")), adt("A01", pid("M1"), pv1("V2")), ordered("P2", "V2", "M1"))
    merged = adt("A42", pid("M1", "", "", ""), mrg("M1", visit="V2"), pv1("V1"))
    accept(ris, merged)
    accept(ris, adt("A42", pid("M1", "", "", ""), mrg("M1", visit="V2"), pv1("V1")))
    accept(ris, adt("A02", pid("M1"), pv1("V2", "I", "WARD^9")))
    with ris.read() as session:
        survivor = visit_of(session, "V1")
        assert (survivor.location, order_of(session, "P2").visit_id) == ("WARD 9", survivor.id)
    assert ask(ris, adt("A42", pid("M1", "", "", ""), mrg("M1", visit="V1"), pv1("V2"))) == [("AE", "205", "MRG^1^5")]
    assert ask(ris, adt("A42", pid("M1", "", "", ""), mrg("M1", visit="V1"), pv1("V1"))) == [("AE", "205", "MRG^1^5")]


# ── identifiers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_identifier_is_moved_to_the_patient_that_it_belongs_to(ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1")), adt("A04", pid("M2~S9^^^NATION^NI", "Brook^Ida")))
    move = (pid("M1~S9^^^NATION^NI", "", "", ""), "MRG|S9^^^NATION^NI")
    accept(ris, adt("A43", *move), adt("A43", *move))
    assert rows(ris, "SELECT count(DISTINCT patient_id) FROM patient_identifier WHERE value IN ('M1', 'S9')") == [(1,)]
    assert ask(ris, adt("A43", pid("M1", "", "", ""), "MRG|M2^^^HOSP^MR")) == [("AE", "207", "MRG^1^1")]
    assert ask(ris, adt("A43", pid("M1", "", "", ""), "MRG|M8^^^HOSP^MR")) == [("AE", "204", "MRG^1^1")]


def test_a_changed_identifier_replaces_the_old_which_still_finds_the_patient(ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1", "Meadow^Anna")))
    change = (pid("M5", "", "", ""), mrg("M1"))
    accept(ris, adt("A47", *change), adt("A47", *change))
    with ris.read() as session:
        assert patient_of(session, "M5").id == patient_of(session, "M1").id
    assert rows(ris, "SELECT value, merged FROM patient_identifier ORDER BY value") in (
        [("M1", True), ("M5", False)],
        [("M1", 1), ("M5", 0)],
    )
    accept(ris, adt("A04", pid("M7", "Brook^Ida")))
    assert ask(ris, adt("A47", pid("M7", "", "", ""), mrg("M5"))) == [("AE", "205", "PID^1^3")]


def test_an_order_that_comes_with_a_moved_visit_is_the_survivors(ris: Ris) -> None:
    two_visits(ris)
    accept(ris, adt("A45", pid("M1", "", "", ""), mrg("M2", visit="V2"), pv1("V2")), ordered("P3", "V2", "M1"))
    with ris.read() as session:
        assert {order.patient_id for order in session.scalars(sa.select(Order))} == {patient_of(session, "M1").id}
