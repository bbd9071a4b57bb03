"""Order controls beyond placing, changing and cancelling; OMG and OMI; what an order says of its patient's body."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from ris.base.errors import NotAllowedNow
from ris.bootstrap import Ris
from ris.exam import service as exam
from ris.order.model import Order
from ris.order.status import OrderStatus, Priority, ProcedureStatus
from ris.patient import queries as patients
from ris.patient.model import Observation
from ris.scheduling import service as scheduling
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, make_order, make_patient
from tests.hl7.asking import accept, ask, counts, order_of, patient_of, rows, tasks
from tests.messages.samples import cancel, message, msh, obr, orc, order, orm, pid, pv1

pytestmark = pytest.mark.usefixtures("hospital")


def control(code: str, placer: str = "P1^EHR", **fields: str) -> bytes:
    return orm(pid(), orc(code, placer, **fields))


def book(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("scheduler")) as uow:
        procedure = order_of(uow.session).procedures[0]
        scheduling.book(uow, procedure_id=procedure.id, room_id=hospital.rooms["CT1"], starts_at=MONDAY)


def start(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("technologist")) as uow:
        exam.start(uow, procedure_id=order_of(uow.session).procedures[0].id)


# ── hold and release ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_order_on_hold_is_not_booked_until_it_is_released(ris: Ris, hospital: Hospital) -> None:
    accept(ris, order(), control("HD", f16="^waiting for the lab"))
    with ris.read() as session:
        assert order_of(session).held_reason == "waiting for the lab"
    with pytest.raises(NotAllowedNow, match="on hold"):
        book(ris, hospital)
    accept(ris, control("RL"))
    book(ris, hospital)
    assert tasks(ris) == []


def test_a_hold_of_a_booked_order_keeps_the_appointment_stops_the_exam_and_raises_a_task(ris: Ris, hospital: Hospital) -> None:
    accept(ris, order())
    book(ris, hospital)
    accept(ris, control("HD"), control("HD"))
    with pytest.raises(NotAllowedNow, match="on hold"):
        start(ris, hospital)
    assert tasks(ris) == [("order_held", "open")]
    accept(ris, control("RL"))
    assert tasks(ris) == [("order_held", "obsolete")]
    start(ris, hospital)


def test_a_hold_that_comes_after_the_start_is_refused(ris: Ris, hospital: Hospital) -> None:
    accept(ris, order())
    book(ris, hospital)
    start(ris, hospital)
    assert ask(ris, control("HD")) == [("AE", "207", "ORC^1^1")]
    with ris.read() as session:
        assert order_of(session).held_at is None


@pytest.mark.parametrize("code", ["HD", "RL"])
def test_a_cancelled_order_is_neither_held_nor_released(code: str, ris: Ris) -> None:
    accept(ris, order(), cancel())
    assert ask(ris, control(code)) == [("AE", "207", "ORC^1^1")]


# ── numbers, statuses, replacements, parents ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", ["SN", "RO", "CH"])
def test_other_controls_that_bring_a_new_order_place_it(code: str, ris: Ris) -> None:
    accept(ris, order(control=code))
    assert counts(ris)["imaging_order"] == 1


def test_a_number_that_the_placer_assigns_to_our_own_order_leads_to_it(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("scheduler")) as uow:
        ours = make_order(uow, hospital, patient=make_patient(uow, mrn="M1"), placer=False).filler_number
    accept(ris, control("NA", "P77^EHR", f3=f"{ours}^RIS"), control("NA", "P77^EHR", f3=f"{ours}^RIS"), cancel("P77^EHR"))
    with ris.read() as session:
        assert (order_of(session, "P77").filler_number, order_of(session, "P77").status) == (ours, OrderStatus.cancelled)
    assert ask(ris, control("NA", "P78^EHR", f3=f"{ours}^RIS")) == [("AE", "205", "ORC^1^2")]


def test_a_number_for_an_order_that_is_not_ours_is_refused_at_its_place(ris: Ris) -> None:
    assert ask(ris, control("NA", "P77^EHR", f3="F99^RIS")) == [("AE", "204", "ORC^1^3")]


def test_a_status_told_by_another_system_stands_in_the_trail_and_changes_nothing(ris: Ris) -> None:
    accept(ris, order(), control("SC", f5="CM"))
    with ris.read() as session:
        assert order_of(session).status is OrderStatus.scheduled
    assert rows(ris, "SELECT count(*) FROM event WHERE name = 'order.status_told'") == [(1,)]


def test_a_status_of_cancelled_cancels_and_one_of_held_holds(ris: Ris) -> None:
    accept(ris, order(), order("P2^EHR"), control("SC", f5="CA"), control("SC", "P2^EHR", f5="HD"))
    with ris.read() as session:
        assert order_of(session).status is OrderStatus.cancelled
        assert order_of(session, "P2").held_at is not None


@pytest.mark.parametrize("code", ["SC", "HD", "RL"])
def test_what_needs_an_order_is_refused_without_one(code: str, ris: Ris) -> None:
    assert ask(ris, control(code, "P9^EHR")) == [("AE", "204", "ORC^1^2")]


def test_a_replacement_cancels_the_replaced_order_and_places_the_new_one(ris: Ris) -> None:
    accept(ris, order())
    accept(ris, orm(pid(), orc("RP", "P1^EHR", f16="^MR is better"), orc("RO", "P2^EHR"), obr("P2^EHR", "MRBRAIN^MR brain^L")))
    with ris.read() as session:
        assert order_of(session).status is OrderStatus.cancelled
        assert order_of(session).procedures[0].ended_reason == "MR is better"
        assert order_of(session, "P2").procedures[0].partner_code == "MRBRAIN"


def test_a_replacement_under_the_same_number_changes_what_is_asked_for(ris: Ris) -> None:
    accept(ris, order(), order(code="MRBRAIN^MR brain^L", control="RP"))
    with ris.read() as session:
        assert [p.partner_code for p in order_of(session).procedures] == ["MRBRAIN"]


def test_children_of_a_parent_are_orders_of_their_own_that_name_it(ris: Ris) -> None:
    family = orm(
        pid(), orc("PA", "P1^EHR"),
        orc("CH", "P2^EHR", f8="P1&EHR"), obr("P2^EHR"),
        orc("CH", "P3^EHR", f8="P1&EHR"), obr("P3^EHR", "MRBRAIN^MR brain^L"),
    )  # fmt: skip
    accept(ris, family)
    with ris.read() as session:
        assert [(o.placer_number, o.parent_number) for o in session.scalars(sa.select(Order).order_by(Order.placer_number))] == [
            ("P2", "P1"), ("P3", "P1"),
        ]  # fmt: skip


def test_two_groups_with_one_new_number_are_one_order(ris: Ris) -> None:
    both = (orc("NW", "P1^EHR"), obr("P1^EHR"), "ZDS|1.2.3", orc("NW", "P1^EHR"), obr("P1^EHR", "MRBRAIN^MR brain^L"), "ZDS|1.2.4")
    accept(ris, orm(pid(), *both), orm(pid(), *both))
    with ris.read() as session:
        assert [(p.partner_code, p.study_instance_uid) for p in order_of(session).procedures] == [("CTHEAD", "1.2.3"), ("MRBRAIN", "1.2.4")]
    assert counts(ris)["imaging_order"] == 1


# ── OMG and OMI ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_omg_places_and_cancels(ris: Ris) -> None:
    omg = msh("OMG^O19^OMG_O19")
    accept(ris, message(omg, pid(), orc("NW", "P1^EHR"), "TQ1|1||||||20261126093000||S", obr("P1^EHR")))
    with ris.read() as session:
        placed = order_of(session)
        assert (placed.priority, placed.requested_at) == (Priority.stat, datetime(2026, 11, 26, 14, 30, tzinfo=UTC))
    accept(ris, message(msh("OMG^O19^OMG_O19"), pid(), orc("CA", "P1^EHR")))
    with ris.read() as session:
        assert order_of(session).status is OrderStatus.cancelled


def test_an_omi_brings_accession_and_study_uid_of_each_procedure_in_ipc(ris: Ris) -> None:
    accept(
        ris,
        message(
            msh("OMI^O23^OMI_O23"), pid(), orc("NW", "P1^EHR"), "TQ1|1||||||20261126093000||A",
            obr("P1^EHR"), "IPC|ACC1^EHR|RP1|1.2.3.1|SPS1|CT", "IPC|ACC1^EHR|RP1|1.2.3.1|SPS2|CT",
            obr("P1^EHR", "MRBRAIN^MR brain^L"), "IPC|ACC2^EHR|RP2|1.2.3.2|SPS3|MR",
        ),
    )  # fmt: skip
    with ris.read() as session:
        placed = order_of(session)
        assert placed.priority is Priority.asap
        assert [(p.foreign_accession, p.study_instance_uid) for p in placed.procedures] == [("ACC1", "1.2.3.1"), ("ACC2", "1.2.3.2")]


# ── the patient's body ───────────────────────────────────────────────────────────────────────────────────────────────


def full(*segments: str) -> bytes:
    return orm(pid(), *segments, orc("NW", "P1^EHR"), obr("P1^EHR", f28="77^Stone^Ada~78^Lake^Ben"))


def test_allergies_needs_and_copies_are_kept_with_the_order(ris: Ris) -> None:
    fields = pv1("V1").split("|")
    fields[15] = "B6~A2"
    accept(ris, full("|".join(fields), "AL1|1|DA|C1^Iodinated contrast^L|SV|Hives~Wheeze", "AL1|2|FA|^Shellfish|MI"))
    with ris.read() as session:
        placed = order_of(session)
        assert placed.copies_to == "77 Stone, Ada\n78 Lake, Ben"
        told = patients.allergies(session, placed.patient_id)
        assert [(a.kind, a.text, a.severity, a.reaction) for a in told] == [
            ("DA", "Iodinated contrast", "SV", "Hives, Wheeze"), ("FA", "Shellfish", "MI", ""),
        ]  # fmt: skip
    assert rows(ris, "SELECT ambulatory_status FROM visit") == [("B6 A2",)]


def test_the_next_list_of_allergies_replaces_the_last_and_null_empties_it(ris: Ris) -> None:
    accept(ris, full("AL1|1|DA|C1^Contrast", "AL1|2|FA|^Shellfish"), full("AL1|1|DA|C1^Contrast"))
    assert rows(ris, "SELECT text FROM allergy") == [("Contrast",)]
    before = counts(ris, "message", "message_link")
    accept(ris, full("AL1|1|DA|C1^Contrast"), full())
    assert counts(ris, "message", "message_link") == before
    accept(ris, full('AL1|1||""'))
    assert rows(ris, "SELECT text FROM allergy") == []


def test_weight_height_and_pregnancy_are_kept_once_and_corrected_in_place(ris: Ris) -> None:
    body = (
        "OBX|1|NM|29463-7^Body weight^LN||72|kg|||||F|||20261101080000",
        "OBX|2|NM|^Body Height||1.71|m|||||F|||20261101080000",
        "OBX|3|CE|82810-3^Pregnancy status^LN||N^Not pregnant^L||||||F|||20261101080000",
        "OBX|4|NM|8867-4^Heart rate^LN||70|/min|||||F",
    )
    accept(ris, orm(pid(), orc("NW", "P1^EHR"), obr("P1^EHR"), *body), orm(pid(), orc("XO", "P1^EHR"), obr("P1^EHR"), *body))
    assert rows(ris, "SELECT kind, value, unit FROM observation ORDER BY kind") == [
        ("height", "1.71", "m"), ("pregnancy", "Not pregnant", ""), ("weight", "72", "kg"),
    ]  # fmt: skip
    accept(ris, orm(pid(), orc("XO", "P1^EHR"), obr("P1^EHR"), body[0].replace("|72|", "|75|").replace("|F|", "|C|")))
    with ris.read() as session:
        (weight,) = session.scalars(sa.select(Observation).where(Observation.kind == "weight"))
        assert (weight.value, weight.status, weight.observed_at) == ("75", "C", datetime(2026, 11, 1, 13, tzinfo=UTC))


def test_findings_and_allergies_follow_the_survivor_of_a_merge(ris: Ris) -> None:
    accept(ris, full("AL1|1|DA|C1^Contrast"), orm(pid(), orc("XO", "P1^EHR"), obr("P1^EHR"), "OBX|1|NM|2160-0^Creatinine^LN||1.1|mg/dL"))
    accept(ris, message(msh("ADT^A40^ADT_A39"), pid("M2", "Brook^Ida"), "MRG|M1^^^HOSP^MR"))
    with ris.read() as session:
        survivor = patient_of(session, "M2").id
        assert [a.text for a in patients.allergies(session, survivor)] == ["Contrast"]
        assert [o.value for o in patients.observations(session, survivor)] == ["1.1"]


def test_an_order_control_that_nobody_takes_changes_nothing(ris: Ris) -> None:
    accept(ris, order())
    before = counts(ris, "message", "message_link")
    assert ask(ris, control("PR")) == [("AE", "103", "ORC^1^1")]
    assert counts(ris, "message", "message_link") == before
    with ris.read() as session:
        assert order_of(session).procedures[0].status is ProcedureStatus.ordered
