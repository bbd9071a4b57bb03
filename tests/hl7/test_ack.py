from datetime import UTC, datetime, timedelta, timezone

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ris.base.errors import Location
from ris.hl7 import ack, charset, er7, mllp

NOW = datetime(2026, 8, 1, 8, 45, 7, tzinfo=UTC)
ORDER = b"MSH|^~\\&|EHR|HOSP^1.2^ISO|RIS|RAD|20260801084500||ORM^O01^ORM_O01|O-1|T|2.5.1|||AL|NE||8859/1\rPID|||1\r"


def built(raw: bytes, code: ack.AckCode = "AA", errors: tuple[ack.AckError, ...] = (), text: str = "") -> bytes:
    return ack.build(ack.header(raw), code, errors=errors, text=text, own_control_id="R1", now=NOW)


def order(version: str) -> bytes:
    return f"MSH|^~\\&|EHR|HOSP|RIS|RAD|1||ORM^O01|O-1|P|{version}\r".encode()


@pytest.mark.parametrize("read", [ORDER, er7.Message.parse(ORDER.decode(), "iso8859-1"), b"\x0b\r\n" + ORDER.replace(b"\r", b"\n")])
def test_the_header_is_read_from_a_message_and_from_bytes_alike(read):
    header = ack.header(read)
    assert header == ack.Header(
        delimiters=er7.Delimiters(codec="iso8859-1"),
        sending_application="EHR",
        sending_facility="HOSP^1.2^ISO",
        receiving_application="RIS",
        receiving_facility="RAD",
        sent_at="20260801084500",
        message_code="ORM",
        trigger_event="O01",
        control_id="O-1",
        processing_id="T",
        version="2.5.1",
        accept_acknowledgment_type="AL",
        application_acknowledgment_type="NE",
        character_set="8859/1",
    )


@pytest.mark.parametrize("raw", [b"", b"PID|1", b"MSH", b"MSHAxx", b"\xff\xfeM\0S\0H\0|\0", b"M\0S\0H\0|\0", b"x" * 10_000 + ORDER])
def test_bytes_without_a_readable_header_give_an_empty_one(raw):
    assert ack.header(raw) == ack.Header(er7.STANDARD)
    assert built(raw, "AR") == b"MSH|^~\\&|||||20260801084507+0000||ACK|R1|P|2.5.1\rMSA|AR|\r"


def test_the_beginning_of_an_oversized_message_names_it():
    (item,) = mllp.Framer(2000).feed(mllp.frame(ORDER + b"x" * 5000))
    assert isinstance(item, mllp.Oversized)
    assert ack.header(item.head).control_id == "O-1"


@pytest.mark.parametrize(
    ("raw", "msh"),
    [
        (order("2.2"), "MSH|^~\\&|RIS|RAD|EHR|HOSP|20260801084507+0000||ACK|R1|P|2.2"),
        (order("2.3"), "MSH|^~\\&|RIS|RAD|EHR|HOSP|20260801084507+0000||ACK^O01|R1|P|2.3"),
        (order("2.3.1"), "MSH|^~\\&|RIS|RAD|EHR|HOSP|20260801084507+0000||ACK^O01|R1|P|2.3.1"),
        (order("2.4"), "MSH|^~\\&|RIS|RAD|EHR|HOSP|20260801084507+0000||ACK^O01^ACK|R1|P|2.4"),
        (order("2.5.1^DEU"), "MSH|^~\\&|RIS|RAD|EHR|HOSP|20260801084507+0000||ACK^O01^ACK|R1|P|2.5.1^DEU"),
        (order("99"), "MSH|^~\\&|RIS|RAD|EHR|HOSP|20260801084507+0000||ACK^O01^ACK|R1|P|99"),
        (order(""), "MSH|^~\\&|RIS|RAD|EHR|HOSP|20260801084507+0000||ACK^O01^ACK|R1|P|2.5.1"),
        (ORDER, "MSH|^~\\&|RIS|RAD|EHR|HOSP^1.2^ISO|20260801084507+0000||ACK^O01^ACK|R1|T|2.5.1||||||8859/1"),
        (b"MSH$%*!@$A$B$C$D$1$$ADT%A08$7$P$2.5$$$", "MSH$%*!@$C$D$A$B$20260801084507+0000$$ACK%A08%ACK$R1$P$2.5"),
        (b"MSH|^~\\&#|A||C||1||ADT|7|P|2.7||", "MSH|^~\\&#|C||A||20260801084507+0000||ACK|R1|P|2.7"),
        (b"MSH|^~\\&|A", "MSH|^~\\&|||A||20260801084507+0000||ACK|R1|P|2.5.1"),
    ],
)
def test_the_answer_goes_back_in_the_form_of_the_sender(raw, msh):
    assert built(raw).split(b"\r")[0].decode() == msh


@pytest.mark.parametrize("control_id", [b"O-1", b"a\\T\\b^c~d&e", b"Zo\xc3\xab", b"Zo\xeb", b"\x81\x8d", b"  1 ", b"x" * 300])
def test_the_control_id_comes_back_byte_for_byte(control_id):
    answer = built(b"MSH|^~\\&|EHR|HOSP|RIS|RAD|1||ADT^A08|" + control_id + b"|P|2.5.1\rPID|\r")
    assert answer.split(b"\r")[1] == b"MSA|AA|" + control_id


