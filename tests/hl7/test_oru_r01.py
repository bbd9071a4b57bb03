"""What a result looks like on the wire, read back and validated."""

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from ris.bootstrap import Ris
from ris.hl7 import er7, mllp
from ris.journal.model import Message, MessageLink
from ris.order.model import RequestedProcedure
from ris.outbox.transport import CannotBuild
from ris.partner.model import Destination
from ris.patient.model import Patient, PatientIdentifier
from ris.report import service as report
from ris.report.model import ReportProcedure, ReportVersion
from tests.factories.hospital import Hospital
from tests.hl7 import building
from tests.hl7.building import findings
from tests.outbox.outgoing import add_destination, do_exam, place, retract, sign


def built(ris: Ris, version_id: int) -> er7.Message:
    """The message that tells of a version, built, stored and read back."""
    return er7.Message.parse(raw(ris, version_id).decode())


def raw(ris: Ris, version_id: int) -> bytes:
    return building.raw(ris, "report.published", lambda event: event.facts["version_id"] == version_id)


def lines(message: er7.Message) -> list[str]:
    return [obx.value(5) for obx in message.all("OBX") if obx.value(2) == "TX"]


def test_a_final_result_carries_the_numbers_of_the_placer_ours_and_the_accession(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital, "P7001")
    do_exam(ris, hospital, placed)
    version_id = sign(ris, hospital, placed, "FINDINGS:\nNo embolus.\n\nIMPRESSION:\nNormal.")
    message = built(ris, version_id)
    with ris.read() as session:
        procedure = session.get_one(RequestedProcedure, placed.procedure_ids[0])
        version = session.get_one(ReportVersion, version_id)
        filler = procedure.order.filler_number
    assert findings(message) == []
    assert [message.value("MSH", n) for n in (3, 4, 5, 6, 11, 12, 18)] == ["RIS", "MAIN", "EHR", "HOSP", "P", "2.5.1", ""]
    assert message.first("MSH").field(9).raw == "ORU^R01^ORU_R01"
    assert [message.value("ORC", n) for n in (1, 2, 3, 5)] == ["SC", "P7001", filler, "CM"]
    obr = message.first("OBR")
    assert (obr.value(2), obr.value(2, 2), obr.value(3), obr.value(3, 2)) == ("P7001", "EHR", filler, "RIS")
    assert [obr.value(4, n) for n in (1, 2, 3)] == ["CTCHESTC", "ctchestc", "L"]
    assert [obr.value(16, n) for n in (1, 2, 3)] == ["1234", "Refer", "Ralph"]
    assert (obr.value(18), obr.value(24), obr.value(25)) == (procedure.accession_number, "RAD", "F")
    assert obr.value(7)[:8].isdigit()
    assert obr.value(22)[-5:] in ("-0400", "-0500")
    assert (obr.value(32, 1, 1, 2), obr.value(32, 1, 1, 3)) == ("Radiologist", "Test")
    assert version.signer_name == "Test Radiologist"
    study = message.first("OBX")
    assert [study.value(n) for n in (2, 3, 5, 11)] == ["ST", "113014", procedure.study_instance_uid, "O"]
    assert lines(message) == ["FINDINGS:", "No embolus.", "", "IMPRESSION:", "Normal."]
    assert {obx.value(11) for obx in message.all("OBX")[1:]} == {"F"}


