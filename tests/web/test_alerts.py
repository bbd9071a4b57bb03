"""Alerts on the pages: said on the patient's, seen wherever the patient stands."""

import re
from collections.abc import Callable

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.order.model import Order, RequestedProcedure
from ris.patient import alerts
from ris.patient.model import AlertKind, PatientIdentifier
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, booked, new_exam
from tests.hl7.asking import accept
from tests.messages.samples import adt, pid
from tests.web.visitor import Visitor, trail


def patient_of(ris: Ris, procedure: RequestedProcedure) -> int:
    with ris.read() as session:
        return session.get_one(Order, session.get_one(RequestedProcedure, procedure.id).order_id).patient_id


def test_an_alert_stands_on_every_row_and_banner_as_soon_as_it_is_said(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    exam, waiting = booked(ris, hospital, starts_at=MONDAY), new_exam(ris, hospital)
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    before = re.search(r'data-version="([0-9a-f]+)" data-count', clerk.get("/worklists/arrivals").text)
    page = f"/patients/{patient_of(ris, exam)}"
    refused = clerk.post(f"{page}/alerts", alert_kind="isolation", alert_text="")
    assert (refused.status_code, 'id="e-alert_text"' in refused.text) == (422, True)
    for of in (exam, waiting):
        assert clerk.post(f"/patients/{patient_of(ris, of)}/alerts", alert_kind="isolation", alert_text="MRSA").status_code == 303
    for path in ("/worklists/arrivals", f"{page}", f"/exams/{exam.id}"):
        assert re.search(r'alert-badge"[^>]*>.*Isolation.*MRSA', clerk.get(path).text), path
    assert before is not None
    assert "MRSA" in clerk.get(f"/worklists/arrivals?v={before[1]}", X_Poll="1").text, "open lists are told"
    day = clerk.get(f"/schedule/events?site={hospital.sites['MAIN']}&date=2026-11-30").get_json()
    assert [event["alerts"] for event in day["events"] if event["id"].isdigit()] == [["Isolation"]]
    assert "MRSA" in day["waiting"]
    assert trail(ris, what="patient.alert_raised")[0].detail == {"kind": "isolation"}
    version = re.search(r'data-version="([0-9a-f]+)" data-count', clerk.get("/worklists/arrivals").text)
    assert version is not None
    with ris.read() as session:
        number = session.scalars(sa.select(PatientIdentifier.value).filter_by(patient_id=patient_of(ris, exam))).one()
    accept(ris, adt("A08", f"{pid(number)}||es"))
    assert "Spanish" in clerk.get(f"/worklists/arrivals?v={version[1]}", X_Poll="1").text, "and of what a message says"
    assert re.search(r"Spanish.*EHR.*message, PID-15", clerk.get(page).text, re.DOTALL)


def test_an_alert_is_ended_and_put_back(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    patient_id = patient_of(ris, new_exam(ris, hospital))
    with ris.uow() as uow:
        alert_id = alerts.raise_alert(uow, patient_id, AlertKind.other, "Afraid of needles").id
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    page = f"/patients/{patient_id}"
    assert clerk.post(f"{page}/alerts/{alert_id}/end").status_code == 303
    shown = clerk.get(page).text
    assert "Put back" in shown
    assert 'alert-badge"' not in shown
    assert clerk.post(f"{page}/alerts/{alert_id}/restore").status_code == 303
    assert 'alert-badge"' in clerk.get(page).text
