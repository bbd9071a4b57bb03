"""Going live: patients through the guard, appointments through the booking, prior reports beside the exams; nobody outside hears."""

import io
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.billing.model import Charge
from ris.bootstrap import Ris
from ris.imports import KINDS
from ris.imports.kind import Verdict
from ris.imports.run import Order, apply
from ris.notice.model import Notice
from ris.order.model import Order as ImagingOrder
from ris.outbox.model import Delivery
from ris.patient import service as patients
from ris.patient.model import OutsideReport, Patient, PatientIdentifier
from ris.patient.outside import outside_reports
from ris.scheduling import service as scheduling
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.model import RuleAnswer
from ris.scheduling.rules.service import RuleData
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.mail import write_to_patients
from tests.factories.orders import make_patient
from tests.imports.test_catalogue_files import House

NOW = datetime(2026, 11, 30, 15, tzinfo=UTC)
"""10:00 by the clock of MAIN, on a Monday."""


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def house(ris: Ris, hospital: Hospital) -> House:
    return House(ris, hospital)


def patient(ris: Ris, number: str) -> Patient:
    with ris.read() as session:
        wanted = sa.select(Patient).join(PatientIdentifier, PatientIdentifier.patient_id == Patient.id)
        return session.scalars(wanted.where(PatientIdentifier.value == number)).one()


def count(ris: Ris, table: type) -> int:
    with ris.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def said(house: House, verdict: Verdict) -> list[tuple[int, str]]:
    return [(finding.line, finding.column) for finding in house.said if finding.verdict is verdict]


def test_patients_are_updated_by_number_registered_when_new_and_left_to_a_person_when_alike(ris: Ris, house: House) -> None:
    with ris.uow() as uow:
        make_patient(uow, "Meadow", "Anna", "M1", phone="555 1234567")
        make_patient(uow, "Brook", "Ben", "M2")
        gone = make_patient(uow, "Brook", "B", "M3")
        uow.session.flush()
        kept = uow.session.scalars(sa.select(Patient).where(Patient.given == "Ben")).one()
        patients.merge(uow, survivor_id=kept.id, loser_id=gone.id)
    header = "number;authority;family;given;birth_date;sex;phone;language;same_as\n"
    lines = (
        "M1;HOSP;Meadow;Anna;1970-05-17;F;555 7654321;es;\n"  # 2: known, another telephone
        "N1;HOSP;Forest;Carl;1961-02-03;M;+1 555 010;;\n"  # 3: new
        "N2;HOSP;Medow;Anna;1970-05-17;F;;;\n"  # 4: like M1
        "N3;HOSP;Brook;Ben;1970-05-17;F;;;M2\n"  # 5: is M2, somebody has decided
        "N4;HOSP;Brook;Benno;1970-05-17;F;;;new\n"  # 6: is somebody else
        "M3;HOSP;Brook;B;1970-05-17;F;;;\n"  # 7: of a merged record
    )
    wrong = "N5;HOSP;;Dan;17.05.1970;X;;english;nobody\n"
    assert not house.apply("patient", header + lines + wrong).applied
    assert {column for _, column in said(house, Verdict.wrong)} == {"family", "birth_date", "sex", "language"}
    assert patient(ris, "M1").phone == "555 1234567"

    seen = house.look("patient", header + lines)
    assert seen.counts == {Verdict.changed: 2, Verdict.new: 2, Verdict.undecided: 2}
    assert said(house, Verdict.undecided) == [(4, "same_as"), (7, "number")]
    doubt = next(finding for finding in house.said if finding.line == 4)
    assert "looks like M1" in doubt.what
    assert "Meadow" not in doubt.what + doubt.fix
    assert count(ris, Patient) == 3

    assert house.apply("patient", header + lines).applied
    assert (patient(ris, "M1").phone, patient(ris, "M1").language) == ("555 7654321", "es")
    assert patient(ris, "N1").phone == "+1 555 010"
    assert patient(ris, "N3").id == patient(ris, "M2").id
    assert patient(ris, "N4").given == "Benno"
    assert count(ris, Patient) == 5
    assert (house.count("patient.registered"), house.count("patient.updated")) == (2, 2)
    assert house.apply("patient", header + lines).counts == {Verdict.unchanged: 4, Verdict.undecided: 2}
    assert count(ris, Delivery) == 0


