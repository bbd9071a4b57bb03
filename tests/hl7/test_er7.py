import string

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ris.base.errors import Invalid, Location
from ris.hl7 import er7

MSH = r"MSH|^~\&|EHR|HOSP|RIS|RAD|20260801084500||ORM^O01^ORM_O01|O0001|P|2.3.1"
SEGMENTS = (
    MSH,
    "PID|||100^^^HOSP&1.2.3&ISO^MR~200^^^CITY^PI||van&der Berg^Anna~Berg^Anna^^^^^M||19800101|F|||||^^^^^^555~556",
    r"ORC|NW|P1^EHR",
    r"OBR|1|P1^EHR||R-CTCH^CT chest W \T\ WO^L|||||||||a \S\ b|\.br\ ",
    "OBR|2|P2^EHR||R-CTAB^CT abdomen^L",
    "ORC|NW|P3^EHR",
    "OBR|3|P3^EHR||R-XRCH^Chest^L",
    'NTE|1||""',
    "ZDS|1.2.840.1^EHR^Application^DICOM^surplus",
)
ORDER = er7.join(SEGMENTS)

PUNCTUATION = [character for character in string.punctuation if character != '"']


@st.composite
def any_delimiters(draw: st.DrawFn) -> er7.Delimiters:
    characters = draw(st.lists(st.sampled_from(PUNCTUATION), min_size=5, max_size=6, unique=True))
    return er7.Delimiters(*characters)


def test_values_are_found_by_the_numbers_of_the_standard():
    message = er7.Message.parse(ORDER)
    assert message.value("MSH", 1) == "|"
    assert message.value("MSH", 2) == "^~\\&"
    assert message.value("MSH", 3) == "EHR"
    assert message.value("MSH", 9, 2) == "O01"
    assert message.msh.value(12) == "2.3.1"
    assert message.value("PID", 3) == "100"
    assert message.value("PID", 3, 4, subcomponent=2) == "1.2.3"
    assert message.value("PID", 3, component=5, repetition=2) == "PI"
    assert message.value("PID", 5) == "van"
    assert message.value("PID", 5, 1, subcomponent=2) == "der Berg"
    assert message.value("PID", 13, 7) == "555"
    assert message.value("PID", 13, repetition=2) == "556"
    assert message.value("ZDS", 1, 5) == "surplus"


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("PID", (30,)),
        ("PID", (0,)),
        ("PID", (3, 9)),
        ("PID", (3, 0)),
        ("PID", (3, 1, 3)),
        ("PID", (3, 1, 0)),
        ("PID", (3, 1, 1, 2)),
        ("PID", (8, 2)),
        ("PID", (8, 1, 2)),
        ("OBR", (14, 2)),
        ("OBR", (13, 1, 2)),
        ("OBR", (13, 1, 1, 2)),
        ("IN1", (1,)),
    ],
)
def test_a_position_that_is_not_there_is_empty(name, position):
    assert er7.Message.parse(ORDER).value(name, *position) == ""


def test_an_escaped_delimiter_never_moves_a_neighbour():
    message = er7.Message.parse(f"{MSH}\rOBX|1|CE|A||x\\S\\y\\R\\z^b\\F\\c&d\\T\\\\E\\e")
    assert message.value("OBX", 5) == "x^y~z"
    assert message.value("OBX", 5, 2) == "b|c"
    assert message.value("OBX", 5, 2, subcomponent=2) == "d&\\e"


def test_a_field_gives_its_whole_text_to_who_knows_it_is_text():
    segment = er7.Message.parse(f"{MSH}\rOBX|1|TX|A^W & WO^L||a ^ b & c ~ d \\T\\ e").first("OBX")
    assert segment.field(5).text == "a ^ b & c ~ d & e"
    assert segment.field(3).component(2) == "W "
    assert segment.field(3).component_text(2) == "W & WO"
    assert segment.field(3).component_text(4) == ""


def test_repetitions_keep_their_places():
    message = er7.Message.parse(f"{MSH}\rPID|1||A~~C^2")
    repetitions = message.first("PID").repetitions(3)
    assert [repetition.raw for repetition in repetitions] == ["A", "", "C^2"]
    assert repetitions[2].component(2) == "2"
    assert message.first("PID").repetitions(1)[0].text == "1"
    assert message.first("PID").repetitions(2) == []
    assert message.first("PID").repetitions(99) == []


