from datetime import UTC, datetime

import pytest

from ris.base.errors import Location
from ris.hl7 import ack, er7
from ris.hl7.outbound.skeleton import VERSIONS, datatype, fields, skeleton, validate

NAMES = {"ORU_R01": "ORU^R01^ORU_R01", "ORM_O01": "ORM^O01^ORM_O01"}


def message(name: str, version: str, *more: str) -> str:
    obr = {1: "1", 2: er7.components("P1", "EHR"), 3: er7.components("F1", "RIS"), 4: er7.components("R-CTCH", "CT chest", "L")}
    return er7.join(
        (
            er7.segment("MSH", {3: "RIS", 7: "20260801", 9: er7.components(*NAMES[name].split("^")), 10: "1", 11: "P", 12: version}),
            er7.segment("PID", {1: "1", 3: er7.components("100", None, None, "HOSP", "MR"), 5: er7.components("Berg", "Anna")}),
            er7.segment("ORC", {1: "SC", 2: er7.components("P1", "EHR"), 3: er7.components("F1", "RIS")}),
            er7.segment("OBR", obr | {25: "F"} if name == "ORU_R01" else obr),
            *more,
        )
    )


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["ORU_R01", "ORM_O01", "ACK", "DFT_P03", "SIU_S12", "ORR_O02", "ADT_A01"])
def test_every_message_that_we_write_has_a_skeleton(name, version):
    found = skeleton(name, version)
    assert found.segments[0] == "MSH"
    assert all(fields(version, segment) > 0 for segment in found.segments)
    assert skeleton(name, version) is found


def test_the_segments_stand_in_the_order_of_the_message():
    segments = skeleton("ORU_R01", "2.5.1").segments
    assert segments[:4] == ("MSH", "SFT", "PID", "PD1")
    places = [segments.index(name) for name in ("PID", "PV1", "ORC", "OBR", "TQ1", "OBX", "SPM")]
    assert places == sorted(places)
    assert skeleton("ACK", "2.3.1").segments == ("MSH", "MSA", "ERR")


@pytest.mark.parametrize(
    ("version", "segment", "count"),
    [("2.3.1", "OBR", 45), ("2.5.1", "OBR", 50), ("2.3.1", "ERR", 1), ("2.5.1", "ERR", 12), ("2.5.1", "IPC", 9)],
)
def test_a_segment_has_the_fields_of_its_version(version, segment, count):
    assert fields(version, segment) == count


@pytest.mark.parametrize(
    ("segment", "field", "name"), [("PID", 3, "CX"), ("PID", 5, "XPN"), ("OBX", 5, "varies"), ("PID", 8, "IS"), ("MSH", 9, "MSG")]
)
def test_a_field_has_its_data_type(segment, field, name):
    assert datatype("2.5.1", segment, field) == name


def test_a_builder_may_fill_what_the_version_has():
    found = skeleton("ORU_R01", "2.3.1")
    found.check("OBR", 45)
    found.check("ZDS", 9)


@pytest.mark.parametrize(
    ("segment", "field", "reason"),
    [
        ("OBR", 46, "OBR has no field 46 in version 2.3.1"),
        ("OBR", 0, "OBR has no field 0 in version 2.3.1"),
        ("TQ1", 1, "ORU_R01 has no segment TQ1 in version 2.3.1"),
        ("SCH", 1, "ORU_R01 has no segment SCH in version 2.3.1"),
    ],
)
def test_a_builder_may_not_fill_what_the_version_does_not_have(segment, field, reason):
    with pytest.raises(ValueError, match=reason):
        skeleton("ORU_R01", "2.3.1").check(segment, field)


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda: skeleton("OMI_O23", "2.3.1"), "no message OMI_O23"),
        (lambda: skeleton("ORU_R01", "2.6"), "version 2.6 is not"),
        (lambda: fields("2.3.1", "IPC"), "no segment IPC"),
        (lambda: datatype("2.3.1", "PID", 31), "no field PID_31"),
    ],
)
def test_what_no_table_has_is_refused(ask, reason):
    with pytest.raises(ValueError, match=reason):
        ask()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_a_right_message_has_no_findings(name, version):
    obx = {1: "1", 2: "TX", 3: er7.components("R-REP", "Report", "L"), 4: "1", 5: "Heart & lungs | normal", 11: "F"}
    more = [er7.segment("OBX", obx), er7.segment("ZDS", {1: "1.2.3"})]
    assert validate(message(name, version, *more), version) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_an_acknowledgement_of_ours_has_no_findings_but_one_about_table_0357(version):
    header = ack.header(message("ORU_R01", version).encode())
    errors = (ack.AckError("101", "PID-3 is empty", Location("PID", 1, 3)),)
    answer = ack.build(header, "AE", errors=errors, own_control_id="1", now=datetime(2026, 8, 1, tzinfo=UTC)).decode()
    assert [finding for finding in validate(answer, version) if "HL70357 not in table HL70396" not in finding] == []


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("nonsense", "Invalid: The message does not begin with an MSH segment"),
        (message("ORU_R01", "2.5.1").replace("ORU^R01^ORU_R01", "ADT^A08"), "Unknown element"),
        (message("ORU_R01", "2.5.1").replace("PID|1||100^^^HOSP^MR", "PID|1||"), "Error: Missing required child PID.PID_3"),
        (message("ORU_R01", "2.5.1").replace("|Berg^Anna", "|Berg^Anna|||Q"), "Warning: Value Q not in table"),
        (message("ORU_R01", "2.5.1", "SCH|1"), "SCH has no place in the structure"),
        (message("ORU_R01", "2.5.1").replace("ORC", "OBX").replace("OBR", "NTE"), "Error: Missing required child"),
        (message("ORU_R01", "2.5.1").replace("^~\\&", "^~\\&#"), "InvalidEncodingChars"),
    ],
)
def test_faults_are_told_and_never_raised(text, finding):
    assert any(finding in found for found in validate(text, "2.5.1")), validate(text, "2.5.1")
