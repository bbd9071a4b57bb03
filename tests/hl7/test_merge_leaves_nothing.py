"""After a merge nothing names the loser any more: no row of any table with a key to a patient, and no message that goes out."""

from ris.bootstrap import Ris
from ris.exam import service as exam
from ris.notice import consent as mail_consent
from ris.patient import coverage, merges
from ris.patient import outside as outside_reports
from ris.patient import service as patients
from ris.patient.alerts import raise_alert
from ris.patient.coverage import AuthorizationData
from ris.patient.model import AlertKind, Answer, Merge, Question
from ris.patient.outside import OutsideData
from ris.patient.screening import Said, screen
from ris.questionnaire import filling
from ris.scheduling import service as scheduling
from ris.simulator.mllp import Receiver
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY
from tests.hl7.asking import accept, order_of, patient_of
from tests.messages.samples import adt, merge, obr, orc, orm, pid, pv1
from tests.outbox.outgoing import forget_deliveries, send_to, sending
from tests.questionnaire.forms import published
from tests.waiting import until

EVERY_TABLE = {
    "patient_identifier", "visit", "allergy", "observation", "imaging_order", "occupancy", "patient_alert", "coverage",
    "coverage_authorization", "screening_answer", "patient_contact", "outside_report",
    "mail_consent", "questionnaire_response", "patient_name",
}  # fmt: skip


def full_record(ris: Ris, hospital: Hospital) -> None:
    """Somebody of whom every table with a key to a patient says something."""
    body = "OBX|1|NM|29463-7^Body weight^LN||72|kg|||||F|||20261101080000"
    accept(ris, adt("A04", pid("M1", "Meadow^Anna")))
    accept(
        ris,
        orm(
            pid("M2", "Brook^Ida", alias="Lake^Ida^^^^^M"),
            pv1("V2"),
            "AL1|1|DA|^Contrast",
            "IN1|1|GOLD|77|First Mutual",
            "NK1|1|Brook^Ben",
            orc("NW", "P2^EHR"),
            obr("P2^EHR"),
            body,
        ),
    )
    with ris.uow(hospital.actor("scheduler")) as uow:
        procedure = order_of(uow.session, "P2").procedures[0]
        patient_id = procedure.order.patient_id
        raise_alert(uow, patient_id, AlertKind.isolation, "MRSA")
        coverage.authorize(uow, patient_id, AuthorizationData("A-1", units=2))
        screen(uow, patient_id, [Said(Question.implant, Answer.no)])
        outside_reports.keep(uow, OutsideData(patient_id, "OLD", "77", MONDAY.date(), "Head CT", "Normal."))
        mail_consent.say(uow, patient_id, given=True)
        filling.begin(uow, procedure_id=procedure.id, version_id=published(uow, "contrast")["contrast"])
        scheduling.book(uow, procedure_id=procedure.id, room_id=hospital.rooms["CT1"], starts_at=MONDAY)


def test_no_row_of_any_table_names_the_loser_and_the_preview_said_what_would_move(ris: Ris, hospital: Hospital) -> None:
    full_record(ris, hospital)
    with ris.read() as session:
        survivor, loser = patient_of(session, "M1").id, patient_of(session, "M2").id
        foretold = merges.preview(session, survivor, loser).moves
        before = merges.rows_of(session, survivor)
    assert set(foretold) == EVERY_TABLE
    accept(ris, merge("M1", "M2"))
    with ris.read() as session:
        assert merges.rows_of(session, loser) == {}
        moved = {table: foretold[table] + before.get(table, 0) for table in foretold}
        own_name = {"patient_name": moved["patient_name"] + 1}
        assert merges.rows_of(session, survivor) == moved | own_name, "and what the record was called is a name of the survivor's"
        (made,) = merges.made(session)
    assert made.merge.moved == foretold
    with ris.uow(hospital.actor("integration")) as uow:
        patients.unmerge(uow, made.merge.id)
    with ris.read() as session:
        assert merges.rows_of(session, loser) == foretold
        assert merges.rows_of(session, survivor) == before
        assert session.get_one(Merge, made.merge.id).undone_at is not None


def test_no_message_that_goes_out_names_the_loser(ris: Ris, hospital: Hospital) -> None:
    full_record(ris, hospital)
    accept(ris, merge("M1", "M2"))
    forget_deliveries(ris)
    with ris.uow(hospital.actor("technologist")) as uow:
        exam.start(uow, procedure_id=order_of(uow.session, "P2").procedures[0].id)
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            until(lambda: receiver.arrivals)
        payload = receiver.arrivals[0].payload
    assert b"M1^^^HOSP" in payload
    assert b"M2" not in payload
    assert b"Brook" not in payload