def test_empty_and_null_are_told_apart():
    note = er7.Message.parse(ORDER).first("NTE")
    assert note.field(3).is_null
    assert not note.field(3).is_empty
    assert note.value(3) == er7.NULL
    assert note.field(2).is_empty
    assert not note.field(2).is_null


def test_the_delimiters_of_the_header_are_never_cut():
    msh = er7.Message.parse(ORDER).msh
    assert [each.text for each in msh.repetitions(2)] == ["^~\\&"]
    assert msh.field(1).text == "|"
    assert msh.field(2).component(1) == "^~\\&"


def test_segments_are_numbered_per_name():
    message = er7.Message.parse(ORDER)
    assert [(each.name, each.sequence) for each in message.all("OBR")] == [("OBR", 1), ("OBR", 2), ("OBR", 3)]
    assert message.all("OBR")[2].location(4, component=1) == Location("OBR", 3, 4, None, 1)
    assert message.first("IN1") is None
    assert message.all("IN1") == []


@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n", "\r\r", "\r\n\r\n", "\r \t\r"])
def test_every_line_ending_is_read_and_blank_segments_are_dropped(ending):
    message = er7.Message.parse(ORDER.replace("\r", ending))
    assert [segment.raw for segment in message.segments] == list(SEGMENTS)


@pytest.mark.parametrize("before", ["\ufeff", "\r\n", " \t", "\x00\ufeff\r"])
def test_a_mark_or_blanks_before_the_header_do_no_harm(before):
    assert er7.Message.parse(before + ORDER).value("MSH", 10) == "O0001"


def test_a_line_that_only_begins_like_a_segment_is_none():
    message = er7.Message.parse(f"{MSH}\rPIDGIN is spoken|here\rPID")
    assert [segment.name for segment in message.segments] == ["MSH", "PIDGIN is spoken", "PID"]
    assert message.value("PID", 3) == ""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "100"),
        ("PID|1", "100"),
        ("FHS|^~\\&\rMSH|^~\\&", "100"),
        ("msh|^~\\&", "100"),
        ("MSH", "102"),
        ("MSH\rPID|1", "102"),
        ("MSHA^~\\&A", "102"),
        ("MSH ^~\\& ", "102"),
        ("MSH\x01^~\\&", "102"),
    ],
)
def test_what_has_no_readable_header_is_invalid(text, code):
    with pytest.raises(Invalid) as refusal:
        er7.Message.parse(text)
    assert refusal.value.error_code == code
    assert refusal.value.location.segment == "MSH"


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("MSH|^~\\&|", "^~\\&"),
        ("MSH|^~\\&#|", "^~\\&#"),
        ("MSH|^~\\&#junk|", "^~\\&#"),
        ("MSH|^~\\&", "^~\\&"),
        ("MSH|^~\\&\rPID|1", "^~\\&"),
        ("MSH#^~\\&#", "^~\\&"),
        ("MSH|@!%*|", "@!%*"),
        ("MSH||", "^~\\&"),
        ("MSH|", "^~\\&"),
        ("MSH|^|", "^~\\&"),
        ("MSH|^~\\|", "^~\\&"),
        ("MSH|^~&|", "^~\\&"),
        ("MSH|^~\\\\&|", "^~\\&"),
        ("MSH|^^^^|", "^~\\&"),
        ("MSH|$r?@|", "$~?@"),
        ("MSH|\\&|", "\\&^~"),
        ("MSH^^~\\&^", "~^\\&"),
        ("MSH|^~\\&A|", "^~\\&"),
    ],
)
def test_the_delimiters_come_from_the_header_and_are_always_distinct(header, encoding):
    delimiters = er7.Message.parse(header).delimiters
    assert delimiters.field == header[3]
    assert delimiters.encoding.replace(delimiters.field, "") == delimiters.encoding
    assert len(set(delimiters.encoding)) == len(delimiters.encoding)
    if header[3] != "^":
        assert delimiters.encoding == encoding