def test_preliminary_final_and_addendum_each_say_so_and_carry_their_own_text(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    first = sign(ris, hospital, placed, "Seems normal.", kind="preliminary", role="technologist")
    second = sign(ris, hospital, placed, "Normal.")
    third = sign(ris, hospital, placed, "Compared with 2019.", kind="addendum")
    preliminary, final, addendum = (built(ris, version_id) for version_id in (first, second, third))
    assert [m.value("OBR", 25) for m in (preliminary, final, addendum)] == ["P", "F", "C"]
    assert lines(preliminary) == ["Seems normal."]
    assert lines(final) == ["Normal."]
    assert lines(addendum)[1:] == ["Compared with 2019.", "", "Normal."]
    assert preliminary.value("OBR", 33, 1, 1, 2) == "Technologist"
    assert preliminary.value("OBR", 32, 1, 1, 2) == ""
    assert len({m.value("MSH", 10) for m in (preliminary, final, addendum)}) == 3
    assert all(len(m.value("MSH", 10)) <= 20 for m in (preliminary, final, addendum))


def test_a_retraction_posts_what_was_sent_as_wrong_and_nobody_stands_for_it(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital, "P7")
    do_exam(ris, hospital, placed)
    sign(ris, hospital, placed, "Normal.\nNo embolus.")
    message = built(ris, retract(ris, hospital, placed))
    assert findings(message) == []
    assert (message.value("ORC", 5), message.value("OBR", 2), message.value("OBR", 25)) == ("", "P7", "X")
    assert (message.value("OBR", 32), message.value("OBR", 33)) == ("", "")
    heading, reason, *rest = lines(message)
    assert (heading.split()[0], reason, rest) == ("RETRACTED", "Reason: wrong patient", ["", "Normal.", "No embolus."])
    assert [obx.value(11) for obx in message.all("OBX")] == ["O", *"WWWWW"]
    again = built(ris, sign(ris, hospital, placed, "Embolus."))
    assert (again.value("OBR", 25), lines(again)) == ("F", ["Embolus."])


def test_lines_go_under_the_code_of_their_section_and_are_the_report_when_put_together(ris: Ris, hospital: Hospital) -> None:
    there = add_destination(ris, "reader", 1, "report.published", message="oru_r01_sections")
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    text = "Dear colleague,\n\nClinical history: cough.\nFINDINGS:\nNo embolus | none.\nNote: motion.\n\nImpression:\nNormal."
    sign(ris, hospital, placed, text)
    sign(ris, hospital, placed, "Compared with 2019.", kind="addendum")
    first, second = (
        building.built(ris, "report.published", lambda event, kind=kind: event.facts["kind"] == kind, destination_id=there)
        for kind in ("final", "addendum")
    )
    assert findings(first) == findings(second) == []
    assert "\n".join(lines(first)) == text
    codes = [obx.value(3) for obx in first.all("OBX") if obx.value(2) == "TX"]
    assert codes == ["18748-4"] * 2 + ["55752-0"] + ["59776-5"] * 4 + ["19005-8"] * 2
    assert [obx.value(1) for obx in first.all("OBX")] == [str(number) for number in range(1, 11)]
    assert second.all("OBX")[1].value(3) == "55107-7"


@pytest.mark.parametrize("version", ["2.3.1", "2.5.1"])
def test_a_document_takes_the_place_of_the_one_before(ris: Ris, hospital: Hospital, version: str) -> None:
    there = add_destination(ris, "documents", 1, "report.published", message="mdm_t02", version=version)
    placed = place(ris, hospital, "P7")
    do_exam(ris, hospital, placed)
    ids = [
        sign(ris, hospital, placed, "Seems normal.", kind="preliminary", role="technologist"),
        sign(ris, hospital, placed, "Normal.\nNo embolus."),
        sign(ris, hospital, placed, "Compared with 2019.", kind="addendum"),
    ]
    documents = [
        building.built(ris, "report.published", lambda event, one=one: event.facts["version_id"] == one, destination_id=there)
        for one in ids
    ]
    assert [findings(document) for document in documents] == [[], [], []]
    assert [d.first("MSH").field(9).raw for d in documents] == ["MDM^T02^MDM_T02", "MDM^T10^MDM_T02", "MDM^T10^MDM_T02"]
    assert [(d.value("TXA", 12), d.value("TXA", 13)) for d in documents] == [
        (str(ids[0]), ""), (str(ids[1]), str(ids[0])), (str(ids[2]), str(ids[1])),
    ]  # fmt: skip
    assert [d.value("TXA", 17) for d in documents] == ["PA", "LA", "LA"]
    assert (documents[1].value("TXA", 14), documents[1].value("TXA", 9, 2)) == ("P7", "Radiologist")
    assert [obx.value(5) for obx in documents[1].all("OBX")] == ["Normal.", "No embolus."]


@pytest.mark.parametrize("version", ["2.3.1", "2.5.1"])
def test_a_retracted_document_is_cancelled_and_the_next_one_is_new(ris: Ris, hospital: Hospital, version: str) -> None:
    there = add_destination(ris, "documents", 1, "report.published", message="mdm_t02", version=version)
    placed = place(ris, hospital, "P7")
    do_exam(ris, hospital, placed)
    first = sign(ris, hospital, placed, "Normal.")
    taken_back = retract(ris, hospital, placed)
    second = sign(ris, hospital, placed, "Embolus.")
    cancelled, new = (
        building.built(ris, "report.published", lambda event, one=one: event.facts["version_id"] == one, destination_id=there)
        for one in (taken_back, second)
    )
    assert (findings(cancelled), findings(new)) == ([], [])
    assert [m.first("MSH").field(9).raw for m in (cancelled, new)] == ["MDM^T11^MDM_T01", "MDM^T02^MDM_T02"]
    assert [cancelled.value("TXA", n) for n in (12, 13, 14, 17, 19)] == [str(first), "", "P7", "LA", "CA"]
    assert cancelled.all("OBX") == []
    assert [new.value("TXA", n) for n in (12, 13, 19)] == [str(second), "", "AV"]


def test_a_report_on_two_exams_has_a_group_with_the_whole_text_for_each(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital, codes=("CTCHESTC", "CTHEAD"))
    do_exam(ris, hospital, placed)
    with ris.uow(hospital.actor("radiologist")) as uow:
        opened = report.open_for(uow, placed.procedure_ids[0])
        uow.session.flush()
        uow.add(ReportProcedure(procedure_id=placed.procedure_ids[1], report_id=opened.id))
    message = built(ris, sign(ris, hospital, placed, "Both normal."))
    groups = list(message.groups(("ORC", "OBR")))
    assert findings(message) == []
    assert len(groups) == 2
    with ris.read() as session:
        accessions = [session.get_one(RequestedProcedure, p).accession_number for p in placed.procedure_ids]
    assert [obr.value(18) for obr in message.all("OBR")] == accessions
    assert lines(message) == ["Both normal.", "Both normal."]


def test_the_patient_is_the_survivor_and_identifiers_that_came_by_a_merge_stay_here(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital, "P1")
    do_exam(ris, hospital, placed)
    version_id = sign(ris, hospital, placed, "Normal.")
    with ris.uow() as uow:
        survivor = uow.add(Patient(family="Überlebende", given="Zoë"))
        uow.session.flush()
        uow.add(PatientIdentifier(patient_id=survivor.id, key="s", value="S-1", authority="HOSP", type="MR"))
        mine = uow.session.scalars(sa.select(PatientIdentifier).where(PatientIdentifier.patient_id == placed.patient_id)).one()
        mine.patient_id, mine.merged = survivor.id, True
        uow.session.get_one(Patient, placed.patient_id).merged_into_id = survivor.id
    message = built(ris, version_id)
    assert message.first("PID").field(3).raw == "S-1^^^HOSP^MR"
    assert (message.value("PID", 5, 1), message.value("PID", 5, 2)) == ("Überlebende", "Zoë")
    assert message.value("MSH", 18) == "UNICODE UTF-8"


def test_a_partner_who_did_not_place_the_order_gets_our_code_and_its_own_wall_clock(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    with ris.uow() as uow:
        uow.session.get_one(Destination, hospital.destination_id).active = False
    add_destination(ris, "archive", 1, "report.published")
    message = built(ris, sign(ris, hospital, placed, "Normal."))
    assert message.first("OBR").field(4).raw == "CTCHESTC^CT chest with contrast^99RIS"
    assert message.value("MSH", 7)[-5:] in ("+0100", "+0200")


def test_the_journal_finds_the_message_by_everything_that_it_is_about(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    control_id = built(ris, sign(ris, hospital, placed, "Normal.")).value("MSH", 10)
    with ris.read() as session:
        row = session.scalars(sa.select(Message).where(Message.control_id == control_id)).one()
        found = set(session.scalars(sa.select(MessageLink.object_kind).where(MessageLink.message_id == row.id)))
    assert (row.direction, row.state, row.kind, row.charset) == ("out", "sent", "ORU^R01", "utf-8")
    assert found == {"patient", "order", "procedure", "report", "report_version"}


def test_a_sign_that_the_character_set_lacks_is_not_replaced_by_a_question_mark(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    with ris.uow() as uow:
        uow.session.get_one(Destination, hospital.destination_id).charset = "8859/1"
    latin = raw(ris, sign(ris, hospital, placed, "Größe 5 mm"))
    assert "Größe 5 mm".encode("latin-1") in latin
    assert b"|8859/1" in latin
    with pytest.raises(CannotBuild, match="8859/1"):
        raw(ris, sign(ris, hospital, placed, "Lesion ≥ 5 mm", kind="addendum"))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=300))
def test_no_text_leaves_its_segment_or_its_frame(text: str) -> None:
    written = er7.segment("OBX", {5: text})
    assert not set(written) & {"\r", "\n", "\x0b", "\x1c"}
    assert len(mllp.Framer(10_000).feed(mllp.frame(written.encode()))) == 1


@pytest.mark.parametrize("evil", ["a|b^c&d~e\\f", "x\rOBX|1|TX|||forged", "y\x0bMSH|^~\\&|\x1c\r", "\\.br\\ \\X0D\\ \\E\\"])
def test_delimiters_line_ends_and_frame_bytes_in_a_report_stay_text(ris: Ris, hospital: Hospital, evil: str) -> None:
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    version_id = sign(ris, hospital, placed, f"before {evil} after")
    payload = raw(ris, version_id)
    (frame,) = mllp.Framer(100_000).feed(mllp.frame(payload))
    message = er7.Message.parse(frame.payload.decode())
    kept = evil.replace("\r", "\n").replace("\x0b", "\n").replace("\x1c", "")
    assert "\n".join(lines(message)) == f"before {kept} after".strip("\n")
    assert [segment.name for segment in message.segments if segment.name != "OBX"] == ["MSH", "PID", "PV1", "ORC", "OBR", "TQ1"]
