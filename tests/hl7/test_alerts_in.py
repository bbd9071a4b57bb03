"""Alerts that follow from messages: language, VIP, precautions, dangers, beside what the desk says, on both engines."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from ris.base.clock import utc_now
from ris.bootstrap import Ris
from ris.catalog.service import map_code
from ris.patient import alerts
from ris.patient import service as patients
from ris.patient.model import AlertKind, Merge, PatientAlert
from ris.patient.service import PatientData, amend
from tests.factories.hospital import Hospital
from tests.hl7.asking import accept, counts, patient_of
from tests.messages.samples import adt, merge, obr, orc, orm, pid, pv1

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def person(language: str = "", **more: str) -> str:
    return pid(**more) + "||" + language if language else pid(**more)


def vip(code: str) -> str:
    return f"PV1|1|O||||||||||||||{code}"


def precautions(codes: str) -> str:
    return "PV2|" + "|" * 40 + codes


def shown(ris: Ris, mrn: str = "M1") -> list[str]:
    with ris.read() as session:
        key = patient_of(session, mrn).id
        return [f"{a.label}: {a.text}".rstrip(": ") for a in alerts.of_patients(session, (key,), utc_now()).get(key, ())]


def sources(ris: Ris, mrn: str = "M1") -> list[tuple[str, str, bool]]:
    """Text, field and whether it holds, of every alert."""
    with ris.read() as session:
        return [
            (row.text, row.place, row.ended_at is None) for row in alerts.raised(session, patient_of(session, mrn).id, utc_now(), LONG_AGO)
        ]


def test_a_message_says_language_vip_and_precautions_and_takes_them_back(ris: Ris, hospital: Hospital) -> None:
    accept(ris, adt("A04", person("spa^Español"), vip("Y"), precautions("C~D^droplets^L")))
    assert shown(ris) == ["Language: Spanish", "Isolation: contact, droplets", "VIP"]
    before = counts(ris, "message", "message_link")
    accept(ris, adt("A08", person("es"), vip("1"), precautions("C~D^droplets^L")), adt("A08", pid(), pv1()))
    assert counts(ris, "message", "message_link") == before, "the same again, and nothing at all, change nothing"
    accept(ris, adt("A31", person("fra"), vip("N"), precautions("D^droplets^L")))
    assert shown(ris) == ["Language: French", "Isolation: droplets"]
    accept(ris, adt("A08", person('""'), precautions('""')))
    assert shown(ris) == []
    assert ("Spanish", "PID-15", False) in sources(ris)


def test_what_the_desk_says_is_never_overwritten_and_what_it_ends_stays_ended(ris: Ris, hospital: Hospital) -> None:
    accept(ris, adt("A04", person("es")))
    with ris.uow() as uow:
        patient_id = patient_of(uow.session, "M1").id
        alerts.raise_alert(uow, patient_id, AlertKind.language, "Catalan")
        alerts.raise_alert(uow, patient_id, AlertKind.language, "spanish")
    assert shown(ris) == ["Language: Catalan, Spanish"]
    accept(ris, adt("A08", person("en")))
    assert shown(ris) == ["Language: Catalan, spanish"], "the sender takes back its own word alone"
    accept(ris, adt("A08", person("pt")))
    with ris.uow() as uow:
        for row in uow.session.scalars(sa.select(PatientAlert).where(PatientAlert.ended_at.is_(None))):
            alerts.end_alert(uow, patient_id, row.id)
    accept(ris, adt("A08", person("pt")))
    assert shown(ris) == []
    accept(ris, adt("A08", person("de")))
    assert shown(ris) == ["Language: German"]


def test_the_danger_of_an_order_is_an_alert_where_its_words_or_the_partner_say_so(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        map_code(uow, partner_id=hospital.partner_id, kind="danger", their_code="7", our_code="fall_risk")
        map_code(uow, partner_id=hospital.partner_id, kind="danger", their_code="noro, over", our_code="none")
    dangers = {"P1": "MRSA", "P2": "VRE^VRE carrier", "P3": "7^unsteady", "P4": "noro, over", "P5": "pacemaker", "P6": ""}
    accept(ris, *(orm(pid(), orc("NW", number), obr(number, f12=danger)) for number, danger in dangers.items()))
    assert shown(ris) == ["Isolation: MRSA, VRE carrier", "Fall risk: unsteady"], "one order does not take back what another one says"


def test_the_language_to_write_in_is_the_senders_until_somebody_says_another(ris: Ris, hospital: Hospital) -> None:
    def written_in() -> str:
        with ris.read() as session:
            return patient_of(session, "M1").language

    said = []
    for language in ("es", "fr", ""):
        accept(ris, adt("A08", person(language)))
        said.append(written_in())
    with ris.uow() as uow:
        patient = patient_of(uow.session, "M1")
        amend(uow, patient, PatientData((), language="pl"))
    accept(ris, adt("A08", person("de")))
    assert (said, written_in()) == (["es", "fr", "fr"], "pl")


@pytest.mark.parametrize(
    ("said", "meant"), [("E^English", []), ("eng", []), ("en-US", []), ("xx^Klingon", ["Language: Klingon"]), ("zz", ["Language: zz"])]
)
def test_a_language_is_known_by_code_or_name_and_shown_as_it_came_else(said: str, meant: list[str], ris: Ris, hospital: Hospital) -> None:
    accept(ris, adt("A04", person(said)))
    assert shown(ris) == meant


def test_of_two_records_that_are_one_the_survivors_word_holds_and_the_merge_gives_back_the_others(ris: Ris, hospital: Hospital) -> None:
    danger = orm(pid("M2"), orc("NW", "P1^EHR"), obr("P1^EHR", f12="MRSA^MRSA"))
    accept(ris, adt("A04", person("fr", mrn="M1"), vip("N")), adt("A04", person("es", mrn="M2"), vip("Y"), precautions("C")), danger)
    with ris.uow() as uow:
        alerts.raise_alert(uow, patient_of(uow.session, "M2").id, AlertKind.language, "Catalan")
    alone = {mrn: shown(ris, mrn) for mrn in ("M1", "M2")}
    assert alone == {"M1": ["Language: French"], "M2": ["Language: Catalan, Spanish", "Isolation: MRSA, contact", "VIP"]}
    accept(ris, merge("M1", "M2"))
    together = ["Language: Catalan, French", "Isolation: MRSA, contact", "VIP"]
    assert shown(ris) == together, "of one field of one sender the survivor's word, and everything that contradicts nothing"
    before = counts(ris, "message", "message_link")
    accept(ris, adt("A08", person("fr"), vip("Y"), precautions("C")))
    assert counts(ris, "message", "message_link") == before, "what was said of either is known"
    accept(ris, adt("A08", pid(), vip("N"), precautions("D")))
    assert shown(ris) == ["Language: Catalan, French", "Isolation: MRSA, droplet"], "it follows the survivor's next word"
    with ris.uow() as uow:
        patients.unmerge(uow, uow.session.scalars(sa.select(Merge.id)).one())
    assert {mrn: shown(ris, mrn) for mrn in ("M1", "M2")} == alone | {"M1": ["Language: French", "Isolation: droplet"]}
    accept(ris, adt("A08", person("es", mrn="M2"), vip("N")), adt("A08", person("es", mrn="M1")))
    assert (shown(ris, "M1"), shown(ris, "M2")) == (["Language: Spanish", "Isolation: droplet"], [*alone["M2"][:2]])
