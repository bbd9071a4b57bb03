"""The list of missing data in Chromium: a weight is entered in the row, and a laboratory's result takes another away by itself."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from ris.base.ref import Coded
from ris.bootstrap import Ris
from ris.catalog.model import Procedure
from ris.order import service as orders
from ris.patient import clinical
from ris.patient.clinical import ObservationData
from ris.patient.model import ObservationKind
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.service import RuleData
from tests.browser.desk import House, log_in, served, shoot
from tests.chromium import axe, page_problems
from tests.factories.hospital import build_hospital
from tests.factories.orders import make_order, make_patient


@pytest.fixture
def house(ris: Ris) -> Iterator[tuple[House, int]]:
    hospital = build_hospital(ris)
    with ris.uow(hospital.actor("scheduler")) as uow:
        rules.add(uow, RuleData("Kidneys", "renal", "warn", "", {"exams": "CTCHESTC", "lowest": "30", "days": "90"}))
        for what in ("weight", "coverage", "reason"):
            rules.add(uow, RuleData(what, "data", "warn", "", {"exams": "CT", "what": what, "days": "365", "asked": "no"}))
        uow.session.get_one(Procedure, hospital.procedures["XRHAND"]).sided = True
        patient = make_patient(uow, "Meadow", "Anna", "MRN-1", phone="217 555 0101")
        order = make_order(uow, hospital, "CTCHESTC", "XRHAND", patient=patient)
        orders.add_procedure(uow, order, orders.ProcedureRequest(Coded("71260", "CT CHEST W", "C4"), None))
        patient_id = patient.id
    with served(ris) as address:
        yield House(address, ris, hospital), patient_id


def test_missing_data_is_entered_and_arrives(house: tuple[House, int], page: Page, request: pytest.FixtureRequest) -> None:
    served_house, patient_id = house
    problems = page_problems(page)
    scheme = request.node.callspec.params["page"]
    log_in(page, served_house.address, "front_desk", "/missing")
    expect(page.get_by_role("row", name="Creatinine or eGFR missing")).to_contain_text("1")
    assert axe(page) == []
    shoot(page, f"missing_{scheme}")
    page.get_by_label("Weight in kg").fill("71.5")
    page.get_by_label("Weight in kg").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("It is entered")
    expect(page.get_by_text("Weight missing")).to_have_count(1)  # the filter's choice alone
    page.get_by_label("Creatinine for").fill("1")
    with served_house.ris.uow() as uow:
        result = ObservationData(ObservationKind.egfr, "71", "mL/min/1.73m2", served_house.ris.clock() - timedelta(days=1), "F")
        clinical.observe(uow, patient_id, served_house.hospital.partner_id, [result])
    expect(page.get_by_role("row", name="Creatinine or eGFR missing")).to_have_count(0, timeout=8000)
    expect(page.locator("[data-live-count]")).to_have_text("4")
    assert axe(page) == []
    assert problems == []
