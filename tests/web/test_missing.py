"""The list of missing data: a row comes with what is lacking and goes when the fact arrives, by HL7 or at the desk; on both engines."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from ris.base.ref import Coded
from ris.base.uow import Actor
from ris.bootstrap import Ris
from ris.catalog.model import Procedure
from ris.catalog.service import map_code
from ris.order import service as orders
from ris.order.model import Order
from ris.patient import clinical, coverage
from ris.patient.clinical import ObservationData
from ris.patient.coverage import CoverageData
from ris.patient.model import Answer, ObservationKind, Patient, Question, Sex
from ris.patient.screening import Said, screen
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.check import findings
from ris.scheduling.rules.missing import Lack, lacking
from ris.scheduling.rules.service import RuleData
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, make_order, make_patient
from tests.web.visitor import NOW, Visitor, trail

LIMITS = {"days": "90", "age_from": "12", "age_to": "55", "lowest": "30"}
RULES = (
    ("pregnancy", {"exams": "CT", **LIMITS}), ("renal", {"exams": "CTCHESTC", **LIMITS}),
    *(("data", {"exams": "CT", "what": what, "days": "365", "asked": "no"}) for what in ("reason", "telephone", "weight", "coverage")),
)  # fmt: skip
EVERYTHING = {Lack.side, Lack.reason, Lack.telephone, Lack.weight, Lack.kidneys, Lack.pregnancy, Lack.coverage}


@pytest.fixture
def order(ris: Ris, hospital: Hospital) -> Order:
    """A CT of the chest that lacks everything but a known code, and one of a man that is not looked at."""
    with ris.uow(hospital.actor("scheduler")) as uow:
        for number, (kind, parameters) in enumerate(RULES):
            rules.add(uow, RuleData(f"Rule {number}", kind, "warn", "", parameters))
        uow.session.get_one(Procedure, hospital.procedures["CTCHESTC"]).sided = True
        man = make_patient(uow)
        man.sex = Sex.male
        make_order(uow, hospital, "USABD", patient=man, site="WEST")
        made = make_order(uow, hospital, "CTCHESTC", patient=make_patient(uow, born=date(1990, 5, 17)))
        uow.session.flush()
        made.placed_at = NOW - timedelta(days=3)
        return made


@pytest.fixture
def clerk(visitor: Callable[[], Visitor], hospital: Hospital) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["front_desk"])
    return someone


def missing(ris: Ris, hospital: Hospital) -> set[Lack]:
    with ris.read() as session:
        found = lacking(session, list(hospital.sites.values()), NOW)
    assert all(one.count == len(one.rows) == 1 for one in found)
    return {one.lack for one in found}


@pytest.mark.parametrize("engine_name", ["sqlite", "postgresql"])
def test_each_fact_that_arrives_takes_its_row_away(ris: Ris, hospital: Hospital, order: Order) -> None:
    assert missing(ris, hospital) == EVERYTHING
    gone: dict[Lack, Callable[..., object]] = {
        Lack.kidneys: lambda uow: clinical.observe(
            uow, order.patient_id, hospital.partner_id, [ObservationData(ObservationKind.egfr, "71", "mL/min/1.73m2", NOW, "F")]
        ),
        Lack.weight: lambda uow: clinical.measure(uow, order.patient_id, ObservationKind.weight, "71,5", "kg"),
        Lack.pregnancy: lambda uow: screen(uow, order.patient_id, [Said(Question.pregnancy, Answer.no)]),
        Lack.coverage: lambda uow: coverage.save_coverage(uow, order.patient_id, CoverageData("First Mutual")),
        Lack.reason: lambda uow: setattr(orders.get(uow, order.id), "reason", "cough"),
    }
    left = set(EVERYTHING)
    for lack, arrives in gone.items():
        with ris.uow() as uow:
            arrives(uow)
        left.discard(lack)
        assert missing(ris, hospital) == left
    with ris.uow() as uow:
        orders.cancel(uow, order.id, "not needed")
    assert missing(ris, hospital) == set(), "an order that has ended lacks nothing"


@pytest.mark.parametrize("engine_name", ["sqlite", "postgresql"])
def test_what_is_old_or_withdrawn_or_not_known_does_not_count(ris: Ris, hospital: Hospital, order: Order) -> None:
    old, now = NOW - timedelta(days=91), NOW
    said = [
        ObservationData(ObservationKind.egfr, "71", "mL/min/1.73m2", old, "F"),
        ObservationData(ObservationKind.creatinine, "0.9", "mg/dL", now, "W"),
        ObservationData(ObservationKind.pregnancy, "Unknown", "", now, "F"),
        ObservationData(ObservationKind.weight, "71", "kg", NOW - timedelta(days=366), "F"),
    ]
    with ris.uow() as uow:
        clinical.observe(uow, order.patient_id, hospital.partner_id, said)
        coverage.save_coverage(uow, order.patient_id, CoverageData("First Mutual", valid_to=(NOW - timedelta(days=1)).date()))
    assert missing(ris, hospital) == EVERYTHING
    with ris.uow() as uow:
        uow.session.get_one(Patient, order.patient_id).sex = Sex.male
    assert missing(ris, hospital) == EVERYTHING - {Lack.pregnancy}


def test_the_desk_enters_what_it_finds_out_on_the_list_itself(ris: Ris, hospital: Hospital, clerk: Visitor, order: Order) -> None:
    page = clerk.get("/missing").text
    for shown in ("Weight missing", "Nobody known who pays", "3 d 0 h", "Grove, Oscar"):
        assert shown in page
    exam = order.procedures[0].id
    for what, value, extra in (
        ("side", "R", {}), ("reason", "cough", {}), ("telephone", "217 555 0101", {}), ("weight", "71.5", {}),
        ("kidneys", "88", {"unit": "umol/L"}),
    ):  # fmt: skip
        assert clerk.post(f"/missing/{exam}/{what}", value="", **extra).status_code in (422, 400)
        assert clerk.post(f"/missing/{exam}/{what}", value=value, **extra).status_code == 303, what
    again = clerk.post(f"/missing/{exam}/weight", value="72")
    assert (again.status_code, "was faster" in again.text) == (409, True)
    assert "not entered on the list" in clerk.post(f"/missing/{exam}/coverage", value="x").text
    assert missing(ris, hospital) == {Lack.pregnancy, Lack.coverage}
    with ris.read() as session:
        now = session.get_one(Order, order.id)
        assert (now.reason, now.callback, now.procedures[0].laterality) == ("cough", "217 555 0101", "R")
        assert now.procedures[0].changed_at is None, "a side where none was said is no other exam"
    assert trail(ris, what="patient.observed")[0].actor_id == hospital.users["front_desk"]
    only = clerk.get("/missing?lack=coverage").text
    assert ("Nobody known who pays" in only, f"x-pregnancy-{exam}" in only) == (True, False)
    assert "Nothing that fits the filter" in clerk.get("/missing?q=nobody").text


def test_an_unmapped_code_stands_first_and_goes_when_it_is_mapped(ris: Ris, hospital: Hospital, clerk: Visitor) -> None:
    with ris.uow(Actor("partner", hospital.partner_id, "EHR")) as uow:
        order = make_order(uow, hospital, "CTHEAD")
        unknown = orders.ProcedureRequest(Coded("XYZ", "Some scan", "L"), None)
        orders.add_procedure(uow, order, unknown)
    shown = clerk.get("/missing").text
    assert "XYZ Some scan" in shown
    assert f"/orders/{order.id}/revise" in shown
    assert "Map the code" not in shown, "that is for those who manage interfaces"
    with ris.uow() as uow:
        map_code(uow, partner_id=hospital.partner_id, kind="procedure", their_code="XYZ", our_code="MRBRAIN")
    assert "No order lacks anything." in clerk.get("/missing").text


def test_a_rule_asks_for_it_at_the_booking_too_where_it_says_so(ris: Ris, hospital: Hospital, order: Order) -> None:
    exam = order.procedures[0].id

    def found() -> set[str]:
        with ris.read() as session:
            spot = {"room_id": hospital.rooms["CT1"], "starts_at": MONDAY, "ends_at": MONDAY + timedelta(minutes=30)}
            return {f.text for f in findings(session, NOW, procedure_id=exam, site_id=order.site_id, **spot)}

    quiet = found()
    with ris.uow() as uow:
        for what in ("reason", "telephone", "weight", "coverage"):
            parameters = {"exams": "CT", "what": what, "days": "365", "asked": "yes"}
            rules.add(uow, RuleData(f"{what} at the booking", "data", "warn", "", parameters))
    assert found() - quiet == {
        "The order names no reason", "Nobody knows under which number the orderer is reached", "The weight of the patient is not known",
        "Nobody is known who pays",
    }  # fmt: skip
