"""Forms answered by patients: what follows from an answer, how long it holds, and that nothing of it is ever changed; on both engines."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.bootstrap import Ris
from ris.exam import checks
from ris.exam.checks import Verdict
from ris.order.model import RequestedProcedure
from ris.patient import alerts, screening
from ris.patient import service as patients
from ris.patient.model import Answer, Patient, Question
from ris.patient.screening import Said
from ris.questionnaire import filling, queries, service
from ris.questionnaire.answers import Fault, WrongAnswer
from ris.questionnaire.model import QuestionnaireResponse, ResponseStatus
from ris.questionnaire.queries import Needed
from ris.questionnaire.reading import read
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.check import open_findings
from ris.scheduling.rules.model import Moment
from ris.scheduling.rules.service import RuleData
from ris.scheduling.service import current_step
from ris.task import queries as tasks
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, booked, make_patient
from tests.questionnaire.forms import published, raw

NOW = datetime(2026, 11, 30, 15, tzinfo=UTC)
ALL_NO = dict.fromkeys(("pacemaker", "stimulator", "clip", "joint", "splinter", "pump", "narrow"), "no") | {"weight": ""}


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def hospital(ris: Ris, hospital: Hospital) -> Hospital:
    with ris.uow() as uow:
        published(uow, "mr-safety", "pregnancy", "contrast")
        rules.add(uow, RuleData("Implants", "implant", "warn", "", {}, moment=Moment.start))
    return hospital


@pytest.fixture
def mr(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    return booked(ris, hospital, "MRBRAIN", "MR1", MONDAY + timedelta(days=7))


def forms(ris: Ris, exam: RequestedProcedure) -> dict[str, Needed]:
    with ris.read() as session:
        return {form.version.code: form for form in queries.needed(session, exam.id, ris.clock())}


def fill(ris: Ris, hospital: Hospital, exam: RequestedProcedure, code: str, answers: dict[str, str], *, by_patient: bool = True) -> int:
    version_id = forms(ris, exam)[code].version.version_id
    with ris.uow(hospital.actor("technologist")) as uow:
        response_id = filling.begin(uow, procedure_id=exam.id, version_id=version_id).id
        for key, text in answers.items():
            filling.answer(uow, response_id, key, text)
        filling.complete(uow, response_id, by_patient=by_patient)
        return response_id


def known(ris: Ris, exam: RequestedProcedure) -> SimpleNamespace:
    """Everything that follows from answers."""
    patient_id = exam.order.patient_id
    with ris.uow() as uow:
        step = current_step(uow, exam.id)
    with ris.read() as session:
        badges = alerts.of_patients(session, [patient_id], ris.clock()).get(patient_id, ())
        return SimpleNamespace(
            alerts=[badge.text for badge in badges if badge.label == "Safety"],
            screen={row.question: (row.answer, row.detail) for row in screening.screened(session, patient_id, ris.clock())},
            points={point.key: (point.verdict, point.text) for point in checks.points(session, exam.id, ris.clock())},
            tasks=[task.reason for task in tasks.open_tasks(session, [exam.site_id], filling.TASK)],
            rules=[finding.text for finding in open_findings(session, ris.clock(), step, Moment.start)] if step else [],
        )


def test_a_form_that_denies_everything_clears_the_check_list_and_is_not_asked_again_while_it_is_valid(
    ris: Ris, hospital: Hospital, mr: RequestedProcedure, clock: Clock
) -> None:
    assert [(form.version.code, form.is_valid, form.response) for form in forms(ris, mr).values()] == [("mr-safety", False, None)]
    before = known(ris, mr)
    assert before.points["form-mr-safety"] == (Verdict.stop, "MR safety is not filled")
    assert before.rules
    fill(ris, hospital, mr, "mr-safety", ALL_NO)
    after = known(ris, mr)
    assert (after.alerts, after.tasks, after.rules, after.screen) == ([], [], [], {Question.implant: (Answer.no, "")})
    assert after.points["form-mr-safety"] == (Verdict.known, "MR safety: filled on 30 Nov 2026")
    again = booked(ris, hospital, "MRBRAIN", "MR1")
    with ris.uow() as uow:
        uow.session.get_one(RequestedProcedure, again.id).order.patient_id = mr.order.patient_id
    assert forms(ris, again)["mr-safety"].is_valid
    clock.advance(days=30)
    assert not forms(ris, again)["mr-safety"].is_valid
    assert known(ris, mr).screen == {}


def test_a_positive_answer_is_told_everywhere_and_ends_with_its_days(
    ris: Ris, hospital: Hospital, mr: RequestedProcedure, clock: Clock
) -> None:
    said = {**ALL_NO, "pacemaker": "yes", "pacemaker_which": "Medtronic, 2019", "joint": "unsure", "pump": "yes", "narrow": "yes"}
    fill(ris, hospital, mr, "mr-safety", said)
    found = known(ris, mr)
    assert found.alerts == [
        "Claustrophobia, Pacemaker or defibrillator: Medtronic, 2019, Passive implant: not sure, Sensor, pump or patch to take off"
    ]
    assert found.screen == {Question.implant: (Answer.yes, "Pacemaker or defibrillator: Medtronic, 2019; Passive implant: not sure")}
    assert found.points["magnet"][0] is Verdict.stop
    verdicts = {text: verdict for key, (verdict, text) in found.points.items() if key.startswith("finding-")}
    assert verdicts == {"From a form: Sensor, pump or patch to take off": Verdict.ask, "From a form: Claustrophobia": Verdict.ask}
    assert found.tasks[0].startswith("MR safety: Pacemaker or defibrillator: Medtronic, 2019; ")
    assert "pacemaker" in found.rules[0].lower()
    clock.advance(days=1)
    assert "take off" not in known(ris, mr).alerts[0]
    clock.advance(days=365)
    assert known(ris, mr).alerts == ["Pacemaker or defibrillator: Medtronic, 2019, Passive implant: not sure"]
    points = known(ris, mr).points
    confirmed = {key for key, (verdict, _) in points.items() if verdict is Verdict.ask}
    reasons = {key: "settings agreed with the maker" for key, (verdict, _) in points.items() if verdict is Verdict.stop}
    with ris.uow(hospital.actor("technologist")) as uow:
        checks.begin(uow, procedure_id=mr.id, confirmed=confirmed, reasons=reasons)
    assert known(ris, mr).tasks == []


def test_a_patient_who_denies_what_is_on_record_does_not_wipe_it_out(ris: Ris, hospital: Hospital, mr: RequestedProcedure) -> None:
    with ris.uow(hospital.actor("radiologist")) as uow:
        screening.screen(uow, mr.order.patient_id, [Said(Question.implant, Answer.yes, "pacemaker, 2012")])
    fill(ris, hospital, mr, "mr-safety", ALL_NO)
    found = known(ris, mr)
    assert found.screen[Question.implant] == (Answer.yes, "pacemaker, 2012")
    assert found.points["magnet"][0] is Verdict.stop
    assert "Denied now, but on record" in found.tasks[0]
    with ris.uow(hospital.actor("technologist")) as uow:
        (row,) = queries.of_patient(uow.session, mr.order.patient_id)
        with pytest.raises(Invalid):
            filling.clear(uow, row.response_id, " ")
        filling.clear(uow, row.response_id, "The pacemaker was taken out in 2020")
    assert known(ris, mr).tasks == []


def test_a_correction_is_a_new_response_and_the_old_one_stays(ris: Ris, hospital: Hospital, mr: RequestedProcedure) -> None:
    first = fill(ris, hospital, mr, "mr-safety", {**ALL_NO, "clip": "yes", "clip_year": "2001"})
    with ris.uow(hospital.actor("technologist")) as uow:
        with pytest.raises(Invalid):
            filling.correct(uow, first, "")
        new = filling.correct(uow, first, "She meant a hair clip").id
        filling.answer(uow, new, "clip", "no")
    assert forms(ris, mr)["mr-safety"].response.response_id == first
    with ris.uow(hospital.actor("technologist")) as uow:
        filling.complete(uow, new, by_patient=False)
    found = known(ris, mr)
    assert (found.alerts, found.tasks, found.screen) == ([], [], {Question.implant: (Answer.no, "")})
    with ris.read() as session:
        old, current = queries.response(session, first), queries.response(session, new)
    assert (old.status, old.answers["clip"], old.answers["clip_year"]) == (ResponseStatus.amended, "yes", "2001")
    assert (current.status, current.corrects_id, current.correction_reason) == (ResponseStatus.completed, first, "She meant a hair clip")
    assert "clip_year" not in current.answers
    with ris.uow() as uow:
        for forbidden in (
            lambda: filling.answer(uow, first, "clip", "no"),
            lambda: filling.complete(uow, new, by_patient=True),
            lambda: filling.correct(uow, first, "again"),
        ):
            with pytest.raises(NotAllowedNow):
                forbidden()
    for statement in (
        "UPDATE questionnaire_response SET answers = '{}'",
        "DELETE FROM questionnaire_response",
        "UPDATE questionnaire_version SET content = '{}'",
        "DELETE FROM questionnaire_version",
    ):
        with pytest.raises(DBAPIError), ris.engine.begin() as connection:
            connection.exec_driver_sql(statement)


def test_every_answer_is_kept_at_once_and_each_is_checked(ris: Ris, hospital: Hospital, mr: RequestedProcedure) -> None:
    version_id = forms(ris, mr)["mr-safety"].version.version_id
    with ris.uow() as uow:
        response_id = filling.begin(uow, procedure_id=mr.id, version_id=version_id, language="es").id
        filling.answer(uow, response_id, "clip", "yes")
        with pytest.raises(NotFound):
            filling.answer(uow, response_id, "pacemaker_which", "asked only after yes")
        for key, text, fault in (
            ("pacemaker", "", Fault.needed), ("pacemaker", "maybe", Fault.choice), ("weight", "heavy", Fault.number),
            ("weight", "1", Fault.range), ("weight", "nan", Fault.number), ("clip_year", "2" * 501, Fault.long),
        ):  # fmt: skip
            with pytest.raises(WrongAnswer) as refused:
                filling.answer(uow, response_id, key, text)
            assert refused.value.fault is fault
        filling.answer(uow, response_id, "weight", " 80,5 ")
        with pytest.raises(NotAllowedNow) as left:
            filling.complete(uow, response_id, by_patient=True)
    assert left.value.missing == ("pacemaker", "stimulator", "clip_year", "joint", "splinter", "pump", "narrow")
    form = forms(ris, mr)["mr-safety"]
    assert (form.response.progress, form.response.language, form.response.answers["weight"]) == ((2, 9), "es", "80.5")
    with ris.uow() as uow:
        assert filling.begin(uow, procedure_id=mr.id, version_id=version_id).id == response_id
        filling.stop(uow, response_id)
        assert filling.begin(uow, procedure_id=mr.id, version_id=version_id).id != response_id


def test_who_is_asked_depends_on_procedure_sex_and_age(ris: Ris, hospital: Hospital, mr: RequestedProcedure) -> None:
    with ris.uow() as uow:
        uow.session.execute(sa.text("UPDATE procedure SET contrast = true WHERE code = 'CTCHESTC'"))
    plain, contrast = booked(ris, hospital, "CTHEAD"), booked(ris, hospital, "CTCHESTC")
    assert (set(forms(ris, plain)), set(forms(ris, contrast)), set(forms(ris, mr))) == (set(), {"contrast"}, {"mr-safety"})
    for sex, born, expected in (
        ("F", date(1990, 1, 1), {"pregnancy"}), ("U", date(1990, 1, 1), {"pregnancy"}), ("F", None, {"pregnancy"}),
        ("M", date(1990, 1, 1), set()), ("F", date(2018, 1, 1), set()), ("F", date(1971, 11, 30), {"pregnancy"}),
        ("F", date(1970, 11, 30), set()),
    ):  # fmt: skip
        with ris.uow() as uow:
            values = {"sex": sex, "birth_date": born}
            uow.session.execute(sa.update(Patient).where(Patient.id == plain.order.patient_id).values(**values))
        assert set(forms(ris, plain)) == expected, (sex, born)
    with ris.uow() as uow:
        version = next(row for row in queries.in_force(uow.session) if row.code == "pregnancy")
        service.set_retired(uow, version.questionnaire_id, retired=True)
        uow.session.execute(sa.update(Patient).values(birth_date=date(1990, 1, 1)))
    assert set(forms(ris, plain)) == set()


def test_kidneys_that_the_patient_calls_sick_stop_and_a_pregnancy_holds_for_its_days(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    with ris.uow() as uow:
        uow.session.execute(sa.text("UPDATE procedure SET contrast = true WHERE code = 'CTCHESTC'"))
    exam = booked(ris, hospital, "CTCHESTC")
    with ris.uow() as uow:
        uow.session.execute(sa.update(Patient).values(birth_date=date(1990, 1, 1)))
    fill(ris, hospital, exam, "pregnancy", {"pregnant": "unsure", "period": "2026-11-01", "nursing": "no"})
    no = dict.fromkeys(("reaction", "kidneys", "metformin", "thyroid", "asthma"), "no") | {"last_meal": "hours_4"}
    fill(ris, hospital, exam, "contrast", {**no, "kidneys": "yes", "kidneys_which": "dialysis"})
    found = known(ris, exam)
    assert found.points["pregnancy"][0] is Verdict.stop
    assert "2026-11-01" in found.points["pregnancy"][1]
    assert found.points["kidneys"][0] is Verdict.stop
    assert found.points["allergy"][0] is Verdict.known
    clock.advance(days=7)
    assert known(ris, exam).points["pregnancy"][0] is Verdict.ask
    assert known(ris, exam).alerts == ["Kidney disease: dialysis"]


def test_a_newer_version_leaves_answers_with_theirs_and_a_merge_takes_them_along(
    ris: Ris, hospital: Hospital, mr: RequestedProcedure
) -> None:
    response_id = fill(ris, hospital, mr, "mr-safety", ALL_NO)
    content = raw("mr-safety")
    content["items"] = content["items"][:2]
    with ris.uow() as uow:
        draft = service.take_in(uow, content)
        assert (draft.number, len(forms(ris, mr)["mr-safety"].version.content.items)) == (2, 13)
        service.publish(uow, draft.questionnaire_id)
    form = forms(ris, mr)["mr-safety"]
    assert (form.version.number, form.response.number, form.is_valid) == (2, 1, True)
    with ris.uow() as uow:
        other = make_patient(uow).id
        merge = patients.merge(uow, survivor_id=other, loser_id=mr.order.patient_id)
    with ris.read() as session:
        assert session.get_one(QuestionnaireResponse, response_id).patient_id == other
        assert forms(ris, mr)["mr-safety"].is_valid
    with ris.uow() as uow:
        patients.unmerge(uow, merge.id)
    with ris.read() as session:
        assert session.get_one(QuestionnaireResponse, response_id).patient_id == mr.order.patient_id


def test_everything_that_is_wrong_with_a_questionnaire_is_said_with_its_place(ris: Ris, hospital: Hospital) -> None:
    good = raw("mr-safety")
    assert read({key: value for key, value in good.items() if key != "code"}).items[0].key == "pacemaker"
    bad = {
        "code": "bad", "languages": ["en", "xx"], "audience": {"procedures": ["NOTHERE"], "age_from": 50, "age_to": 12}, "valid_days": -1,
        "items": [
            {"key": "a b", "kind": "yes_no", "text": {"es": "¿Sí?"}},
            {"key": "b", "kind": "choice", "text": {"en": "Which"}, "choices": {"one": {"en": "One"}}, "positive_is": ["two"]},
            {"key": "c", "kind": "text", "text": {"en": "C"}, "when_key": "z", "when_is": ["yes"], "below": 3, "finding": "C"},
        ],
    }  # fmt: skip
    with ris.uow() as uow, pytest.raises(Invalid) as refused:
        service.take_in(uow, bad)
    for said in (
        "language xx", "title: missing in English", "procedure NOTHERE", "age: from 0", "valid for", "question 1 (a b): key",
        "question 1 (a b): text: missing", "question 2 (b): choices: at least two", "question 2 (b): positive: answers are one",
        "question 3 (c): asked when: no question z", "question 3 (c): below and above",
    ):  # fmt: skip
        assert said in refused.value.message, said
    with ris.uow() as uow, pytest.raises(Invalid, match=r"question 1: kind is not one of.*question 2: not an object"):
        service.take_in(uow, {"code": "bad", "items": [{"kind": "essay", "colour": 1}, "x"]})