def test_appointments_are_booked_as_the_desk_books_with_every_conflict_by_line(ris: Ris, hospital: Hospital, house: House) -> None:
    with ris.uow() as uow:
        make_patient(uow, "Meadow", "Anna", "M1", born=date(1995, 5, 17))
        make_patient(uow, "Brook", "Ben", "M2")
        rules.add(uow, RuleData("Same exam again", "duplicate", "warn", "", {"exams": "*", "same": "exam", "days": "30"}))
        rules.add(uow, RuleData("Pregnancy", "pregnancy", "block", "", {"exams": "MR"}))
        uow.session.execute(sa.text("UPDATE subscription SET event = 'scheduling.booked' WHERE event = 'order.placed'"))
    write_to_patients(ris, hospital)
    header = "partner,number,patient_number,patient_authority,procedure,room,date,time,minutes,reason\n"
    right = (
        "EHR,P1,M1,HOSP,CTHEAD,CT1,2026-12-01,08:00,,Headache\n"
        "EHR,P2,M1,HOSP,CTHEAD,CT1,2026-12-08,08:00,40,Control\n"
        "EHR,P3,M2,HOSP,CTCHESTC,CT1,2026-12-01,09:00,,Cough\n"
    )
    wrong = (
        "EHR,P4,M2,HOSP,CTHEAD,CT1,2026-12-01,08:10,,\n"  # 5: the room is taken by line 2
        "EHR,P5,M2,HOSP,CTHEAD,CT1,2026-11-30,09:00,,\n"  # 6: an hour ago
        "EHR,P6,M9,HOSP,CTHEAD,CT1,2026-12-02,09:00,,\n"  # 7: nobody
        "EHR,P7,M2,HOSP,CTHEAD,MR1,2026-12-02,09:00,,\n"  # 8: no CT there
        "EHR,P8,M2,HOSP,CTHEAD,CT1,2026-12-02,05:00,,\n"  # 9: closed
        "EHR,P9,M1,HOSP,MRBRAIN,MR1,2026-12-02,09:00,,\n"  # 10: a rule blocks
        "PACS,P9,M1,HOSP,CTHEAD,CT1,2026-12-02,10:00,,\n"  # 11: no such partner
        "EHR,P1,M1,HOSP,CTHEAD,CT1,2026-12-03,10:00,,\n"  # 12: the number twice
    )
    looked = house.look("appointment", header + right + wrong)
    assert looked.counts == {Verdict.new: 3, Verdict.wrong: 8}
    assert said(house, Verdict.wrong) == [
        (5, "time"), (6, "date"), (7, "patient_number"), (8, "room"), (9, "room"), (10, "procedure"), (11, "partner"), (12, "partner"),
    ]  # fmt: skip
    assert "the room is taken from 08:00 to 08:20" in next(f.what for f in house.said if f.line == 5)
    assert count(ris, ImagingOrder) == 0

    assert house.apply("appointment", header + right).applied
    with ris.read() as session:
        steps = session.scalars(sa.select(ScheduledProcedureStep).order_by(ScheduledProcedureStep.starts_at)).all()
        assert [(step.starts_at, step.ends_at - step.starts_at) for step in steps] == [
            (datetime(2026, 12, 1, 13, tzinfo=UTC), timedelta(minutes=20)),
            (datetime(2026, 12, 1, 14, tzinfo=UTC), timedelta(minutes=30)),
            (datetime(2026, 12, 8, 13, tzinfo=UTC), timedelta(minutes=40)),
        ]
        assert [row.reason for row in session.scalars(sa.select(RuleAnswer))] == ["it was booked in the system before"]
        assert session.scalars(sa.select(ImagingOrder.placer_number).order_by(ImagingOrder.placer_number)).all() == ["P1", "P2", "P3"]
    assert (count(ris, Delivery), count(ris, Notice)) == (0, 0)
    assert house.apply("appointment", header + right).counts == {Verdict.unchanged: 3}

    with ris.uow(hospital.actor("scheduler")) as uow:
        scheduling.cancel(uow, step_id=steps[2].id, reason="The patient is ill")
    moved = right.replace("2026-12-01,09:00", "2026-12-01,11:30")
    assert house.apply("appointment", header + moved).counts == {Verdict.unchanged: 1, Verdict.changed: 1, Verdict.undecided: 1}
    changed = next(finding for finding in house.said if finding.verdict is Verdict.changed)
    assert (changed.line, changed.before, changed.after) == (4, {"time": "09:00"}, {"time": "11:30"})
    new = "EHR,P20,M2,HOSP,CTHEAD,CT1,2026-12-09,08:00,,\n"
    order = Order(KINDS["appointment"], hospital.actor("integration"), "x.csv", tell=True)
    before, written = count(ris, Delivery), count(ris, Notice)
    assert apply(ris, order, io.BytesIO((header + new).encode()), house.said.append).applied
    assert count(ris, Delivery) == before + 1
    assert count(ris, Notice) > written


def test_prior_reports_stand_beside_the_exams_follow_a_merge_and_are_neither_sent_nor_charged(ris: Ris, house: House) -> None:
    with ris.uow() as uow:
        one, other = make_patient(uow, "Meadow", "Anna", "M1"), make_patient(uow, "Meadow", "A", "M2")
    header = "source,number,patient_number,patient_authority,study_date,procedure,author,text\n"
    text = 'Old RIS,A1,M1,HOSP,2019-03-04,CT chest,Dr. Fern,"No nodule.\nNo effusion."\nOld RIS,A2,M2,HOSP,2021-05-06,MR knee,,Normal.\n'
    wrong = "Old RIS,A3,M9,HOSP,2021-05-06,MR knee,,Normal.\nOld RIS,A4,M1,HOSP,tomorrow,,,\n"
    house.look("prior_report", header + text + wrong)
    assert said(house, Verdict.wrong) == [(5, "patient_number"), (6, "study_date"), (6, "procedure"), (6, "text")]
    assert house.apply("prior_report", header + text).counts == {Verdict.new: 2}
    assert house.apply("prior_report", header + text).counts == {Verdict.unchanged: 2}
    assert house.apply("prior_report", header + text.replace("Normal.", "A tear.")).counts == {Verdict.unchanged: 1, Verdict.changed: 1}
    house.apply("prior_report", header + text.replace("A1,M1", "A1,M2"))
    assert said(house, Verdict.wrong) == [(2, "patient_number")]
    with ris.uow() as uow:
        patients.merge(uow, survivor_id=one.id, loser_id=other.id)
    with ris.read() as session:
        assert [(row.number, row.text) for row in outside_reports(session, one.id)] == [
            ("A2", "A tear."),
            ("A1", "No nodule.\nNo effusion."),
        ]
    assert (count(ris, OutsideReport), count(ris, Charge), count(ris, Delivery)) == (2, 0, 0)
