"""A message for people: names of the standard, what we read, and what the standard says against it."""

import time

import pytest

from ris.bootstrap import Ris
from ris.catalog import service as catalog
from ris.hl7.er7 import Message
from ris.hl7.explain import tables
from ris.hl7.explain.advice import MOST, advice
from ris.hl7.explain.mapped import mapped
from ris.hl7.explain.view import LONGEST_VALUE, MOST_CHARACTERS, Line, view
from tests.factories.hospital import Hospital
from tests.messages.samples import adt, merge, message, msh, obr, orc, order, orm, pid, pv1


def parsed(raw: bytes) -> Message:
    return Message.parse(raw.decode())


def lines(raw: bytes) -> dict[str, Line]:
    return {line.place: line for segment in view(parsed(raw)).segments for line in segment.lines}


def remarks(raw: bytes) -> list[tuple[str, str]]:
    return [(remark.place, remark.text) for remark in advice(parsed(raw)).remarks]


# ── the view ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_part_has_its_place_and_the_name_that_the_standard_gives_it() -> None:
    found = lines(order(mrn="M1~X2^^^ZZ&1.2&ISO^PI"))
    assert (found["PID-3[2]"].name, found["PID-3[2]"].datatype, found["PID-3[2]"].text) == (
        "Patient identifier list", "CX", "X2^^^ZZ&1.2&ISO^PI",
    )  # fmt: skip
    assert (found["PID-3[2].4.2"].name, found["PID-3[2].4.2"].text, found["PID-3[2].4.2"].depth) == ("Universal ID", "1.2", 2)
    assert (found["MSH-2"].name, found["MSH-2"].text) == ("Encoding characters", "^~\\&")
    assert (found["PID-1"].name, found["PID-7"].name) == ("Set ID", "Date/time of birth")
    assert found["PID-8"].table == "0001"


def test_names_are_those_of_the_version_of_the_message() -> None:
    assert lines(message(msh("ADT^A04", version="2.3"), pid()))["PID-8"].name == "Sex"
    assert lines(message(msh("ADT^A04", version="2.8"), "EVN|A04|20261124"))["EVN-2"].name == "Recorded date/time"
    assert view(parsed(message(msh("ADT^A04", version="9"), pid()))).version == tables.NEWEST_WITH_ALL


def test_obx_5_is_what_obx_2_says_and_a_text_is_not_cut() -> None:
    found = lines(order() + b"OBX|1|CE|30525-0||M^Male^L\rOBX|2|TX|1234||a ^ b & c\r")
    assert (found["OBX-5.2"].name, found["OBX-5.2"].text) == ("Text", "Male")
    assert found["OBX[2]-5"].text == "a ^ b & c"
    assert "OBX[2]-5.1" not in found


def test_values_are_unescaped_after_they_were_cut() -> None:
    found = lines(adt("A04", pid(name=r"Fern\S\Oak^A\T\B")))
    assert (found["PID-5.1"].text, found["PID-5.2"].text) == ("Fern^Oak", "A&B")


def test_a_segment_of_the_sender_s_own_is_shown_without_names() -> None:
    shown = view(parsed(order() + b"ZDS|1.2.3^RAD\rZZZ|x\r")).segments
    assert [(s.place, s.title, s.is_known) for s in shown[-2:]] == [("ZDS", "Study Instance UID (IHE)", False), ("ZZZ", "", False)]
    assert [line.text for line in shown[-2].lines] == ["1.2.3^RAD", "1.2.3", "RAD"]


def test_what_is_too_long_is_cut_and_the_view_says_how_much_is_left_out() -> None:
    long = "x" * (LONGEST_VALUE + 7)
    assert lines(order() + f"NTE|1||{long}\r".encode())["NTE-3"].left_out == 7
    huge = order() + b"".join(f"OBX|{n}|TX|1||{'y' * 3000}\r".encode() for n in range(200))
    shown = view(parsed(huge))
    assert "segments are left out" in shown.left_out
    assert sum(len(line.text) for segment in shown.segments for line in segment.lines) < MOST_CHARACTERS


