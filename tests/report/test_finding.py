"""Reports are found by their words on both engines alike, and the index follows whatever becomes of a report."""

from datetime import timedelta

import pytest

from ris.base.errors import Invalid
from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from ris.patient import service as patients
from ris.patient.alerts import raise_alert
from ris.patient.model import AlertKind
from ris.report import publication, service
from ris.report.finding import index
from ris.report.finding.search import Sought, search
from ris.report.finding.words import MOST_ASKED, Part, question
from ris.report.model import ReportProcedure, ReportWords
from ris.report.versions import LONGEST
from ris.settings import Reports, Settings
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, completed, make_patient

STROKE = (
    "FINDINGS:\nDense left M1 segment. No hemorrhage; subarachnoid space free.\n\n"
    "IMPRESSION:\nAcute ischémic stroke of the left MCA, 3.5 cm."
)
BLEEDING = "FINDINGS\nSubarachnoid hemorrhage.\n\nIMPRESSION\nHemorrhage, Fisher 3. No stroke."
HAND = "Fraktur des Daumens: O'Brien's hand.\nIMPRESSION: No fracture of the wrist; hemorrhage none. STROKE unit informed."


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"reports": Reports(publication_delay_seconds=180)})


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY)


class Readings:
    """Of one radiologist; each exam by a short name."""

    def __init__(self, ris: Ris, hospital: Hospital, clock: Clock) -> None:
        self.ris, self.hospital, self.clock = ris, hospital, clock
        self.exams: dict[int, str] = {}
        self.reports: dict[str, int] = {}

    def sign(self, name: str, text: str, code: str = "CTHEAD", room: str = "CT1", *, step: str = "sign_final") -> RequestedProcedure:
        exam = completed(self.ris, self.hospital, code, room)
        self.clock.advance(minutes=1)
        self.exams[exam.id] = name
        with self.ris.uow(self.hospital.actor("radiologist")) as uow:
            report = service.claim(uow, service.open_for(uow, exam.id).id)
            uow.session.flush()
            said = {"password_checked": True} if step == "sign_final" else {}
            getattr(service, step)(uow, report_id=report.id, text=text, row_version=report.row_version, **said)
            self.reports[name] = report.id
        return exam

    def found(self, text: str, *, site: str = "MAIN", role: str = "resident", limit: int = 25, **more: object) -> list[str]:
        with self.ris.read() as session:
            rows = search(session, [self.hospital.sites[site]], self.hospital.users[role], Sought(text, **more), limit)
        return [self.exams[row.procedure_id] for row in rows]


@pytest.fixture
def readings(ris: Ris, hospital: Hospital, clock: Clock) -> Readings:
    readings = Readings(ris, hospital, clock)
    readings.sign("stroke", STROKE)
    readings.sign("bleeding", BLEEDING)
    readings.sign("hand", HAND, "XRHAND", "XR1", step="sign_preliminary")
    return readings


def test_words_phrases_what_is_left_out_exam_time_site_and_pages_narrow_it(readings: Readings) -> None:
    asked = {
        "stroke": ["hand", "bleeding", "stroke"],
        "STROKE left": ["stroke"],
        '"no stroke"': ["bleeding"],
        '"stroke no"': [],
        '"subarachnoid space"': ["stroke"],
        "hemorrhage -stroke": [],
        'stroke -"no stroke"': ["hand", "stroke"],
        "ischemic": ["stroke"],
        "ISCHÉMIC": ["stroke"],
        "ische*": ["stroke"],
        '"acute isch*"': ["stroke"],
        "ische": [],
        "3.5": ["stroke"],
        "5.3": [],
        "o'brien's": ["hand"],
        "fracture & | ! ( ) : * '": ["hand"],
        "stroke -the": ["bleeding"],
        '"free impression"': [],
    }
    assert {text: readings.found(text) for text in asked} == asked
    assert readings.found("stroke", part=Part.impression) == ["hand", "bleeding", "stroke"]
    assert readings.found("hemorrhage", part=Part.impression) == ["hand", "bleeding"]
    assert readings.found("hemorrhage", part=Part.findings) == ["bleeding", "stroke"]
    assert readings.found("daumens", part=Part.other) == ["hand"]
    assert readings.found("left -hemorrhage", part=Part.impression) == ["stroke"]
    for nothing in ("", "-stroke", '" "', "*", " ".join(["word"] * (MOST_ASKED + 1))):
        with pytest.raises(Invalid):
            question(nothing)
    assert readings.found("stroke", modality="DX") == ["hand"]
    assert readings.found("stroke", exam="CTHEAD") == ["bleeding", "stroke"]
    assert readings.found("stroke", site="WEST") == []
    assert readings.found("stroke", since=MONDAY + timedelta(minutes=2)) == ["hand", "bleeding"]
    assert readings.found("stroke", before=MONDAY + timedelta(minutes=2)) == ["stroke"]
    with readings.ris.read() as session:
        (first,) = search(session, [readings.hospital.sites["MAIN"]], 0, Sought("stroke"), 1)
    assert readings.found("stroke", limit=1, behind=first.place) == ["bleeding"]
    assert [text for text, is_hit in first.snippet if is_hit] == ["STROKE"]
    assert "".join(text for text, _ in first.snippet) == HAND.replace("\n", " ")
    with readings.ris.read() as session:
        (hit,) = search(session, [readings.hospital.sites["MAIN"]], 0, Sought('isch* -"no stroke" "left mca"'), 5)
    assert [text for text, is_hit in hit.snippet if is_hit] == ["ischémic", "left MCA"]


