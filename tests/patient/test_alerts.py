"""Alerts of patients: said once, ended and put back, in one query for a list, and moved by a merge; on both engines."""

from datetime import UTC, datetime

import pytest

from ris.base.clock import utc_now
from ris.base.errors import Invalid, NotFound
from ris.bootstrap import Ris
from ris.patient import alerts, clinical
from ris.patient import service as patients
from ris.patient.clinical import AllergyData
from ris.patient.model import AlertKind, Patient
from tests.factories.hospital import Hospital
from tests.factories.orders import make_patient

K = AlertKind
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def patient(ris: Ris) -> Patient:
    with ris.uow() as uow:
        return make_patient(uow)


def say(ris: Ris, patient_id: int, *said: tuple[AlertKind, str]) -> list[int]:
    with ris.uow() as uow:
        return [alerts.raise_alert(uow, patient_id, kind, text).id for kind, text in said]


def shown(ris: Ris, *patient_ids: int) -> dict[int, list[tuple[str, str]]]:
    with ris.read() as session:
        found = alerts.of_patients(session, patient_ids, utc_now())
    return {patient_id: [(alert.label, alert.text) for alert in its] for patient_id, its in found.items()}


def test_allergies_stand_first_and_each_kind_is_one_badge(ris: Ris, hospital: Hospital, patient: Patient) -> None:
    say(ris, patient.id, (K.vip, ""), (K.isolation, "MRSA"), (K.isolation, "airborne"), (K.language, "Spanish"))
    with ris.uow() as uow:
        clinical.replace_allergies(uow, patient.id, hospital.partner_id, [AllergyData("DA", "I", "iodine", "SV", "")])
        other = make_patient(uow)
    assert shown(ris, patient.id, other.id) == {
        patient.id: [("Allergy", "iodine"), ("Language", "Spanish"), ("Isolation", "MRSA, airborne"), ("VIP", "")]
    }
    assert shown(ris) == {}


def test_the_same_alert_is_said_once(ris: Ris, patient: Patient) -> None:
    first, again = say(ris, patient.id, (K.isolation, "MRSA"), (K.isolation, " MRSA "))
    assert first == again


@pytest.mark.parametrize(("kind", "text"), [(K.isolation, " "), (K.other, "x" * 121)])
def test_an_alert_about_nothing_or_too_much_is_refused(ris: Ris, patient: Patient, kind: AlertKind, text: str) -> None:
    with ris.uow() as uow, pytest.raises(Invalid):
        alerts.raise_alert(uow, patient.id, kind, text)


def test_an_ended_alert_is_shown_nowhere_and_can_be_put_back(ris: Ris, patient: Patient) -> None:
    (alert_id,) = say(ris, patient.id, (K.fall_risk, "walks unsafely"))
    with ris.uow() as uow:
        alerts.end_alert(uow, patient.id, alert_id)
    assert shown(ris, patient.id) == {}
    with ris.read() as session:
        assert [row.alert_id for row in alerts.raised(session, patient.id, utc_now(), LONG_AGO)] == [alert_id]
    with ris.uow() as uow:
        alerts.restore_alert(uow, patient.id, alert_id)
    assert shown(ris, patient.id) == {patient.id: [("Fall risk", "walks unsafely")]}
    with ris.uow() as uow, pytest.raises(NotFound):
        alerts.end_alert(uow, patient.id + 1, alert_id)


def test_a_merge_brings_the_alerts_along_and_its_undoing_back(ris: Ris, patient: Patient) -> None:
    with ris.uow() as uow:
        survivor = make_patient(uow)
    say(ris, patient.id, (K.language, "Polish"))
    with ris.uow() as uow:
        merge = patients.merge(uow, survivor_id=survivor.id, loser_id=patient.id)
    assert list(shown(ris, patient.id, survivor.id)) == [survivor.id]
    with ris.uow() as uow:
        patients.unmerge(uow, merge.id)
    assert list(shown(ris, patient.id, survivor.id)) == [patient.id]