def test_odd_delimiters_are_used_throughout():
    message = er7.Message.parse("MSH$%*!@$EHR\rPID$1$$a%b!S!c*d@e%f")
    assert message.value("PID", 3, 2) == "b%c"
    assert message.value("PID", 3, 1, 2, 2) == "e"


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        (r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e\f"),
        (r"one\.br\two\.BR\three", "one\ntwo\nthree"),
        (r"\X41C3A4\ and \X0D\ ", "Aä and \r "),
        (r"a\T\b", "a&b"),
        (r"\E\T\E\ ", "\\T\\ "),
        (r"\E\.br\E\ ", "\\.br\\ "),
        (r"4\5", r"4\5"),
        (r"4\5 \T\ 6", r"4\5 & 6"),
        (r"\\server\share", r"\\server\share"),
        (r"\H\T\N\ ", r"\H\T\N\ "),
        (r"\P\ ", r"\P\ "),
        (r"\Q\ \Z12\ \C2842\ \M244224\ ", r"\Q\ \Z12\ \C2842\ \M244224\ "),
        (r"\.sp2\T\.in+4\ ", r"\.sp2\T\.in+4\ "),
        (r"\X4\ \X\ \XZZ\ \XFF\ ", r"\X4\ \X\ \XZZ\ \XFF\ "),
        (r"\Z\T\ ", r"\Z\T\ "),
    ],
)
def test_escape_sequences_are_decoded_exactly_once_and_others_left_alone(escaped, text):
    assert er7.unescape(escaped, er7.STANDARD) == text


def test_the_truncation_character_is_escaped_where_it_is_declared():
    delimiters = er7.Message.parse("MSH|^~\\&#|").delimiters
    assert er7.unescape(r"a\P\b", delimiters) == "a#b"
    assert er7.escape("a#b", delimiters) == r"a\P\b"
    assert er7.escape("a#b", er7.STANDARD) == "a#b"


def test_hexadecimal_bytes_are_in_the_character_set_of_the_message():
    assert er7.Message.parse(f"{MSH}\rNTE|1||\\XE4\\", "iso8859-1").value("NTE", 3) == "ä"
    assert er7.Message.parse(f"{MSH}\rNTE|1||\\XE4\\", "utf-8").value("NTE", 3) == r"\XE4" + "\\"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("", ""),
        ("plain", "plain"),
        (r"a|b^c&d~e\f", r"a\F\b\S\c\T\d\R\e\E\f"),
        ("1\r\n2\r3\n4", r"1\.br\2\.br\3\.br\4"),
        ("1\v2\f3\x854\u20285\u20296", r"1\.br\2\.br\3\.br\4\.br\5\.br\6"),
        ("a\tb", "a b"),
        ("a\x00b\x1cc\x1bd\x7fe\x9cf", "abcdef"),
        ("Zoë 山田", "Zoë 山田"),
    ],
)
def test_text_is_escaped_for_the_wire(text, escaped):
    assert er7.escape(text, er7.STANDARD) == escaped


def test_a_line_break_is_written_in_bytes_where_the_full_stop_is_a_delimiter():
    assert er7.escape("a\nb", er7.Delimiters(component=".")) == r"a\X0A\b"


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), include_characters="\n")), any_delimiters())
def test_text_comes_back_as_it_was_written(text, delimiters):
    assert er7.unescape(er7.escape(text, delimiters), delimiters) == text


@given(st.text(alphabet=st.sampled_from("|^~\\&FSTRE.br\n\r\x0b\x1c X0A#")), any_delimiters())
def test_escape_sequences_within_text_stay_text(text, delimiters):
    written = er7.escape(text, delimiters)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0b", "\n").replace("\x1c", "")
    assert er7.unescape(written, delimiters) == lines
    assert not {"\r", "\n", "\x0b", "\x1c"} & set(written)


@given(st.text(), st.text(), any_delimiters())
def test_no_text_leaves_its_place(first, second, delimiters):
    fields = {3: [er7.components(er7.subcomponents("s", first), second), first], 4: second, 5: "end"}
    written = er7.join((er7.segment("MSH", {3: "RIS"}, delimiters), er7.segment("PID", fields, delimiters)))
    assert not [character for character in written.replace("\r", "") if ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0]
    message = er7.Message.parse(written)
    assert [segment.name for segment in message.segments] == ["MSH", "PID"]
    assert message.delimiters == delimiters
    assert message.value("PID", 5) == "end"
    readable = er7.unescape(er7.escape(first, delimiters), delimiters)
    assert message.value("PID", 3, 1, 1, 2) == readable
    assert message.value("PID", 3, repetition=2) == readable
    assert message.first("PID").field(3).repetitions[0].component_text(1) == (f"s{delimiters.subcomponent}{readable}" if readable else "s")


