"""Whatever people write: it stays in its field, and nobody is called by a name that a merge has made void."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import hl7
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from ris.base.clock import utc_now
from ris.bootstrap import Ris
from ris.hl7 import charset, er7, mllp
from ris.hl7.outbound import TELLS, header, preview
from ris.order.model import Order
from ris.outbox.model import StoredEvent
from ris.outbox.transport import CannotBuild
from ris.patient import service as patients
from ris.patient.model import Patient
from ris.report import versions
from ris.report.model import ReportVersion
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import do_exam, place, sign

DANGEROUS = st.sampled_from(
    ["\r", "\n", "\r\n", "\x0b", "\x1c", "\x1c\r", "|", "^", "~", "\\", "&", "\\.br\\", "\\F\\", "\\X0D\\", "\rOBX|1|TX|", "\rMSH|^~\\&|",
     "\u2028", "\x85", "\x00", "\t", "≥", "é", "𝟚", "e\u0301", "\ufeff", " "]
)  # fmt: skip
TEXTS = st.lists(DANGEROUS | st.text(max_size=12), max_size=30).map("".join)


@dataclass(frozen=True)
class Written:
    """An exam with a report, in a transaction of its own in which a test says what people wrote; nothing of it is committed."""

    session: Session
    event_id: int
    destination_id: int
    version: ReportVersion
    order: Order
    patient: Patient

    def says(self, text: str, *, name_of_patient: str, reason: str) -> None:
        self.version.text, self.patient.family, self.order.reason = text, name_of_patient, reason
        self.version.digest = versions.digest(self.version)
        self.session.flush()

    def message(self, name: str) -> str:
        shown = preview.of_event(self.session, self.event_id, destination_id=self.destination_id, message=name, now=utc_now())
        assert (shown.refusal, shown.nothing) == ("", "")
        return shown.text.replace("\n", "\r")


@pytest.fixture
def written(ris: Ris, hospital: Hospital) -> Iterator[Written]:
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    version_id = sign(ris, hospital, placed, "Normal.")
    with ris.sessions() as session:
        guards = sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'report_version'")
        for guard in session.scalars(guards).all():
            session.execute(sa.text(f"DROP TRIGGER {guard}"))
        event_id = session.scalar(sa.select(StoredEvent.id).where(StoredEvent.name == "report.published"))
        version, order = session.get_one(ReportVersion, version_id), session.get_one(Order, placed.order_id)
        yield Written(session, event_id, hospital.destination_id, version, order, session.get_one(Patient, placed.patient_id))
        session.rollback()


def readable(text: str) -> str:
    """What HL7 v2 can carry of a text: every line break is one, a tab a space, other control characters are left out."""
    text = re.sub("\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]", "\n", text).replace("\t", " ")
    return re.sub("[\x00-\x09\x0b-\x1f\x7f-\x9f]", "", text)


def lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n")


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["oru_r01", "oru_r01_sections", "mdm_t02"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, name_of_patient=TEXTS, reason=TEXTS)
def test_no_text_makes_or_breaks_a_segment(written: Written, name: str, text: str, name_of_patient: str, reason: str) -> None:
    written.says(text, name_of_patient=name_of_patient, reason=reason)
    raw = written.message(name).encode()
    framer = mllp.Framer(len(raw) + 10)
    assert framer.feed(mllp.frame(raw)) == [mllp.Frame(raw)]
    message = er7.Message.parse(raw.decode())
    expected = {"mdm_t02": ["MSH", "EVN", "PID", "PV1", "TXA"]}.get(name, ["MSH", "PID", "PV1", "ORC", "OBR", "TQ1", "OBX"])
    assert [segment.name for segment in message.segments] == [*expected, *["OBX"] * len(lines(text))]
    assert [str(segment[0]) for segment in hl7.parse(raw.decode())] == [segment.name for segment in message.segments]
    told = [obx.value(5) for obx in message.all("OBX") if obx.value(2) == "TX"]
    assert told == [readable(line) for line in lines(text)]
    assert message.value("PID", 5) == readable(name_of_patient)
    if name != "mdm_t02":
        assert message.value("OBR", 31, 2) == readable(reason)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, msh_18=st.sampled_from(["8859/1", "8859/15", "ASCII", "UNICODE UTF-8", "ISO IR87", "GB 18030-2000"]))
def test_a_text_is_read_as_it_was_written_or_the_character_set_refuses_it(text: str, msh_18: str) -> None:
    message = er7.join((er7.segment("MSH", {9: "ORU^R01", 18: msh_18}), er7.segment("OBX", {5: text})))
    codec = charset.codec_for(msh_18)
    if fits(message, codec):
        assert header.encoded(message, msh_18) == (message.encode(codec), codec)
        assert message.encode(codec).decode(codec) == message
    else:
        with pytest.raises(CannotBuild, match=re.escape(msh_18)):
            header.encoded(message, msh_18)


def fits(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def test_after_a_merge_no_message_carries_the_losers_identifier_but_the_one_that_makes_it_void(ris: Ris, hospital: Hospital) -> None:
    """Also of events that happened before, under the name of the loser."""
    loser, survivor = place(ris, hospital, "OLD"), place(ris, hospital, "NEW")
    for placed in (loser, survivor):
        do_exam(ris, hospital, placed)
        sign(ris, hospital, placed, "Normal.")
    with ris.uow(hospital.actor("integration")) as uow:
        patients.merge(uow, survivor_id=survivor.patient_id, loser_id=loser.patient_id)
    told = {name: everything(ris, hospital, name) for name in TELLS}
    assert {name for name, texts in told.items() if not texts} <= {"adt_a08", "adt_a37"}
    assert [name for name, texts in told.items() if any("M-OLD" in text for text in texts)] == ["adt_a40"]
    assert [line for text in told["adt_a40"] for line in text.split("\n") if "M-OLD" in line] == ["MRG|M-OLD^^^HOSP^MR||||||Berg^Anna"]
    assert all("M-NEW" in text for texts in told.values() for text in texts)


def everything(ris: Ris, hospital: Hospital, name: str) -> list[str]:
    """Every message of that name that there is anything to say in."""
    with ris.read() as session:
        events = session.scalars(sa.select(StoredEvent.id).where(StoredEvent.name.in_(TELLS[name])).order_by(StoredEvent.id)).all()
        shown = [preview.of_event(session, one, destination_id=hospital.destination_id, message=name, now=utc_now()) for one in events]
    assert {each.refusal for each in shown} <= {""}
    return [each.text for each in shown if each.text]
