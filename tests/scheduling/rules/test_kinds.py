"""Each kind of rule over facts, without a database: when it speaks, when it is silent, and what every one of them owes its reader."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ris.order.status import Priority, ProcedureStatus
from ris.patient.model import Answer, ObservationKind, Question, Sex
from ris.patient.queries import AllergyRow, ObservationRow
from ris.patient.screening import ANSWERS, ScreenRow
from ris.scheduling.rules.check import judged
from ris.scheduling.rules.cover import Cover
from ris.scheduling.rules.facts import Exam, Facts, OtherExam, Person, Place
from ris.scheduling.rules.kinds import KINDS
from ris.scheduling.rules.model import Rule, Severity

NOW = datetime(2026, 11, 30, 15, tzinfo=UTC)
AT = NOW + timedelta(days=3)
EXAM = Exam(
    1, 10, "A1", "CTCHESTC", "CT chest with contrast", "CT", "chest", True, "Nothing to eat for 4 hours.", Priority.routine, "", False, None
)
WOMAN = Person(7, date(1990, 5, 17), Sex.female, "", (), (), ())
FACTS = Facts(NOW, "America/New_York", EXAM, Place(5, "CT 1", AT, AT + timedelta(minutes=30)), WOMAN, ())
OTHER = OtherExam(
    2, 20, "A2", "CTCHESTC", "CT chest with contrast", "CT", "chest", True, ProcedureStatus.scheduled, NOW, AT + timedelta(days=2),
    AT + timedelta(days=2, minutes=30),
)  # fmt: skip


def parameters(kind: str, **values: Any) -> dict[str, Any]:
    return {p.name: p.read(str(values.get(p.name, p.default))) for p in KINDS[kind].parameters}


def said(kind: str, facts: Facts, **values: Any) -> list[str]:
    return [objection.text for objection in KINDS[kind].check(facts, parameters(kind, **values))]


def observed(kind: ObservationKind, value: str, unit: str = "", days_ago: int = 1) -> ObservationRow:
    return ObservationRow(kind, value, unit, NOW - timedelta(days=days_ago), "F")


def person(*observations: ObservationRow, **changes: Any) -> Facts:
    return replace(FACTS, person=replace(WOMAN, observations=observations, **changes))


def told(question: Question, answer: Answer, detail: str = "", days_ago: int = 1) -> ScreenRow:
    return ScreenRow(question, answer, detail, NOW - timedelta(days=days_ago), "Test Technologist", None)


def beside(**changes: Any) -> Facts:
    return replace(FACTS, others=(replace(OTHER, **changes),))


# ── duplicate ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "values", "speaks"),
    [
        ({}, {}, True),
        ({}, {"days": 1}, False),
        ({"starts_at": AT - timedelta(days=14), "status": ProcedureStatus.completed}, {}, True),
        ({"starts_at": AT - timedelta(days=15), "status": ProcedureStatus.completed}, {}, False),
        ({"starts_at": None, "status": ProcedureStatus.ordered}, {}, True),
        ({"order_id": 10}, {}, False),
        ({"status": ProcedureStatus.discontinued}, {}, False),
        ({"modality": "MR"}, {}, False),
        ({"modality": "MR"}, {"same": "region"}, True),
        ({"region": "trunk"}, {}, True),
        ({"region": "head"}, {}, False),
        ({"code": "CTCHEST"}, {"same": "exam"}, False),
        ({"region": "head"}, {"same": "exam"}, True),
        ({}, {"exams": "CT,!CTCHEST*"}, False),
    ],
)
def test_the_same_again(changes: dict[str, Any], values: dict[str, Any], speaks: bool) -> None:
    texts = said("duplicate", beside(**changes), **values)
    assert bool(texts) is speaks
    assert all("A2" in text for text in texts)


def test_two_exams_without_a_region_are_not_of_the_same_region() -> None:
    facts = replace(beside(region=""), exam=replace(EXAM, region=""))
    assert said("duplicate", facts) == []


# ── interaction ──────────────────────────────────────────────────────────────────────────────────────────────────────

THYROID = {"code": "NMTHYR", "name": "NM thyroid scan", "modality": "NM", "contrast": False}


@pytest.mark.parametrize(
    ("hours_before", "speaks"), [(1, True), (24, True), (25, False), (-2, False)], ids=["soon after", "in the gap", "after it", "before it"]
)
def test_what_comes_too_soon_after_an_exam_that_disturbs_it(hours_before: float, speaks: bool) -> None:
    begun = AT - timedelta(hours=hours_before)
    facts = beside(**THYROID, starts_at=begun, ends_at=begun + timedelta(hours=1))
    assert bool(said("interaction", facts, first="NMTHYR", then="CT+C", hours=24)) is speaks


def test_the_exam_that_disturbs_is_asked_about_when_the_other_is_planned_behind_it() -> None:
    facts = beside(**THYROID, starts_at=AT + timedelta(days=20), ends_at=AT + timedelta(days=20, hours=1))
    (text,) = said("interaction", facts, first="CT+C", then="NMTHYR", hours=1008, why="Iodine blocks it.")
    assert "A2" in text
    assert "1008 hours" in text
    assert "Iodine blocks it." in text
    assert said("interaction", facts, first="CT+C", then="NMTHYR", hours=24) == []


def test_an_exam_without_a_time_disturbs_nothing_yet() -> None:
    assert said("interaction", beside(**THYROID, starts_at=None, ends_at=None), first="NMTHYR", then="CT+C") == []


# ── preparation ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("hours", "priority", "speaks"),
    [(72, Priority.routine, False), (73, Priority.routine, True), (73, Priority.stat, False), (73, Priority.asap, True)],
)
def test_too_little_time_to_prepare(hours: int, priority: Priority, speaks: bool) -> None:
    assert bool(said("preparation", replace(FACTS, exam=replace(EXAM, priority=priority)), hours=hours)) is speaks


# ── pregnancy ────────────────────────────────────────────────────────────────────────────────────────────────────────

PREGNANCY = ObservationKind.pregnancy


@pytest.mark.parametrize(
    ("facts", "speaks"),
    [
        (person(), "is not known"),
        (person(sex=Sex.male), ""),
        (person(sex=Sex.unknown), "is not known"),
        (person(birth_date=date(1970, 12, 3)), ""),
        (person(birth_date=date(1970, 12, 4)), "is not known"),
        (person(birth_date=date(2014, 12, 3)), "is not known"),
        (person(birth_date=date(2014, 12, 4)), ""),
        (person(birth_date=None), "is not known"),
        (person(observed(PREGNANCY, "negative")), ""),
        (person(observed(PREGNANCY, "N")), ""),
        (person(observed(PREGNANCY, "negative", days_ago=12)), "more than 14 days"),
        (person(observed(PREGNANCY, "unknown")), "is not known"),
        (person(observed(PREGNANCY, "positive", days_ago=100)), "Pregnant: positive"),
        (person(observed(PREGNANCY, "yes"), birth_date=date(1960, 1, 1)), "Pregnant: yes"),
        (person(ambulatory_status="A1 B6"), "Pregnant: said with the visit"),
        (person(screening=(told(Question.pregnancy, Answer.no),)), ""),
        (person(screening=(told(Question.pregnancy, Answer.yes, "week 9"),)), "Pregnant, or it is possible: week 9"),
        (person(observed(PREGNANCY, "positive"), screening=(told(Question.pregnancy, Answer.no, days_ago=9),)), "Pregnant: positive"),
        (person(observed(PREGNANCY, "positive", days_ago=9), screening=(told(Question.pregnancy, Answer.no),)), ""),
        (replace(FACTS, exam=replace(EXAM, code="MRBRAIN", modality="MR")), ""),
    ],
)
def test_who_is_or_may_be_pregnant(facts: Facts, speaks: str) -> None:
    texts = said("pregnancy", facts)
    assert (speaks in texts[0]) if speaks else texts == []


# ── kidneys ──────────────────────────────────────────────────────────────────────────────────────────────────────────

EGFR, CREATININE = ObservationKind.egfr, ObservationKind.creatinine


@pytest.mark.parametrize(
    ("facts", "speaks"),
    [
        (person(), "Neither eGFR nor creatinine is known"),
        (person(observed(EGFR, "30")), ""),
        (person(observed(EGFR, "29.9", "ml/min")), "eGFR 29.9 ml/min on 29 Nov 2026: below 30"),
        (person(observed(EGFR, "<30")), "below 30"),
        (person(observed(EGFR, ">60")), ""),
        (person(observed(EGFR, "80", days_ago=87)), ""),
        (person(observed(EGFR, "80", days_ago=88)), "older than 90 days"),
        (person(observed(EGFR, "see text")), "Neither eGFR"),
        (person(observed(CREATININE, "0.8", "mg/dL")), ""),
        (person(observed(CREATININE, "2.5", "mg/dL")), "by CKD-EPI 2021) on 29 Nov 2026: below 30"),
        (person(observed(CREATININE, "221", "µmol/L")), "below 30"),
        (person(observed(CREATININE, "2.5", "furlong")), "Neither eGFR"),
        (person(observed(CREATININE, "0.8", "mg/dL"), birth_date=None), "Neither eGFR"),
        (person(observed(EGFR, "80", days_ago=9), observed(CREATININE, "2.5", "mg/dL", 2)), "below 30"),
        (person(observed(EGFR, "80", days_ago=2), observed(CREATININE, "2.5", "mg/dL", 9)), ""),
        (replace(FACTS, exam=replace(EXAM, contrast=False)), ""),
    ],
)
def test_kidneys_too_weak_too_long_ago_or_not_known(facts: Facts, speaks: str) -> None:
    texts = said("renal", facts)
    assert (speaks in texts[0]) if speaks else texts == []


# ── allergy ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("text", "speaks"), [("Iohexol", True), ("IODINATED contrast", True), ("Penicillin", False)])
def test_an_allergy_to_what_is_given(text: str, speaks: bool) -> None:
    facts = person(allergies=(AllergyRow("DA", text, "SV", "hives"),))
    assert bool(said("allergy", facts)) is speaks
    assert said("allergy", replace(facts, exam=replace(EXAM, contrast=False))) == []


def test_a_reaction_that_the_patient_told_of_counts_as_an_allergy() -> None:
    facts = person(screening=(told(Question.contrast_reaction, Answer.yes, "hives in 2019"),))
    assert said("allergy", facts) == ["Reacted to contrast medium before: hives in 2019 (29 Nov 2026)"]
    assert said("allergy", person(screening=(told(Question.contrast_reaction, Answer.no),))) == []


# ── implants ─────────────────────────────────────────────────────────────────────────────────────────────────────────

IMPLANT = Question.implant


@pytest.mark.parametrize(
    ("screening", "danger", "speaks"),
    [
        ((), "", "has not been asked"),
        ((told(IMPLANT, Answer.no),), "", ""),
        ((told(IMPLANT, Answer.no, days_ago=363),), "", "more than 365 days"),
        ((told(IMPLANT, Answer.conditional, "hip of 2015"),), "", "under conditions: hip of 2015"),
        ((told(IMPLANT, Answer.yes, "pacemaker"),), "", "not safe, or nobody knows which: pacemaker"),
        ((told(IMPLANT, Answer.no),), "Has a Pacemaker!", "The orderer wrote: Has a Pacemaker!"),
    ],
)
def test_an_implant_is_known_or_nobody_has_asked(screening: tuple[ScreenRow, ...], danger: str, speaks: str) -> None:
    facts = person(screening=screening)
    texts = said("implant", replace(facts, exam=replace(EXAM, modality="MR", danger=danger)))
    assert (speaks in texts[0]) if speaks else texts == []
    assert said("implant", facts) == []


# ── protocol ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("lacks", "priority", "exams", "speaks"),
    [
        (True, Priority.routine, "*", True),
        (False, Priority.routine, "*", False),
        (True, Priority.stat, "*", False),
        (True, Priority.routine, "MR", False),
    ],
)
def test_an_exam_that_nobody_has_planned(lacks: bool, priority: Priority, exams: str, speaks: bool) -> None:
    exam = replace(EXAM, lacks_protocol=lacks, priority=priority)
    assert bool(said("protocol", replace(FACTS, exam=exam), exams=exams)) is speaks


@pytest.mark.parametrize(("target", "speaks"), [(None, False), (AT, False), (AT - timedelta(minutes=1), True)])
def test_an_appointment_later_than_a_radiologist_wants(target: datetime | None, speaks: bool) -> None:
    assert bool(said("target", replace(FACTS, exam=replace(EXAM, target_at=target)))) is speaks


# ── authorisation ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cover", "values", "speaks"),
    [
        (Cover(), {}, ""),
        (Cover(("Oak Mutual",)), {}, "Oak Mutual wants an authorisation, and the patient has none that fits"),
        (Cover(("Oak Mutual",), fitting=("Q7",)), {}, "Q7 fits, but the exam is not under it"),
        (Cover(("Oak Mutual",), "Q7"), {}, ""),
        (Cover(("Oak Mutual",), "Q7", ("it ended on 2026-11-30",)), {}, "Authorisation Q7 does not cover it on 03 Dec 2026: it ended"),
        (Cover(("Oak Mutual",)), {"payers": "elm*, ash"}, ""),
        (Cover(("Self", "Oak Mutual")), {"payers": "oak*"}, "Oak Mutual wants"),
        (Cover(("Oak Mutual",)), {"exams": "MR"}, ""),
    ],
)
def test_an_authorisation_is_missing_or_does_not_hold(cover: Cover, values: dict[str, Any], speaks: str) -> None:
    texts = said("authorization", replace(FACTS, cover=cover), **values)
    assert (speaks in texts[0]) if speaks else texts == []
    urgent = replace(FACTS, cover=cover, exam=replace(EXAM, priority=Priority.stat))
    assert said("authorization", urgent, **values) == []


# ── all of them ──────────────────────────────────────────────────────────────────────────────────────────────────────

moments = st.integers(-2000, 2000).map(lambda hours: NOW + timedelta(hours=hours))
_VALUES = st.sampled_from(["0", "0.0", "12", "<30", ">90", "neg", "?", ""]) | st.text(max_size=8)
_ALLERGIES = st.builds(AllergyRow, st.just("DA"), st.text(max_size=30), st.just(""), st.text(max_size=9))
_SCREENING = [told(question, answer, "since 2019", days) for question in Question for answer in ANSWERS[question] for days in (1, 900)]
kinds_of_exam = st.sampled_from([("CTCHESTC", "CT", "chest", True), ("NMTHYR", "NM", "neck", False), ("MRABDC", "MR", "abdomen", True)])


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    code, modality, region, contrast = draw(kinds_of_exam)
    starts_at = draw(moments)
    return Facts(
        NOW, draw(st.sampled_from(["America/New_York", "Asia/Kolkata"])),
        replace(EXAM, code=code, modality=modality, region=region, contrast=contrast, priority=draw(st.sampled_from(Priority)),
            lacks_protocol=draw(st.booleans()), target_at=draw(st.none() | moments)),
        Place(5, "CT 1", starts_at, starts_at + timedelta(minutes=30)),
        replace(
            WOMAN, sex=draw(st.sampled_from(Sex)), birth_date=draw(st.none() | st.dates(date(1910, 1, 1), date(2026, 11, 30))),
            observations=tuple(draw(st.lists(_observations(), max_size=3, unique_by=lambda row: row.kind))),
            screening=tuple(draw(st.lists(st.sampled_from(_SCREENING), max_size=3, unique_by=lambda row: row.question))),
            allergies=tuple(draw(st.lists(_ALLERGIES, max_size=2))),
        ),
        tuple(draw(st.lists(_others(), max_size=4))),
        draw(st.sampled_from([Cover(), Cover(("Oak",)), Cover(("Oak",), "Q7", ("it was ended",)), Cover(("Oak",), fitting=("Q7",))])),
    )  # fmt: skip


def _observations() -> st.SearchStrategy[ObservationRow]:
    return st.builds(
        ObservationRow, st.sampled_from(ObservationKind), _VALUES, st.sampled_from(["", "mg/dL", "umol/l"]), moments, st.just("F"),
    )  # fmt: skip


@st.composite
def _others(draw: st.DrawFn) -> OtherExam:
    code, modality, region, contrast = draw(kinds_of_exam)
    starts_at = draw(st.none() | moments)
    return replace(
        OTHER, procedure_id=draw(st.integers(2, 99)), order_id=draw(st.integers(10, 12)), code=code, modality=modality, region=region,
        contrast=contrast, status=draw(st.sampled_from(ProcedureStatus)), placed_at=draw(moments), starts_at=starts_at,
        ends_at=starts_at and draw(st.none() | st.just(starts_at + timedelta(hours=1))),
    )  # fmt: skip


def rules(severity: Severity) -> Iterator[Rule]:
    for number, kind in enumerate(KINDS):
        yield Rule(id=number, name=kind, kind=kind, severity=severity, override="", row_version=1, parameters=parameters(kind))


@given(facts())
def test_every_kind_answers_any_facts_with_text_and_three_ways_out_and_the_same_each_time(found: Facts) -> None:
    warned, blocked = (judged(list(rules(severity)), found) for severity in (Severity.warn, Severity.block))
    assert warned == judged(list(rules(Severity.warn)), found)
    assert [(f.rule, f.text) for f in warned] == [(f.rule, f.text) for f in blocked]
    assert not {f.key for f in warned} & {f.key for f in blocked}
    for finding in warned:
        assert finding.text.strip()
        assert len({way.text for way in finding.ways if way.text.strip()}) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_tells_who_sets_it_what_it_does_and_begins_with_values_that_it_takes(kind: str) -> None:
    assert parameters(kind) == {p.name: p.default for p in KINDS[kind].parameters}
    assert KINDS[kind].meaning.endswith(".")
