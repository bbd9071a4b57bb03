"""The safety screen: asked once, it counts for every exam of the patient, and follows the patient into a merge."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from ris.patient import screening
from ris.patient import service as patients
from ris.patient.model import Answer, Question, ScreeningAnswer
from ris.patient.screening import Said
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.service import RuleData
from tests.factories.hospital import Hospital
from tests.factories.orders import make_patient, new_exam
from tests.web.visitor import NOW, Visitor, trail


@pytest.fixture
def exam(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    return new_exam(ris, hospital, "MRBRAIN")


def test_an_answer_mends_what_the_rule_found_and_is_shown_with_the_exam(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure
) -> None:
    with ris.uow() as uow:
        rules.add(uow, RuleData("Implants", "implant", "warn", "", {}))
    clerk = visitor()
    clerk.enter(hospital.users["scheduler"])
    place = {"date": "2026-12-01", "time": "09:00", "room_id": hospital.rooms["MR1"]}
    refused = clerk.post(f"/schedule/exams/{exam.id}/book", **place)
    path = f"/patients/{exam.order.patient_id}/screening"
    assert path in refused.text
    assert "Never asked here" in clerk.get(path).text
    assert clerk.post(path, implant="no", pregnancy="").status_code == 303
    assert clerk.post(f"/schedule/exams/{exam.id}/book", **place).status_code == 303
    assert "No implant, no metal in the body" in clerk.get(f"/exams/{exam.id}").text
    (entry,) = trail(ris, what="patient.screened")
    assert (entry.patient_id, entry.detail) == (exam.order.patient_id, {"questions": ["implant"]})


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "no question is answered"),
        ({"implant": "yes"}, "implant: say which"),
        ({"implant": "maybe"}, "choose one of the answers"),
        ({"pregnancy": "conditional"}, "this cannot be answered to it"),
        ({"implant": "yes", "detail-implant": "x" * 301}, "at most 300 characters"),
    ],
)
def test_an_answer_that_says_too_little_is_refused_and_nothing_is_kept(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure, form: dict[str, str], said: str
) -> None:
    technologist = visitor()
    technologist.enter(hospital.users["technologist"])
    refused = technologist.post(f"/patients/{exam.order.patient_id}/screening", **form)
    assert refused.status_code == 422
    assert said in refused.text
    with ris.read() as session:
        assert session.scalars(sa.select(ScreeningAnswer)).first() is None


def test_the_newest_answer_counts_and_a_merge_takes_the_answers_along(ris: Ris, hospital: Hospital) -> None:
    with ris.uow(hospital.actor("technologist")) as uow:
        kept, gone = make_patient(uow).id, make_patient(uow).id
        screening.screen(uow, kept, [Said(Question.implant, Answer.no)])
        screening.screen(uow, gone, [Said(Question.implant, Answer.yes, "pacemaker")])
    with ris.uow() as uow:
        patients.merge(uow, survivor_id=kept, loser_id=gone)
    with ris.read() as session:
        (row,) = screening.screened(session, kept, NOW)
        assert row.detail == "pacemaker"
        assert [one.detail for one in screening.history(session, kept)] == ["pacemaker", ""]
        assert screening.screened(session, gone, NOW) == ()