def test_the_index_follows_what_becomes_of_a_report(readings: Readings, hospital: Hospital) -> None:
    ris, reports = readings.ris, readings.reports
    with ris.uow(hospital.actor("radiologist")) as uow:
        publication.take_back(uow, report_id=reports["stroke"])
    assert readings.found("ischemic") == []
    with ris.uow(hospital.actor("radiologist")) as uow:
        report = service.claim(uow, reports["stroke"])
        uow.session.flush()
        words = {"text": "IMPRESSION: Normal brain.", "row_version": report.row_version}
        service.sign_final(uow, report_id=report.id, password_checked=True, **words)
    assert (readings.found("normal brain"), readings.found("ischemic")) == (["stroke"], [])
    readings.clock.advance(minutes=5)
    with ris.uow() as uow:
        publication.publish_due(uow)
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.addend(uow, report_id=reports["stroke"], text="Small cavernoma.", password_checked=True)
    assert readings.found("cavernoma normal") == ["stroke"]
    with ris.uow(hospital.actor("radiologist")) as uow:
        publication.take_back(uow, report_id=reports["stroke"])
    assert (readings.found("normal"), readings.found("cavernoma")) == (["stroke"], [])
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.retract(uow, report_id=reports["bleeding"], reason="wrong patient", password_checked=True)
    assert readings.found("fisher") == []
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.addend(uow, report_id=reports["stroke"], text="Never said.", password_checked=True)
        uow.session.flush()
        uow.session.rollback()
    assert readings.found("never said") == []


def test_a_merge_leaves_it_found_under_the_survivor(readings: Readings, hospital: Hospital) -> None:
    with readings.ris.uow() as uow:
        exam_id = uow.session.query(ReportProcedure.procedure_id).filter_by(report_id=readings.reports["stroke"]).scalar()
        patient_id = uow.session.get_one(RequestedProcedure, exam_id).order.patient_id
        survivor = make_patient(uow, "Survivor")
        patients.merge(uow, survivor_id=survivor.id, loser_id=patient_id)
    with readings.ris.read() as session:
        (hit,) = search(session, [hospital.sites["MAIN"]], 0, Sought("ischemic"))
    assert (hit.patient_id, hit.family) == (survivor.id, "Survivor")
    with readings.ris.uow() as uow:
        raise_alert(uow, survivor.id, AlertKind.vip, "")
    assert readings.found("ischemic") == []
    assert readings.found("ischemic", role="radiologist") == ["stroke"]


def test_the_index_can_be_made_anew(readings: Readings, ris: Ris) -> None:
    with ris.uow() as uow:
        for report_id in readings.reports.values():
            index.forget(uow.session, report_id)
    assert readings.found("stroke") == []
    with ris.uow() as uow:
        last, count = index.rebuild_some(uow, 0, limit=2)
        assert (index.rebuild_some(uow, last or 0), count) == ((readings.reports["hand"], 1), 2)
        assert index.rebuild_some(uow, readings.reports["hand"]) == (None, 0)
    assert readings.found("stroke") == ["hand", "bleeding", "stroke"]


def test_a_report_of_any_length_is_signed_and_found_by_its_beginning(readings: Readings, ris: Ris) -> None:
    words = " ".join(f"word{number}{'x' * 60}" for number in range(20_000))[: LONGEST - 20]
    readings.sign("long", f"beginning {words} end")
    assert (readings.found("beginning"), readings.found("end")) == (["long"], [])
    with ris.read() as session:
        assert session.query(ReportWords).count() == 4