@pytest.mark.parametrize(
    ("msh18", "control_id"), [("UNICODE UTF-8", "Ł"), ("8859/2", "Ł"), ("~ISO IR87", "山田"), ("GB 18030-2000", "山田")]
)
def test_the_answer_is_in_the_character_set_of_the_sender(msh18, control_id):
    codec = charset.codec_for(msh18)
    raw = f"MSH|^~\\&|EHR|HOSP|RIS|RAD|1||ADT^A08|{control_id}|P|2.5.1||||||{msh18}\r".encode(codec)
    answer = built(raw, text=control_id)
    assert answer.split(b"\r")[1] == f"MSA|AA|{control_id}|{control_id}".encode(codec)
    assert charset.decode(answer, None).codec == codec


def test_an_undeclared_character_set_is_the_partners():
    raw = "MSH|^~\\&|EHR|HOSP|RIS|RAD|1||ADT^A08|Ł|P|2.5.1\r".encode("iso8859-2")
    assert ack.header(raw, "8859/2").control_id == "Ł"


TWO_FAULTS = (
    ack.AckError("101", "PID-3 is empty", Location("PID", 1, 3)),
    ack.AckError("204", "no order P1 & P2", Location("ORC", 2, 2, 1, 1), severity="W"),
)


def test_from_2_5_on_each_error_has_its_own_segment():
    assert built(order("2.5"), "AE", TWO_FAULTS).split(b"\r")[1:] == [
        b"MSA|AE|O-1",
        b"ERR||PID^1^3|101^Required field missing^HL70357|E||||PID-3 is empty",
        b"ERR||ORC^2^2^1^1|204^Unknown key identifier^HL70357|W||||no order P1 \\T\\ P2",
        b"",
    ]


@pytest.mark.parametrize("version", ["2.2", "2.3", "2.3.1", "2.4"])
def test_before_2_5_the_errors_are_repetitions_and_the_text_is_beside_the_code(version):
    assert built(order(version), "AE", TWO_FAULTS).split(b"\r")[1:] == [
        b"MSA|AE|O-1|PID-3 is empty",
        b"ERR|PID^1^3^101&Required field missing~ORC^2^2^204&Unknown key identifier",
        b"",
    ]


@pytest.mark.parametrize(
    ("version", "error"), [("2.5.1", b"ERR|||207^Application internal error^HL70357|E"), ("2.3", b"ERR|^^^207&Application internal error")]
)
def test_an_error_may_be_nowhere_and_without_words(version, error):
    assert built(order(version), "AE", (ack.AckError("207"),)).split(b"\r")[2] == error


def test_an_unknown_error_code_is_sent_without_a_table_text():
    assert built(order("2.5.1"), "AE", (ack.AckError("X9", "odd"),)).split(b"\r")[2] == b"ERR|||X9^^HL70357|E||||odd"
    assert built(order("2.3"), "AE", (ack.AckError("X9"),)).split(b"\r")[1:3] == [b"MSA|AE|O-1", b"ERR|^^^X9"]


def test_a_text_stands_in_the_acknowledgement_itself():
    assert built(order("2.3"), "AE", TWO_FAULTS, text="a\rb").split(b"\r")[1] == b"MSA|AE|O-1|a\\.br\\b"
    assert built(order("2.5.1"), text="taken").split(b"\r")[1] == b"MSA|AA|O-1|taken"


def test_the_time_is_told_with_its_offset():
    now = NOW.astimezone(timezone(timedelta(hours=-5)))
    assert b"|20260801034507-0500|" in ack.build(ack.header(ORDER), "AA", own_control_id="1", now=now)


@given(st.binary(max_size=200), st.text(max_size=20), st.sampled_from([b"2.2", b"2.3.1", b"2.5.1", b"\x1c"]))
def test_no_header_and_no_text_breaks_the_answer(junk, text, version):
    raw = b"MSH|^~\\&|" + junk.replace(b"|", b"").replace(b"\r", b"").replace(b"\n", b"") + b"|||||ADT^A08|" + junk + b"|P|" + version
    errors = (ack.AckError(text, text, Location(text, 1, 2), severity=text),)
    for each in (raw, b"MSH" + junk, junk):
        answer = ack.build(ack.header(each), "AE", errors=errors, text=text, own_control_id=text, now=NOW)
        assert mllp.Framer(10_000).feed(mllp.frame(answer)) == [mllp.Frame(answer)]
        message = er7.Message.parse(charset.decode(answer, None).text)
        assert [segment.name for segment in message.segments] == ["MSH", "MSA", "ERR"]


def test_python_hl7_reads_the_answer():
    answer = hl7.parse(built(ORDER, "AE", TWO_FAULTS).decode())
    assert str(answer.segment("MSH")[9]) == "ACK^O01^ACK"
    assert str(answer.segment("MSA")[2]) == "O-1"
    assert [str(segment[2]) for segment in answer.segments("ERR")] == ["PID^1^3", "ORC^2^2^1^1"]
