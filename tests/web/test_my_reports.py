"""A resident submits, a radiologist approves several at once, takes back and sends back: through the pages."""

import re
from collections.abc import Callable

import pytest

from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from ris.report import mine, reading
from ris.settings import Reports, Settings
from tests.clock import Clock
from tests.factories.hospital import PASSWORD, Hospital
from tests.factories.orders import completed
from tests.web.visitor import Visitor

HIDDEN = re.compile(r'name="(row_version|displayed)" value="([^"]*)"')
CHOICE = re.compile(r'name="report" value="([^"]+)"')
READING = "IMPRESSION:\nNormal."


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"reports": Reports(publication_delay_seconds=180)})


@pytest.fixture
def resident(hospital: Hospital, visitor: Callable[[], Visitor]) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["resident"])
    return someone


@pytest.fixture
def radiologist(hospital: Hospital, visitor: Callable[[], Visitor]) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["radiologist"])
    return someone


def page_of(exam: RequestedProcedure) -> str:
    return f"/exams/{exam.id}/report"


def submitted(ris: Ris, hospital: Hospital, resident: Visitor) -> RequestedProcedure:
    exam = completed(ris, hospital)
    assert resident.post(f"{page_of(exam)}/claim").status_code == 303
    seen = dict(HIDDEN.findall(resident.get(page_of(exam)).text))
    assert resident.post(f"{page_of(exam)}/submit", text=READING, **seen).status_code == 303
    return exam


def status_of(ris: Ris, exam: RequestedProcedure) -> str:
    with ris.read() as session:
        found = reading.report_of(session, exam.id)
    assert found is not None
    return found.status


def test_several_are_approved_at_once_and_who_is_left_out_is_named(
    ris: Ris, hospital: Hospital, resident: Visitor, radiologist: Visitor
) -> None:
    exams = [submitted(ris, hospital, resident) for _ in range(3)]
    choices = CHOICE.findall(radiologist.get("/my-reports").text)
    assert len(choices) == 3
    assert "Sign the chosen" not in resident.get("/my-reports").text
    assert resident.post("/my-reports/approve", report=choices).status_code == 404
    assert resident.post(f"{page_of(exams[1])}/recall").status_code == 303
    answer = radiologist.post("/my-reports/approve", report=choices, password=PASSWORD)
    assert (answer.status_code, "2 signed." in answer.text) == (409, True)
    assert re.search(rf"{exams[1].accession_number}</a>, .*: it was changed by somebody else meanwhile", answer.text)
    assert [status_of(ris, exam) for exam in exams] == ["final", "draft", "final"]
    assert radiologist.post("/my-reports/approve").status_code == 409
    assert radiologist.post("/my-reports/approve", report="nonsense").status_code == 400


def test_a_password_counts_as_given_for_five_minutes(ris: Ris, hospital: Hospital, radiologist: Visitor, clock: Clock) -> None:
    exams = [completed(ris, hospital) for _ in range(2)]
    for exam, minutes in zip(exams, (4, 2), strict=True):
        clock.advance(minutes=minutes)
        radiologist.post(f"{page_of(exam)}/claim")
        seen = dict(HIDDEN.findall(radiologist.get(page_of(exam)).text))
        answer = radiologist.post(f"{page_of(exam)}/sign", text=READING, **{"as": "final"}, **seen)
    assert (status_of(ris, exams[0]), answer.status_code) == ("final", 409)
    assert "the password is not right" in answer.text
    assert READING in answer.text
    wrong = radiologist.post(f"{page_of(exam)}/sign", text=READING, password="wrong", **{"as": "final"}, **seen)
    assert (wrong.status_code, status_of(ris, exam)) == (409, "draft")
    assert radiologist.post(f"{page_of(exam)}/sign", text=READING, password=PASSWORD, **{"as": "final"}, **seen).status_code == 303


def test_a_form_that_does_not_say_what_it_displayed_signs_nothing(ris: Ris, hospital: Hospital, radiologist: Visitor) -> None:
    exam = completed(ris, hospital)
    radiologist.post(f"{page_of(exam)}/claim")
    seen = dict(HIDDEN.findall(radiologist.get(page_of(exam)).text))
    answer = radiologist.post(f"{page_of(exam)}/sign", text=READING, row_version=seen["row_version"], **{"as": "final"})
    assert (answer.status_code, status_of(ris, exam)) == (409, "draft")
    assert "read it again before signing" in answer.text


def test_a_reading_is_sent_back_and_a_signature_taken_back(ris: Ris, hospital: Hospital, resident: Visitor, radiologist: Visitor) -> None:
    first, second = (submitted(ris, hospital, resident) for _ in range(2))
    for exam in (first, second):
        radiologist.post(f"{page_of(exam)}/claim")
    assert radiologist.post(f"{page_of(first)}/send-back", reason="left and right").status_code == 303
    assert "Sent back</strong> to Test Resident by Test Radiologist: left and right" in resident.get(page_of(first)).text
    seen = dict(HIDDEN.findall(radiologist.get(page_of(second)).text))
    ungraded = radiologist.post(f"{page_of(second)}/sign", text="Bleeding.", **{"as": "final"}, **seen)
    assert "say how much" in ungraded.text
    assert "Bleeding." in ungraded.text
    graded = radiologist.post(f"{page_of(second)}/sign", text="Bleeding.", grade="major", **{"as": "final"}, **seen)
    assert graded.status_code == 303
    assert f"{page_of(second)}/take-back" in radiologist.get("/my-reports").text
    assert "paper.pdf" in radiologist.get(page_of(second)).text
    with ris.read() as session:
        (approval,) = mine.approvals(session, hospital.users["resident"])
    changes = resident.get(f"/my-reports/{approval.id}").text
    assert "<ins>Bleeding.</ins>" in changes
    assert "<del>" in changes
    assert radiologist.post(f"{page_of(second)}/take-back").location == page_of(second)
    assert "Bleeding.</textarea>" in radiologist.get(page_of(second)).text
    assert resident.get(f"/my-reports/{approval.id}").status_code == 404
    assert radiologist.get(f"{page_of(second)}/paper.pdf?version=2").status_code == 404