# ── advice ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_standard_has_nothing_against_a_good_message() -> None:
    good = message(msh("ADT^A04^ADT_A01"), "EVN|A04|20261124120000", pid(), pv1())
    assert remarks(good) == []
    assert advice(parsed(good)).structure == "ADT_A01 of 2.5.1"
    assert remarks(order()) == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (message(msh("ADT^A04"), pid(), pv1()), ("EVN", "is required and missing")),
        (orm(pid()), ("ORC", "is required and missing")),
        (adt("A04", pid(), pid(), pv1()), ("PID[2]", "stands where the structure has none, or one too many")),
        (adt("A04", pid(), pv1(), "SCH|1"), ("SCH", "is no part of ADT_A01")),
        (adt("A04", pid(), pv1(), "QQQ|1"), ("QQQ", "is no segment of 2.5.1")),
        (adt("A04", pid("", name="A^B"), pv1()), ("PID-3", "Patient identifier list is required")),
        (orm(pid(), orc("QQ", "P1"), obr("P1")), ("ORC-1", "Order control: the code is not in table 0119")),
        (adt("A04", pid(born="17.5.1970"), pv1()), ("PID-7.1", "Time: not written as data type DTM")),
        (adt("A04", pid(born="19701317"), pv1()), ("PID-7.1", "Time: not written as data type DTM")),
        (adt("A04", pid(sex="F~M"), pv1()), ("PID-8", "Administrative sex may not repeat")),
        (adt("A04", pid(sex="x" * 21), pv1()), ("PID-8", "Administrative sex: 21 characters, data type IS has at most 20")),
        (adt("A04", pid(), pv1() + "|" * 50 + "x"), ("PV1-69", "2.5.1 has no field beyond PV1-52")),
        (adt("A04", pid("M1^^^HOSP&1&ISO&x^MR"), pv1()), ("PID-3.4", "HD has 3 parts, not 4")),
        (
            message(msh("ADT^A04", version="2.8"), "EVN|A04|20261124", pid(), pv1()),
            ("EVN-1", "A value of earlier versions is withdrawn in 2.8"),
        ),
        (message(msh("ADT^A04", version="2.7"), pid("M1^^^HOSP"), pv1()), ("PID-3.5", "Identifier type code is required")),
        (message(msh("QQQ^Z01"), pid()), ("MSH-9", "the standard has no structure for this type of message")),
        (message(msh("ADT^A04", version="2.7"), pid(), pv1(), "EVN|A04|20261124"), ("EVN", "is required and missing")),
    ],
)
def test_what_the_standard_says_against_a_message(raw: bytes, expected: tuple[str, str]) -> None:
    assert expected in remarks(raw)


def test_a_merge_is_held_against_its_structure_although_it_names_another() -> None:
    assert advice(parsed(merge("M1", "M2"))).structure == "ADT_A39 of 2.5.1"


def test_advice_has_bounds_of_size_number_and_time_and_says_so() -> None:
    many = parsed(order() + b"OBX|x\r" * 300)
    assert len(advice(many).remarks) == MOST
    assert "first 200" in advice(many).left_out
    assert "takes too long" in advice(many, budget_s=-1).left_out
    huge = parsed(order() + b"NTE|1||" + b"x" * MOST_CHARACTERS + b"\r")
    started = time.monotonic()
    assert "longer than 256 KB" in advice(huge).left_out
    assert time.monotonic() - started < 1


def test_a_long_message_of_many_segments_is_held_against_the_standard_in_time() -> None:
    many = parsed(order() + b"".join(f"NTE|{n}||x\r".encode() for n in range(5_000)) + b"PID|1\r" * 100)
    started = time.monotonic()
    assert advice(many).remarks
    assert time.monotonic() - started < 2


# ── read as ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_says_what_was_read_and_which_code_leads_where(ris: Ris, hospital: Hospital) -> None:
    raw = orm(pid("M1"), pv1("V1"), orc("NW", "P1"), obr("P1"), obr("P1", "XYZ^New^L"))
    with ris.read() as session:
        said = mapped(session, parsed(raw), hospital.partner_id)
        assert mapped(session, parsed(raw), None) == {}
    assert said == {
        "MSH-3": "partner EHR",
        "PID-3": "MR M1 of HOSP",
        "PID-5": "family name Meadow, given name Anna",
        "PID-7": "born 1970-05-17",
        "PID-8": "female",
        "PV1-19": "visit V1 of HOSP",
        "OBR-4": "CTHEAD: CT head without contrast",
        "OBR[2]-4": "not mapped: the exam waits with the raw code",
    }


def test_the_partner_s_own_codes_are_said_as_what_they_are_here(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        for kind, theirs, ours in (("priority", "EIL", "S"), ("class", "STAT", "I"), ("sex", "W", "F")):
            catalog.map_code(uow, partner_id=hospital.partner_id, kind=kind, their_code=theirs, our_code=ours)
    raw = orm(pid("M1", sex="W"), pv1("V1", "STAT"), orc("NW", "P1", f7="^^^^^EIL"), obr("P1"))
    with ris.read() as session:
        said = mapped(session, parsed(raw), hospital.partner_id)
    assert (said["ORC-7.6"], said["PV1-2"], said["PID-8"]) == ("priority S", "class I", "female")
