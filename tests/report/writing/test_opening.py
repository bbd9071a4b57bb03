"""What a report begins with: the right template, filled with what is known; and what it takes to sign against a doubt."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ris.base.uow import UnitOfWork
from ris.bootstrap import Ris
from ris.catalog.model import MaterialKind
from ris.catalog.records import service as catalog
from ris.exam import record
from ris.exam import service as exams
from ris.exam.model import Quantity
from ris.exam.record import Giving
from ris.order.model import Order, RequestedProcedure
from ris.order.status import ProcedureStatus
from ris.patient import clinical, outside
from ris.patient.clinical import ObservationData
from ris.patient.model import ObservationKind, Patient, Sex
from ris.patient.outside import OutsideData
from ris.report import reading, service
from ris.report.model import Report, ReportVersion
from ris.report.priors import Kinship, priors
from ris.report.writing.gate import Doubtful
from ris.report.writing.model import OverriddenDoubt
from ris.report.writing.opening import text_of
from ris.report.writing.templates import REPORT_TEMPLATE
from ris.scheduling import service as scheduling
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, make_order, make_patient

TEXT = (
    "INDICATION\n{indication}\n\nTECHNIQUE\n{technique}\nDose: {dose}\nLaboratory: {laboratory}\n\nCOMPARISON\n{comparison}\n\n"
    "FINDINGS\n{age}, {sex}. {technologist}\n\nIMPRESSION\n[impression]"
)
FILLED = (
    "INDICATION\nFall (stairs)\n\nTECHNIQUE\nCT head without contrast. Iomeron 350 80 ml\nDose: CTDI VOL 41.2 mGy, DLP 700 mGy·cm\n"
    "Laboratory: creatinine 0.9 mg/dL (2026-11-30)\n\nCOMPARISON\nCT head without contrast of 2026-11-30; "
    "MR brain of 2025-02-03 (Old house)\n\nFINDINGS\n56 years, female. [technologist]\n\nIMPRESSION\n[impression]"
)


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY)


@pytest.fixture
def heads(ris: Ris, hospital: Hospital) -> None:
    with ris.engine.begin() as connection:
        connection.execute(sa.text("UPDATE procedure SET region = 'head' WHERE code IN ('CTHEAD', 'MRBRAIN')"))


def done(ris: Ris, hospital: Hospital, patient: Patient, code: str = "CTHEAD", room: str = "CT1") -> RequestedProcedure:
    """An exam that was done half an hour after the one before."""
    clock: Clock = ris.clock
    with ris.uow(hospital.actor("scheduler")) as uow:
        exam = make_order(uow, hospital, code, patient=uow.session.get_one(Patient, patient.id)).procedures[0]
        uow.session.flush()
        uow.session.get_one(Order, exam.order_id).reason = "Fall [stairs]"
        scheduling.book(uow, procedure_id=exam.id, room_id=hospital.rooms[room], starts_at=clock.now)
    with ris.uow(hospital.actor("technologist")) as uow:
        exams.start(uow, procedure_id=exam.id)
        record.give(uow, procedure_id=exam.id, giving=Giving(Decimal(80), "L1", None, MaterialKind.contrast, "Iomeron 350", "ml"))
        if code.startswith("CT"):
            record.measure(uow, procedure_id=exam.id, values={Quantity.ctdi_vol: Decimal("41.2"), Quantity.dlp: Decimal(700)})
    clock.advance(minutes=30)
    with ris.uow(hospital.actor("technologist")) as uow:
        exams.complete(uow, procedure_id=exam.id)
    clock.advance(minutes=30)
    return exam


def claimed(uow: UnitOfWork, exam: RequestedProcedure) -> Report:
    report = service.claim(uow, service.open_for(uow, exam.id).id)
    uow.session.flush()
    return report


def test_a_report_begins_with_the_template_that_fits_best_filled_with_what_is_known(ris: Ris, hospital: Hospital, heads: None) -> None:
    with ris.uow() as uow:
        patient = make_patient(uow)
        clinical.observe(
            uow, patient.id, hospital.partner_id,
            [ObservationData(ObservationKind.creatinine, value, "mg/dL", at, "F") for value, at in
             (("1.4", datetime(2025, 1, 1, tzinfo=UTC)), ("0.9", MONDAY))],
        )  # fmt: skip
        outside.keep(uow, OutsideData(patient.id, "Old house", "X1", date(2025, 2, 3), "MR brain", "Normal.", "MR", "head"))
    first, chest, head = (done(ris, hospital, patient, code) for code in ("CTHEAD", "CTCHESTC", "CTHEAD"))
    with ris.uow(hospital.actor("radiologist")) as uow:
        assert claimed(uow, first).draft_text.startswith("FINDINGS:\n[findings]")
        for code, asks in {
            "A-ALL": {}, "B-CT": {"modality": "CT"}, "C-MEN": {"procedure": "CTHEAD", "sex": "M"},
            "D-YOUNG": {"procedure": "CTHEAD", "site": "MAIN", "age_to": "55"}, "E-WEST": {"procedure": "CTHEAD", "site": "WEST"},
            "F-HEAD": {"procedure": "CTHEAD"}, "G-WOMEN": {"procedure": "CTHEAD", "sex": "F", "age_from": "56"},
        }.items():  # fmt: skip
            catalog.add(uow, REPORT_TEMPLATE, {"code": code, "name": code, "text": TEXT if code == "G-WOMEN" else code, **asks})
        uow.session.flush()
        assert text_of(uow, head.id) == FILLED
        assert text_of(uow, chest.id).startswith("FINDINGS:\n[findings]")
        uow.session.execute(sa.text("UPDATE procedure SET template = ''"))
        assert text_of(uow, chest.id) == "B-CT"
        assert claimed(uow, head).draft_text == FILLED
    with ris.read() as session:
        rows = priors(session, head.id, [hospital.sites["MAIN"]])
    assert [(row.kinship, row.number) for row in rows] == [
        (Kinship.same, first.accession_number), (Kinship.region, "X1"), (Kinship.modality, chest.accession_number)
    ]  # fmt: skip


def test_a_doubt_is_answered_with_a_reason_that_stays_with_the_version(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        patient = make_patient(uow)
        patient.sex = Sex.male
    exam = done(ris, hospital, patient)
    text = "FINDINGS\nThe uterus is absent.\n\nIMPRESSION\nNormal."
    with ris.uow(hospital.actor("radiologist")) as uow:
        report = claimed(uow, exam)
        with pytest.raises(Doubtful, match="sex: the patient is male") as caught:
            service.sign_final(uow, report_id=report.id, text=text, row_version=report.row_version, password_checked=True)
        key = caught.value.doubts[0].key
    for said in ({key: "  "}, {"sex: another": "a reason"}):
        with pytest.raises(Doubtful), ris.uow(hospital.actor("radiologist")) as uow:
            service.sign_preliminary(uow, report_id=report.id, text=text, row_version=report.row_version, reasons=said)
    with ris.uow(hospital.actor("radiologist")) as uow:
        said = {key: "after reassignment"}
        service.sign_final(uow, report_id=report.id, text=text, row_version=report.row_version, password_checked=True, reasons=said)
    with pytest.raises(Doubtful), ris.uow(hospital.actor("radiologist")) as uow:
        service.addend(uow, report_id=report.id, text="The ovaries too.", password_checked=True)
    with ris.read() as session:
        row = reading.report_of(session, exam.id)
        assert row is not None
        assert [(doubt.check, doubt.excerpt, doubt.reason) for doubt in row.versions[0].overridden] == [
            ("sex", "uterus", "after reassignment")
        ]
        assert session.scalar(sa.select(sa.func.count(ReportVersion.id))) == 1
        assert session.get_one(RequestedProcedure, exam.id).status is ProcedureStatus.completed
    for change in (sa.delete(OverriddenDoubt), sa.update(OverriddenDoubt).values(reason="another")):
        with pytest.raises(DBAPIError, match="is not changed once it is written"), ris.engine.begin() as connection:
            connection.execute(change)
