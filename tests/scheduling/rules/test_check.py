"""A booking is held to the rules of the house: warned, blocked, answered, and not asked twice."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.audit.model import AuditEntry
from ris.base.errors import Forbidden, Invalid
from ris.bootstrap import Ris
from ris.order import authorized
from ris.order.model import RequestedProcedure
from ris.patient import coverage
from ris.patient.coverage import AuthorizationData, CoverageData
from ris.scheduling import service
from ris.scheduling.model import Occupancy, ScheduledProcedureStep
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.check import findings
from ris.scheduling.rules.finding import AgainstRules, Finding
from ris.scheduling.rules.model import RuleAnswer
from ris.scheduling.rules.service import RuleData
from ris.staff.permission import Permission
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, make_patient, new_exam

MORNING = datetime(2026, 12, 1, 14, tzinfo=UTC)
"""09:00 by the clock of MAIN, a day later than now."""


def add_rule(ris: Ris, severity: str = "warn", kind: str = "pregnancy", name: str = "Pregnancy", **values: object) -> int:
    with ris.uow() as uow:
        data = {"override": "", "parameters": {"age_to": "60"} if kind == "pregnancy" else {}, **values}
        return rules.add(uow, RuleData(name=name, kind=kind, severity=severity, **data)).id  # type: ignore[arg-type]


def book(
    ris: Ris,
    hospital: Hospital,
    procedure_id: int,
    answers: dict[str, str] | None = None,
    *,
    who: str = "scheduler",
    at: datetime = MORNING,
) -> int:
    with ris.uow(hospital.actor(who)) as uow:
        return service.book(uow, procedure_id=procedure_id, room_id=hospital.rooms["CT1"], starts_at=at, answers=answers or {}).id


def against(
    ris: Ris, hospital: Hospital, procedure_id: int, answers: dict[str, str] | None = None, **options: object
) -> tuple[Finding, ...]:
    with pytest.raises(AgainstRules) as caught:
        book(ris, hospital, procedure_id, answers, **options)  # type: ignore[arg-type]
    return caught.value.findings


def count(ris: Ris, column: sa.orm.InstrumentedAttribute) -> int:
    with ris.read() as session:
        return session.scalar(sa.select(sa.func.count(column))) or 0


def test_a_warned_booking_names_rule_and_three_ways_out_and_changes_nothing(ris: Ris, hospital: Hospital) -> None:
    add_rule(ris)
    exam = new_exam(ris, hospital)
    (finding,) = against(ris, hospital, exam.id)
    assert (finding.rule, finding.severity, len(finding.ways)) == ("Pregnancy", "warn", 3)
    assert "is not known" in finding.text
    assert count(ris, Occupancy.id) == count(ris, RuleAnswer.id) == 0
    with ris.read() as session:
        assert session.get_one(RequestedProcedure, exam.id).status == "ordered"


def test_a_reason_lets_a_warned_booking_go_on_and_is_kept_and_audited(ris: Ris, hospital: Hospital) -> None:
    rule_id = add_rule(ris)
    exam = new_exam(ris, hospital)
    (finding,) = against(ris, hospital, exam.id)
    assert against(ris, hospital, exam.id, {finding.key: "   "}) == (finding,)
    step_id = book(ris, hospital, exam.id, {finding.key: " asked: no "})
    with ris.read() as session:
        answer = session.scalars(sa.select(RuleAnswer)).one()
        assert (answer.step_id, answer.rule_id, answer.rule_version, answer.reason) == (step_id, rule_id, 1, "asked: no")
        assert (answer.answered_by, answer.found, answer.rule_name) == ("Test Scheduler", finding.text, "Pregnancy")
        entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.what == "scheduling.rule_answered")).one()
        assert (entry.procedure_id, entry.detail["reason"]) == (exam.id, "asked: no")
        assert "known" not in str(entry.detail)


def test_every_open_finding_needs_its_own_reason(ris: Ris, hospital: Hospital) -> None:
    add_rule(ris)
    add_rule(ris, kind="preparation", name="Fasting", parameters={"exams": "CT", "hours": "720"})
    exam = new_exam(ris, hospital)
    first, second = against(ris, hospital, exam.id)
    assert against(ris, hospital, exam.id, {first.key: "known"}) == (first, second)
    assert book(ris, hospital, exam.id, {first.key: "known", second.key: "known"})


def test_what_was_answered_is_not_asked_again_and_what_has_changed_is(ris: Ris, hospital: Hospital) -> None:
    rule_id = add_rule(ris)
    exam = new_exam(ris, hospital)
    (finding,) = against(ris, hospital, exam.id)
    step_id = book(ris, hospital, exam.id, {finding.key: "asked: no"})
    with ris.uow(hospital.actor("scheduler")) as uow:
        service.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=MORNING + timedelta(hours=1))
    with ris.uow() as uow:
        rules.change(uow, rule_id, RuleData("Pregnancy", "pregnancy", "warn", "", {"age_to": "61"}))
    with pytest.raises(AgainstRules) as caught, ris.uow(hospital.actor("scheduler")) as uow:
        service.move(uow, step_id=step_id, room_id=hospital.rooms["CT1"], starts_at=MORNING)
    (asked,) = caught.value.findings
    assert "12 to 61 years" in asked.text
    with ris.read() as session:
        assert session.get_one(ScheduledProcedureStep, step_id).starts_at == MORNING + timedelta(hours=1)


@pytest.mark.parametrize(
    ("override", "who", "is_let_go"),
    [
        ("", "radiologist", False), (Permission.SAFETY_OVERRIDE, "radiologist", True), (Permission.SAFETY_OVERRIDE, "scheduler", False),
        (Permission.RULE_OVERRIDE, "scheduler", True), (Permission.RULE_OVERRIDE, "front_desk", False),
    ],
)  # fmt: skip
def test_a_block_yields_only_to_the_right_that_its_rule_names(
    ris: Ris, hospital: Hospital, override: str, who: str, is_let_go: bool
) -> None:
    add_rule(ris, "block", override=override)
    exam = new_exam(ris, hospital)
    (finding,) = against(ris, hospital, exam.id, who=who)
    if is_let_go:
        assert book(ris, hospital, exam.id, {finding.key: "decided by Dr Cedar"}, who=who)
        return
    with pytest.raises(Forbidden, match="the rule Pregnancy blocks this"):
        book(ris, hospital, exam.id, {finding.key: "decided by Dr Cedar"}, who=who)
    assert count(ris, RuleAnswer.id) == 0


def test_the_right_holds_at_its_site_only_and_a_program_overrides_nothing(ris: Ris, hospital: Hospital) -> None:
    add_rule(ris, "block", override=Permission.SAFETY_OVERRIDE)
    exam = new_exam(ris, hospital)
    (finding,) = against(ris, hospital, exam.id)
    with ris.uow() as uow:
        uow.session.execute(sa.text("DELETE FROM role_assignment WHERE site_id = :main"), {"main": hospital.sites["MAIN"]})
    with pytest.raises(Forbidden):
        book(ris, hospital, exam.id, {finding.key: "decided"}, who="radiologist")
    with pytest.raises(Forbidden), ris.uow() as uow:
        service.book(
            uow, procedure_id=exam.id, room_id=hospital.rooms["CT1"], starts_at=MORNING, answers={finding.key: "decided"}
        )  # fmt: skip


@pytest.mark.parametrize("off", [{"severity": "off"}, {"site_id": "WEST"}])
def test_a_rule_that_is_off_or_of_another_site_says_nothing(ris: Ris, hospital: Hospital, off: dict[str, str]) -> None:
    site_id = hospital.sites[off["site_id"]] if "site_id" in off else None
    add_rule(ris, off.get("severity", "warn"), site_id=site_id)
    assert book(ris, hospital, new_exam(ris, hospital).id)


def test_a_reason_beyond_its_length_is_refused(ris: Ris, hospital: Hospital) -> None:
    add_rule(ris)
    exam = new_exam(ris, hospital)
    (finding,) = against(ris, hospital, exam.id)
    with pytest.raises(Invalid, match="at most 500"):
        book(ris, hospital, exam.id, {finding.key: "x" * 501})


def test_the_facts_cost_few_queries_however_many_exams_the_patient_has(ris: Ris, hospital: Hospital) -> None:
    for kind in ("duplicate", "interaction", "pregnancy", "renal", "allergy", "preparation", "authorization"):
        add_rule(ris, kind=kind, name=kind, parameters={"same": "exam"} if kind == "duplicate" else {})
    with ris.uow() as uow:
        patient = make_patient(uow)
        exams = [make_order(uow, hospital, "XRHAND", patient=patient).procedures[0].id for _ in range(12)]
    asked: list[str] = []
    sa.event.listen(ris.engine, "after_cursor_execute", lambda *args: asked.append(args[2]))

    with ris.read() as session:
        found = findings(
            session, MORNING, procedure_id=exams[0], site_id=hospital.sites["MAIN"], room_id=hospital.rooms["XR1"], starts_at=MORNING,
            ends_at=MORNING + timedelta(minutes=10),
        )  # fmt: skip
    assert len([one for one in found if one.rule == "duplicate"]) == 11
    assert len([text for text in asked if text.startswith("SELECT")]) <= 10


def test_an_authorisation_is_looked_at_on_the_day_of_the_exam(ris: Ris, hospital: Hospital) -> None:
    add_rule(ris, kind="authorization", name="Ask the payer")
    exam = new_exam(ris, hospital)
    patient_id = exam.order.patient_id
    assert book(ris, hospital, new_exam(ris, hospital).id, at=MORNING + timedelta(days=9)), "nobody pays for this one, so nobody is asked"
    with ris.uow(hospital.actor("front_desk")) as uow:
        coverage.save_coverage(uow, patient_id, CoverageData("Oak Mutual"))
        until = MORNING.date() + timedelta(days=1)
        granted = coverage.authorize(uow, patient_id, AuthorizationData("Q7", 1, ("CTHEAD",), valid_to=until)).id
    assert "Q7 fits, but the exam is not under it" in against(ris, hospital, exam.id)[0].text
    with ris.uow(hospital.actor("front_desk")) as uow:
        authorized.put_under(uow, exam.id, granted)
    (late,) = against(ris, hospital, exam.id, at=MORNING + timedelta(days=2))
    assert "Authorisation Q7 does not cover it on 03 Dec 2026: it ended on 2026-12-02" in late.text
    assert book(ris, hospital, exam.id)


def test_another_exam_whose_code_nobody_knows_yet_stands_in_nobodys_way(ris: Ris, hospital: Hospital) -> None:
    add_rule(ris, kind="duplicate", name="Twice", parameters={"same": "region"})
    with ris.uow() as uow:
        patient = make_patient(uow)
        exam, other = (make_order(uow, hospital, patient=patient).procedures[0] for _ in range(2))
        other.procedure_id = None
    assert book(ris, hospital, exam.id)
