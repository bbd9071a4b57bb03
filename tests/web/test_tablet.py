"""The tablet: a code opens it once, for one patient's forms, and nothing on it leads anywhere else."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from ris.audit.model import Outcome
from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from ris.patient import alerts
from ris.patient.model import AlertKind
from ris.questionnaire import queries, tablet
from ris.questionnaire.model import QuestionnaireResponse, ResponseStatus, TabletSession
from ris.web.pages.tablet.wording import WORDS
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import booked
from tests.questionnaire.forms import published
from tests.web.visitor import HOST, TOKEN, Visitor, trail

SECRET = "Quartz"
"""A family name that must never reach a tablet."""


class Tablet(Visitor):
    """A browser in the hands of a patient."""

    @property
    def own_cookie(self) -> str:
        found = self.client.get_cookie("ris-form")
        return found.value if found else ""

    def send(self, path: str, **fields: str) -> int:
        """As a person does, with the form token of the page."""
        page = self.get(path if path.startswith("/tablet/form/") else "/tablet/start").text
        found = TOKEN.search(page) or FORM_TOKEN.search(page)
        return self.post(path, **({"csrf_token": found[1]} if found else {}), **fields).status_code


GAP = re.compile(r"{\w+}")
FORM_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@pytest.fixture
def exam(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    exam = booked(ris, hospital, "MRBRAIN", "MR1")
    with ris.uow() as uow:
        published(uow, "mr-safety", "pregnancy")
        uow.session.execute(sa.text("UPDATE patient SET family = :family"), {"family": SECRET})
        alerts.raise_alert(uow, exam.order.patient_id, AlertKind.language, "Spanish, a little English")
    return exam


@pytest.fixture
def tablet_of(app: Flask, ris: Ris) -> Callable[[], Tablet]:
    return lambda: Tablet(app, ris)


def code_for(ris: Ris, hospital: Hospital, exam: RequestedProcedure) -> str:
    with ris.uow(hospital.actor("front_desk")) as uow:
        wanted = [form.version.version_id for form in queries.needed(uow.session, exam.id, uow.now)]
        return tablet.make_code(uow, procedure_id=exam.id, version_ids=wanted, language="en")


def opened(tablet_of: Callable[[], Tablet], code: str) -> Tablet:
    one = tablet_of()
    assert one.post("/tablet", code=code).status_code == 303
    assert one.send("/tablet/confirm", me="yes") == 303
    return one


def response(ris: Ris) -> QuestionnaireResponse:
    with ris.read() as session:
        return session.scalars(sa.select(QuestionnaireResponse)).one()


def test_a_patient_fills_a_form_in_steps_and_a_dead_battery_loses_nothing(
    ris: Ris, hospital: Hospital, exam: RequestedProcedure, visitor: Callable[[], Visitor], tablet_of: Callable[[], Tablet], clock: Clock
) -> None:
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    desk = clerk.get(f"/exams/{exam.id}/forms").text
    assert '<option value="es" selected>' in desk
    version_id = desk.split('name="version_id" value="')[1].split('"')[0]
    page = clerk.post(f"/exams/{exam.id}/forms/tablet", version_id=version_id, language="es").text
    code = page.split('class="the-code">')[1].split("<")[0]
    assert "A code waits" in clerk.get(f"/exams/{exam.id}/forms").text
    one = tablet_of()
    assert one.get("/tablet?language=de").text.count("Code von der Anmeldung") == 1
    answer = one.post("/tablet", code=code)
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "SameSite=Strict" in answer.headers["Set-Cookie"]
    start = one.get("/tablet/start").text
    assert "¿Es usted?" in start
    assert "Anna" in start
    assert "1970" in start
    assert SECRET not in start
    assert "1970-" not in start
    assert one.send("/tablet/language", language="en", next="/tablet/start") == 303
    assert "Is this you?" in one.get("/tablet/start").text
    one.send("/tablet/confirm", me="yes")
    assert one.get("/tablet/form").location == "/tablet/form/1/1"
    assert one.send("/tablet/form/1/1") == 422
    assert "Please answer this question" in one.post("/tablet/form/1/1", csrf_token=token(one, "/tablet/form/1/1")).text
    for step, said in enumerate(("yes", "Medtronic", "no"), 1):
        assert one.send(f"/tablet/form/1/{step}", answer=said) == 303
    assert response(ris).answers == {"pacemaker": "yes", "pacemaker_which": "Medtronic", "stimulator": "no"}
    again = opened(tablet_of, code_for(ris, hospital, exam))
    assert again.get("/tablet/form").location == "/tablet/form/1/4"
    assert one.get("/tablet/form/1/4").status_code == 400
    for step, said in enumerate(("no", "no", "no", "no", "no", ""), 4):
        assert again.send(f"/tablet/form/1/{step}", answer=said) == 303
    review = again.get("/tablet/form/1/review").text
    assert "Medtronic" in review
    assert SECRET not in review
    assert again.send("/tablet/form/1/2", answer="Medtronic, 2019", after="review") == 303
    assert again.send("/tablet/form/1/review") == 303
    kept = response(ris)
    assert (kept.status, kept.by_patient, kept.language) == (ResponseStatus.completed, True, "en")
    assert "Pacemaker or defibrillator: Medtronic, 2019" in clerk.get(f"/exams/{exam.id}").text
    assert f"/forms/{kept.id}" in visitor_page(visitor, hospital, "/tasks")
    assert [entry.outcome for entry in trail(ris, what="questionnaire.tablet_opened")] == [Outcome.success] * 2
    assert len(trail(ris, what="form answered")) == 10
    told = trail(ris, what="questionnaire.completed")[0]
    assert (told.actor_kind, told.patient_id) == ("tablet", exam.order.patient_id)
    assert "Medtronic" not in str([entry.detail for entry in trail(ris)])
    for path in ("/tablet/start", "/tablet/form", "/tablet/form/1/1", "/tablet/form/1/review"):
        assert again.get(path).status_code == 400


def token(one: Tablet, path: str) -> str:
    return FORM_TOKEN.search(one.get(path).text)[1]


def visitor_page(visitor: Callable[[], Visitor], hospital: Hospital, path: str) -> str:
    someone = visitor()
    someone.enter(hospital.users["technologist"])
    return someone.get(path).text


def test_an_open_tablet_is_a_way_to_no_other_page_and_no_other_patient(
    ris: Ris, hospital: Hospital, exam: RequestedProcedure, app: Flask, visitor: Callable[[], Visitor], tablet_of: Callable[[], Tablet]
) -> None:
    other = booked(ris, hospital, "MRBRAIN", "MR1")
    theirs = opened(tablet_of, code_for(ris, hospital, other))
    own = opened(tablet_of, code_for(ris, hospital, exam))
    reached = set()
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if "GET" in (rule.methods or ()) and rule.endpoint.split(".")[0] not in ("static", "tablet", "health"):
                names = {name: exam.id if name == "procedure_id" else exam.order.patient_id for name in rule.arguments}
                answer = own.get(app.url_for(rule.endpoint, **names))
                if answer.status_code == 200:
                    reached.add(rule.endpoint)
                assert SECRET not in answer.text
    assert reached == {"account.log_in"}
    for path in ("/tablet/form/2/1", "/tablet/form/0/1", "/tablet/form/1/99", f"/tablet/form/{response_of(ris, other)}/1"):
        assert own.get(path).status_code == 404
        assert own.post(path, csrf_token=token(own, "/tablet/form/1/1"), answer="yes").status_code == 404
    assert own.post("/tablet/form/1/1", csrf_token=token(theirs, "/tablet/form/1/1"), answer="yes").status_code == 400
    assert own.post("/tablet/form/1/1", answer="yes").status_code == 400
    assert own.post("/tablet/form/1/1", headers={"Origin": "https://evil.example"}, answer="yes").status_code == 400
    for page in ("/tablet/start", "/tablet/form/1/1"):
        links = set(re.findall(r'(?:href|action)="(/[^"]*)"', own.get(page).text))
        assert {link for link in links if not link.startswith(("/tablet", "/static"))} == set()
    assert response_by(ris, exam).answers == {}


def response_of(ris: Ris, exam: RequestedProcedure) -> int:
    return response_by(ris, exam).id


def response_by(ris: Ris, exam: RequestedProcedure) -> QuestionnaireResponse:
    with ris.read() as session:
        return session.scalars(sa.select(QuestionnaireResponse).where(QuestionnaireResponse.procedure_id == exam.id)).one()


def test_a_code_opens_once_for_ten_minutes_and_a_copied_cookie_dies_with_the_session(
    ris: Ris, hospital: Hospital, exam: RequestedProcedure, visitor: Callable[[], Visitor], tablet_of: Callable[[], Tablet], clock: Clock
) -> None:
    code = code_for(ris, hospital, exam)
    one = opened(tablet_of, f"{code[:4]} {code[4:]}")
    assert tablet_of().post("/tablet", code=code).status_code == 403
    thief = tablet_of()
    thief.client.set_cookie("ris-form", one.own_cookie)
    assert thief.get("/tablet/form/1/1").status_code == 200
    assert one.send("/tablet/form/1/1", answer="no") == 303
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    assert clerk.post(f"/exams/{exam.id}/forms/tablet/end").status_code == 303
    for browser in (one, thief):
        assert browser.get("/tablet/form/1/1").status_code == 400
    assert response(ris).answers == {"pacemaker": "no"}
    late = code_for(ris, hospital, exam)
    clock.now += tablet.CODE_HOLDS
    assert tablet_of().post("/tablet", code=late).status_code == 403
    idle = opened(tablet_of, code_for(ris, hospital, exam))
    clock.now += tablet.IDLE - timedelta(seconds=1)
    assert idle.send("/tablet/stay") == 204
    clock.now += tablet.IDLE - timedelta(seconds=1)
    assert idle.get("/tablet/form/1/2").status_code == 200
    clock.now += timedelta(seconds=1)
    assert idle.get("/tablet/form/1/2").status_code == 400
    clerk.enter(hospital.users["front_desk"])
    assert "left alone" in clerk.get(f"/exams/{exam.id}/forms").text
    lasting = opened(tablet_of, code_for(ris, hospital, exam))
    for _ in range(7):
        clock.now += timedelta(minutes=9)
        lasting.send("/tablet/stay")
    assert lasting.get("/tablet/form/1/2").status_code == 400
    with ris.read() as session:
        rows = session.scalars(sa.select(TabletSession)).all()
    assert not [row for row in rows if code in (row.code_hash, row.token_hash) or one.own_cookie == row.token_hash]


def test_guessing_codes_is_slowed_down_and_somebody_else_hands_the_tablet_back(
    ris: Ris, hospital: Hospital, exam: RequestedProcedure, tablet_of: Callable[[], Tablet], clock: Clock
) -> None:
    code = code_for(ris, hospital, exam)
    guesser = tablet_of()
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    assert [guesser.post("/tablet", code=wrong).status_code for _ in range(8)] == [403] * 6 + [429] * 2
    assert "wait 1 seconds" in guesser.post("/tablet", code=wrong).text
    assert guesser.post("/tablet", code=code).status_code == 429
    assert guesser.own_cookie == ""
    assert [entry.outcome for entry in trail(ris, what="questionnaire.code_refused")] == [Outcome.refused] * 6
    clock.now += timedelta(seconds=2)
    assert guesser.post("/tablet", code=code).status_code == 303
    page = guesser.post("/tablet/confirm", csrf_token=token(guesser, "/tablet/start"), me="no")
    assert "it is not about you" in page.text
    assert guesser.own_cookie == ""
    assert guesser.get("/tablet/start").status_code == 400


def test_a_colleague_who_hands_over_a_tablet_is_logged_out_on_it(
    ris: Ris, hospital: Hospital, exam: RequestedProcedure, tablet_of: Callable[[], Tablet]
) -> None:
    one = tablet_of()
    one.enter(hospital.users["front_desk"])
    staff_cookie = one.cookie
    assert one.post("/tablet", code=code_for(ris, hospital, exam), headers={"Origin": HOST}).status_code == 303
    assert one.cookie == ""
    one.cookie = staff_cookie
    assert one.get(f"/exams/{exam.id}").status_code == 303


def test_staff_fill_a_form_for_the_patient_correct_it_and_print_it_empty(
    ris: Ris, hospital: Hospital, exam: RequestedProcedure, visitor: Callable[[], Visitor]
) -> None:
    someone = visitor()
    someone.enter(hospital.users["technologist"])
    printed = someone.get(f"/exams/{exam.id}/forms/paper?language=de")
    assert (printed.status_code, printed.data[:5]) == (200, b"%PDF-")
    with ris.read() as session:
        (form,) = queries.needed(session, exam.id, ris.clock())
    begun = someone.post(f"/exams/{exam.id}/forms/fill", version_id=form.version.version_id)
    answers = dict.fromkeys(("pacemaker", "stimulator", "clip", "joint", "splinter", "pump", "narrow"), "no")
    refused = someone.post(begun.location, **{**answers, "clip": "", "weight": "10000"})
    assert refused.status_code == 422
    assert "2 answers need another look" in refused.text
    assert response(ris).answers["pacemaker"] == "no"
    assert someone.post(begun.location, **{**answers, "clip": "yes", "clip_year": "2001", "weight": "80"}).status_code == 303
    path = f"/forms/{response(ris).id}"
    assert "Aneurysm clip or coil: 2001" in someone.get(path).text
    assert someone.post(f"{path}/clear", outcome="").status_code == 422
    assert someone.post(f"{path}/clear", outcome="Titanium, safe").status_code == 303
    corrected = someone.post(f"{path}/correct", reason="It was a hair clip")
    assert someone.post(corrected.location, **{**answers, "weight": ""}).status_code == 303
    assert "corrected by another" in someone.get(path).text
    desk = someone.get(f"/exams/{exam.id}/forms").text
    assert "every form that this exam asks for is valid" in desk
    assert someone.post(f"/exams/{exam.id}/forms/tablet", version_id=form.version.version_id).status_code == 422


def test_the_tablet_says_everything_in_each_of_its_languages() -> None:
    assert set(WORDS) >= {"en", "es", "de", "fr", "it", "pl", "pt", "tr", "ru", "uk", "ar"}
    assert {code: set(its) ^ set(WORDS["en"]) for code, its in WORDS.items()} == {code: set() for code in WORDS}
    gaps = {key: GAP.findall(text) for key, text in WORDS["en"].items()}
    assert {code: {key: GAP.findall(text) for key, text in its.items()} for code, its in WORDS.items()} == dict.fromkeys(WORDS, gaps)
    same = {(code, key) for code, its in WORDS.items() for key, text in its.items() if code != "en" and text == WORDS["en"][key]}
    assert same == {("es", "no"), ("it", "no")}, "a text that nobody has translated"


def test_a_scanned_code_opens_its_form_also_where_another_was_left_open(
    ris: Ris, hospital: Hospital, tablet_of: Callable[[], Tablet], exam: RequestedProcedure
) -> None:
    left_open = opened(tablet_of, code_for(ris, hospital, exam))
    assert left_open.get("/tablet").status_code == 303
    assert left_open.get("/tablet?scanned=").status_code == 200
    assert left_open.post("/tablet", code=code_for(ris, hospital, exam)).status_code == 303
    arabic = tablet_of().get("/tablet?language=ar").text
    assert '<html lang="ar" dir="rtl"' in arabic
    assert WORDS["ar"]["welcome"] in arabic
