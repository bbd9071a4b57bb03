"""Orders in: what each order control does, and what is refused with nothing changed."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.catalog import service as catalog
from ris.exam import service as exam
from ris.hl7.intake import Intake
from ris.order.model import Order, RequestedProcedure
from ris.order.status import OrderStatus, Priority, ProcedureStatus
from ris.scheduling import service as scheduling
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY
from tests.hl7.asking import AA, PLACE, accept, agree, ask, counts, order_of, outcome, patient_of, rows, tasks
from tests.messages.samples import adt, cancel, message, msh, obr, orc, order, orm, pid, pv1

pytestmark = pytest.mark.usefixtures("hospital")

JOURNAL = ("message", "message_link")


def test_a_new_order_holds_everything_that_the_sender_said(ris: Ris, hospital: Hospital) -> None:
    accept(
        ris,
        orm(
            pid("M1", "Meadow^Anna"),
            pv1("V1"),
            orc("NW", "P1^EHR", f7="^^^202611251000^^S", f9="20261124090000", f14="555-0199"),
            obr("P1^EHR", f12="Falls", f13="Since Monday", f16="1234^Grove^Oscar", f18="X77", f30="WHLC", f31="^Headache"),
            "NTE|1||Bring old films",
            "DG1|1||R51^Headache^I10",
            "ZDS|1.2.3.4^EHR^Application^DICOM",
        ),
    )
    with ris.read() as session:
        order = order_of(session)
        assert (order.placer_number, order.placer_namespace, order.partner_id) == ("P1", "EHR", hospital.partner_id)
        assert (order.status, order.priority) == (OrderStatus.scheduled, Priority.stat)
        assert order.requested_at == datetime(2026, 11, 25, 15, tzinfo=UTC)
        assert order.placed_at == datetime(2026, 11, 24, 14, tzinfo=UTC)
        assert (order.orderer_number, order.orderer_name, order.callback) == ("1234", "Grove, Oscar", "555-0199")
        assert (order.reason, order.danger, order.transport) == ("Headache", "Falls", "WHLC")
        assert order.clinical_information == "Since Monday\nBring old films"
        assert order.diagnosis == "R51 Headache"
        assert order.patient_id == patient_of(session, "M1").id
        assert order.visit_id is not None
        (procedure,) = order.procedures
        assert procedure.procedure_id == hospital.procedures["CTHEAD"]
        assert (procedure.foreign_accession, procedure.study_instance_uid) == ("X77", "1.2.3.4")
        assert 0 < len(procedure.accession_number) <= 16


@pytest.mark.parametrize(
    ("said", "priority"),
    [("S", Priority.stat), ("A", Priority.asap), ("STAT", Priority.stat), ("TM5", Priority.timing_critical), ("X", Priority.routine)],
)
def test_priorities_are_read_by_their_first_letter(said: str, priority: Priority, ris: Ris) -> None:
    accept(ris, orm(pid(), orc("NW", "P1^EHR"), f"TQ1|1||||||||{said}", obr("P1^EHR")))
    with ris.read() as session:
        assert order_of(session).priority is priority


def test_an_order_changes_no_demographics_unless_the_partner_owns_them(ris: Ris, hospital: Hospital) -> None:
    accept(ris, adt("A04", pid("M1", "Meadow^Anna")), orm(pid("M1", "Brook^Ida"), orc("NW", "P1^EHR"), obr("P1^EHR")))
    with ris.read() as session:
        assert patient_of(session, "M1").family == "Meadow"
    agree(ris, hospital, order_owns_demographics=True)
    accept(ris, orm(pid("M1", "Brook^Ida"), orc("NW", "P2^EHR"), obr("P2^EHR")))
    with ris.read() as session:
        assert patient_of(session, "M1").family == "Brook"


def test_an_order_number_again_changes_the_order_and_places_no_second(ris: Ris) -> None:
    accept(ris, order("P1^EHR"), orm(pid(), orc("NW", "P1^EHR", f7="^^^^^S"), obr("P1^EHR")))
    with ris.read() as session:
        (changed,) = session.scalars(sa.select(Order)).all()
        assert changed.priority is Priority.stat
        assert len(changed.procedures) == 1


@pytest.mark.parametrize("control", ["XO", "", "NW"])
def test_every_control_that_may_place_places_an_unknown_order(control: str, ris: Ris) -> None:
    accept(ris, order("P1^EHR", control=control))
    assert counts(ris)["imaging_order"] == 1


@pytest.mark.parametrize("control", ["XO", ""])
def test_a_change_of_a_known_order_changes_what_it_says(control: str, ris: Ris, hospital: Hospital) -> None:
    accept(ris, order("P1^EHR", "CTHEAD^CT head^L"), order("P1^EHR", "MRBRAIN^MR brain^L", control=control))
    with ris.read() as session:
        (procedure,) = order_of(session).procedures
        assert procedure.procedure_id == hospital.procedures["MRBRAIN"]


def test_a_partner_may_agree_that_changes_of_unknown_orders_are_refused(ris: Ris, hospital: Hospital) -> None:
    agree(ris, hospital, change_of_unknown_order="refuse")
    assert ask(ris, order("P1^EHR", control="XO")) == [("AE", "204", "ORC^1^2")]


def test_an_order_and_its_cancellation_in_one_group_are_both_applied(ris: Ris) -> None:
    answers = Intake(ris).take([(one, PLACE) for one in (order(), cancel(), order("P2^EHR"), orm(pid(), orc("HD", "P2^EHR")))])
    assert [outcome(answer) for answer in answers] == [AA] * 4
    with ris.read() as session:
        assert order_of(session).status is OrderStatus.cancelled
        assert order_of(session, "P2").held_at is not None


@pytest.mark.parametrize("control", ["CA", "DC"])
def test_a_cancellation_cancels_every_procedure_with_its_reason(control: str, ris: Ris) -> None:
    accept(ris, orm(pid(), orc("NW", "P1^EHR"), obr("P1^EHR"), obr("P1^EHR", "MRBRAIN^MR brain^L")))
    accept(ris, orm(pid(), orc(control, "P1^EHR", f16="^patient declined")))
    with ris.read() as session:
        cancelled = order_of(session)
        assert cancelled.status is OrderStatus.cancelled
        assert [(p.status, p.ended_reason) for p in cancelled.procedures] == [(ProcedureStatus.cancelled, "patient declined")] * 2


def test_a_cancellation_again_is_accepted_and_changes_nothing(ris: Ris) -> None:
    accept(ris, order(), cancel())
    before = counts(ris, *JOURNAL)
    accept(ris, cancel())
    assert counts(ris, *JOURNAL) == before


def test_a_cancellation_of_an_unknown_order_is_refused(ris: Ris) -> None:
    assert ask(ris, cancel("P9^EHR")) == [("AE", "204", "ORC^1^2")]
    assert counts(ris)["patient"] == 0


def test_a_cancelled_order_takes_no_change(ris: Ris) -> None:
    accept(ris, order(), cancel())
    assert ask(ris, order(control="XO")) == [("AE", "207", "ORC^1^1")]


@pytest.mark.parametrize("visit", ["", "V9"], ids=["before any change", "after a visit was opened"])
def test_a_cancellation_after_the_start_is_refused_and_raises_a_task(visit: str, ris: Ris, hospital: Hospital) -> None:
    accept(ris, order())
    _start(ris, hospital)
    before = counts(ris, *JOURNAL, "task", "event", "audit_entry")
    late = orm(pid(), pv1(visit), orc("CA", "P1^EHR"))
    assert ask(ris, late) == [("AE", "207", "ORC^1^1")]
    assert counts(ris, *JOURNAL, "task", "event", "audit_entry") == before
    assert tasks(ris) == [("cancel_refused", "open")]
    with ris.read() as session:
        assert order_of(session).status is OrderStatus.in_progress


def _start(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("scheduler")) as uow:
        procedure = order_of(uow.session).procedures[0]
        scheduling.book(uow, procedure_id=procedure.id, room_id=hospital.rooms["CT1"], starts_at=MONDAY)
    with ris.uow(hospital.actor("technologist")) as uow:
        exam.start(uow, procedure_id=procedure.id)


def test_several_orders_in_one_message_are_placed_together(ris: Ris) -> None:
    accept(ris, orm(pid(), orc("NW", "P1^EHR"), obr("P1^EHR"), orc("NW", "P2^EHR"), obr("P2^EHR", "XRHAND^Hand^L")))
    assert rows(ris, "SELECT placer_number FROM imaging_order ORDER BY placer_number") == [("P1",), ("P2",)]


def test_one_bad_order_of_a_message_refuses_the_whole(ris: Ris) -> None:
    two = orm(pid(), orc("NW", "P1^EHR"), obr("P1^EHR"), orc("QQ", "P2^EHR"), obr("P2^EHR"))
    assert ask(ris, two) == [("AE", "103", "ORC^2^1")]
    assert counts(ris)["imaging_order"] == counts(ris)["patient"] == 0


def test_several_procedures_of_an_order_have_an_accession_number_each(ris: Ris) -> None:
    accept(ris, orm(pid(), orc("NW", "P1^EHR"), obr("P1^EHR"), obr("P1^EHR", "MRBRAIN^MR brain^L"), "ZDS|1.2.3.4"))
    with ris.read() as session:
        procedures = order_of(session).procedures
        assert [p.partner_code for p in procedures] == ["CTHEAD", "MRBRAIN"]
        assert len({p.accession_number for p in procedures}) == len({p.study_instance_uid for p in procedures}) == 2
        assert "1.2.3.4" not in {p.study_instance_uid for p in procedures}


def test_a_study_uid_that_another_study_has_is_not_taken_twice(ris: Ris) -> None:
    for placer in ("P1", "P2"):
        accept(ris, orm(pid(), orc("NW", f"{placer}^EHR"), obr(f"{placer}^EHR"), "ZDS|1.2.3.4"))
    with ris.read() as session:
        assert order_of(session, "P1").procedures[0].study_instance_uid == "1.2.3.4"
        assert order_of(session, "P2").procedures[0].study_instance_uid != "1.2.3.4"


def test_two_orders_of_one_group_that_bring_the_same_study_uid_are_both_placed(ris: Ris) -> None:
    both = [orm(pid(), orc("NW", f"{placer}^EHR"), obr(f"{placer}^EHR"), "ZDS|1.2.3.4") for placer in ("P1", "P2")]
    answers = Intake(ris).take([(one, PLACE) for one in both])
    assert [outcome(answer) for answer in answers] == [AA, AA]
    assert counts(ris)["imaging_order"] == 2


def test_an_order_without_orc_takes_its_number_from_obr(ris: Ris) -> None:
    accept(ris, orm(pid(), obr("P1^EHR")))
    with ris.read() as session:
        assert order_of(session).placer_namespace == "EHR"


def test_an_order_whose_orc_has_no_number_takes_it_from_obr(ris: Ris) -> None:
    accept(ris, orm(pid(), orc("NW", ""), obr("P1^EHR")))
    with ris.read() as session:
        assert order_of(session).placer_namespace == "EHR"


def test_a_sender_that_numbers_as_filler_alone_is_known_by_that(ris: Ris) -> None:
    accept(ris, orm(pid(), orc("NW", "", f3="F1^^1.2.840"), obr("")), orm(pid(), orc("NW", "", f3="F1^^1.2.840"), obr("", "MRBRAIN")))
    with ris.read() as session:
        known = order_of(session, "F1")
        assert known.placer_namespace == "1.2.840"
        assert [p.partner_code for p in known.procedures] == ["MRBRAIN"]
    assert counts(ris)["imaging_order"] == 1


def test_an_unknown_code_is_placed_with_a_task_and_mapping_it_resolves_every_exam(ris: Ris, hospital: Hospital) -> None:
    accept(ris, order("P1^EHR", "HEAD7^Skull^L"), order("P2^EHR", "HEAD7^Skull^L"))
    with ris.read() as session:
        procedure = order_of(session).procedures[0]
        assert (procedure.procedure_id, procedure.partner_code, procedure.partner_text) == (None, "HEAD7", "Skull")
    assert tasks(ris) == [("map_procedure", "open")] * 2
    with ris.uow(hospital.actor("administrator")) as uow:
        catalog.map_code(uow, partner_id=hospital.partner_id, kind="procedure", their_code="HEAD7", our_code="CTHEAD")
    with ris.read() as session:
        assert set(session.scalars(sa.select(RequestedProcedure.procedure_id))) == {hospital.procedures["CTHEAD"]}
    assert tasks(ris) == [("map_procedure", "obsolete")] * 2


def test_a_mapped_code_is_known_to_the_next_order(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("administrator")) as uow:
        catalog.map_code(uow, partner_id=hospital.partner_id, kind="procedure", their_code="HEAD7", our_code="CTHEAD")
    accept(ris, order("P1^EHR", "HEAD7^Skull^L"))
    with ris.read() as session:
        assert order_of(session).procedures[0].procedure_id == hospital.procedures["CTHEAD"]


def test_a_known_number_with_another_patient_is_refused_with_a_task_and_nothing_else_changes(ris: Ris) -> None:
    accept(ris, order("P1^EHR", mrn="M1"), adt("A04", pid("M2", "Brook^Ida")))
    before = counts(ris, *JOURNAL, "task", "event", "audit_entry")
    assert ask(ris, order("P1^EHR", mrn="M2"), order("P1^EHR", mrn="M3")) == [("AE", "205", "ORC^1^2")] * 2
    assert counts(ris, *JOURNAL, "task", "event", "audit_entry") == before
    assert tasks(ris) == [("order_conflict", "open")]


def test_a_visit_number_of_another_patient_costs_the_visit_and_not_the_order(ris: Ris) -> None:
    accept(ris, adt("A01", pid("M1"), pv1("V1")), orm(pid("M2", "Brook^Ida"), pv1("V1"), orc("NW", "P1^EHR"), obr("P1^EHR")))
    with ris.read() as session:
        assert order_of(session).visit_id is None
    assert tasks(ris) == [("visit_conflict", "open")]


def test_our_own_number_finds_the_order_where_the_placer_has_none(ris: Ris) -> None:
    accept(ris, order())
    with ris.read() as session:
        filler = order_of(session).filler_number
    accept(ris, orm(pid(), orc("CA", "", f3=filler)))
    with ris.read() as session:
        assert order_of(session).status is OrderStatus.cancelled


def test_an_order_without_any_number_is_refused_unless_agreed(ris: Ris, hospital: Hospital) -> None:
    assert ask(ris, order("")) == [("AE", "101", "ORC^1^2")]
    agree(ris, hospital, missing_placer_number="place")
    accept(ris, order(""))
    assert counts(ris)["imaging_order"] == 1


@pytest.mark.parametrize(
    ("segments", "refusal"),
    [
        (("PID|1||M1^^^HOSP^MR", "ORC|NW|P1^EHR"), ("AE", "100", "OBR^1")),
        (("PID|1||M1^^^HOSP^MR",), ("AE", "100", "ORC^1")),
        (("ORC|NW|P1^EHR", "OBR|1|P1^EHR||CTHEAD"), ("AE", "100", "PID^1")),
        (("PID|1||", "ORC|NW|P1^EHR", "OBR|1|P1^EHR||CTHEAD"), ("AE", "101", "PID^1^3")),
        (("PID|1||M1^^^HOSP^MR", "ORC|NW|P1^EHR", "OBR|1|P1^EHR||"), ("AE", "101", "OBR^1^4")),
        (("PID|1||M1^^^HOSP^MR", "ORC|ZZ|P1^EHR", "OBR|1|P1^EHR||CTHEAD"), ("AE", "103", "ORC^1^1")),
    ],
)
def test_what_cannot_be_an_order_is_refused_at_its_place_and_changes_nothing(
    segments: tuple[str, ...], refusal: tuple[str, str, str], ris: Ris
) -> None:
    before = counts(ris, *JOURNAL)
    assert ask(ris, message(msh("ORM^O01^ORM_O01"), *segments)) == [refusal]
    assert counts(ris, *JOURNAL) == before