@given(st.text())
def test_whatever_comes_is_read_or_invalid(text):
    for each in (text, f"MSH{text}", f"{MSH}\r{text}"):
        try:
            message = er7.Message.parse(each)
        except Invalid:
            continue
        for segment in message.segments:
            for n in range(4):
                assert isinstance(segment.value(n, 1), str)
                assert isinstance(segment.field(n).text, str)


@given(st.text())
def test_unescaping_never_fails(text):
    assert isinstance(er7.unescape(text.replace("/", "\\"), er7.STANDARD), str)


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (("ORC", "OBR"), [["ORC1", "OBR1", "OBR2"], ["ORC2", "OBR3", "NTE1", "ZDS1"]]),
        (("OBR",), [["OBR1"], ["OBR2", "ORC2"], ["OBR3", "NTE1", "ZDS1"]]),
        (("IN1",), []),
    ],
)
def test_groups_begin_at_their_outermost_start(names, groups):
    found = er7.Message.parse(ORDER).groups(names)
    assert [[f"{segment.name}{segment.sequence}" for segment in group] for group in found] == groups


def test_without_an_orc_each_obr_is_a_group():
    message = er7.Message.parse(f"{MSH}\rPID|1\rOBR|1\rNTE|1\rOBR|2\rORC|NW\rOBR|3\rOBR|4")
    groups = [[segment.raw[:5] for segment in group] for group in message.groups(("ORC", "OBR"))]
    assert groups == [["OBR|1", "NTE|1"], ["OBR|2"], ["ORC|N", "OBR|3", "OBR|4"]]


def test_a_segment_is_written_without_empty_ends():
    fields = {
        1: None,
        3: [er7.components("100", None, None, er7.subcomponents("HOSP", "1.2.3", "ISO", None), "MR", ""), "200"],
        5: er7.components("Smith & Sons", "A^B"),
        6: er7.NULL,
        7: er7.components(None, ""),
        9: [],
    }
    assert er7.segment("PID", fields) == r'PID|||100^^^HOSP&1.2.3&ISO^MR~200||Smith \T\ Sons^A\S\B|""'
    assert er7.segment("PID", {}) == "PID"
    assert er7.segment("MSH", {3: "RIS", 10: "1"}) == "MSH|^~\\&|RIS|||||||1"
    assert er7.segment("MSH", {}) == "MSH|^~\\&"
    assert er7.join(["MSH|^~\\&", "PID"]) == "MSH|^~\\&\rPID\r"


@pytest.mark.parametrize(("name", "n"), [("PID", 0), ("MSH", 1), ("MSH", 2)])
def test_a_field_that_cannot_be_given_is_refused(name, n):
    with pytest.raises(ValueError, match="given from"):
        er7.segment(name, {n: "x"})


def test_nothing_of_a_patient_shows_when_a_message_is_printed():
    message = er7.Message.parse(ORDER)
    assert repr(message) == "<Message of 9 segments>"
    assert repr(message.first("PID")) == "<Segment PID 1>"
    assert repr(message.first("PID").field(8)) == "<Field of 1 characters>"


def test_python_hl7_finds_the_same_fields():
    theirs = hl7.parse(ORDER)
    ours = er7.Message.parse(ORDER)
    assert [str(segment[0]) for segment in theirs] == [segment.name for segment in ours.segments]
    for segment, peer in zip(ours.segments, theirs, strict=True):
        for n in range(1, len(peer)):
            assert segment.field(n).raw == str(peer[n])


@pytest.mark.parametrize(
    "position", [("MSH", 9, 2), ("MSH", 12), ("PID", 3, 5, 1), ("PID", 3, 1, 2), ("PID", 8), ("OBR", 4, 2), ("OBR", 13), ("ZDS", 1, 4)]
)
def test_python_hl7_reads_the_same_values(position):
    name, n, component, repetition = (*position, 1, 1)[:4]
    theirs = hl7.parse(ORDER).extract_field(name, 1, n, repetition, component)
    assert er7.Message.parse(ORDER).value(name, n, component, repetition) == hl7.parse(ORDER).unescape(theirs)
