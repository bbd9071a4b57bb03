"""Beside the editor: a wet read that is told at once, and exams of one order that are said together."""

from collections.abc import Callable

from ris.bootstrap import Ris
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import do_exam, place
from tests.web.visitor import Visitor


def test_a_reader_tells_a_first_look_and_says_two_exams_together(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    placed = place(ris, hospital, codes=("CTCHESTC", "CTHEAD"))
    do_exam(ris, hospital, placed)
    chest, head = placed.procedure_ids
    reader = visitor()
    reader.enter(hospital.users["radiologist"])
    here = f"/exams/{chest}/report"
    assert reader.post(f"{here}/claim").status_code == 303
    assert "Say it in this report" in reader.get(here).text
    assert reader.post(f"{here}/group").status_code == 422
    assert reader.post(f"{here}/group", other=head).status_code == 303
    assert "One report says both." in reader.get(here).text
    assert "Nothing was changed" in reader.get(reader.post(f"{here}/group", other=head).location).text
    assert reader.post(f"{here}/ungroup", other=head).status_code == 303
    assert "Say it in this report" in reader.get(here).text

    page = reader.get(f"/exams/{chest}/wet-read").text
    assert "for whoever cannot wait" in page
    refused = reader.post(f"/exams/{chest}/wet-read", text="Bleeding.", displayed="something else")
    assert (refused.status_code, "Bleeding." in refused.text) == (409, True)
    assert reader.post(f"/exams/{chest}/wet-read", text="Bleeding.").status_code == 303
    editor = reader.get(here).text
    assert "The wet read is told." in editor
    assert "Changes to the wet read" in editor
    assert "Told already" in reader.get(f"/exams/{chest}/wet-read").text
    other = visitor()
    other.enter(hospital.users["technologist"])
    seen = other.get(here).text
    assert "Bleeding." in seen
    assert "Retract this report" not in seen
