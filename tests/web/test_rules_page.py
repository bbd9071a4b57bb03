"""The rules are edited in the browser: each value is checked, each change is kept with what was before."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.scheduling.rules import service
from ris.scheduling.rules.model import Rule
from ris.scheduling.rules.service import RuleData
from tests.factories.hospital import Hospital
from tests.web.people import OWN_PASSWORD, somebody
from tests.web.visitor import Visitor, trail

FORM = {
    "kind": "renal",
    "name": "Kidneys",
    "severity": "block",
    "override": "safety:override",
    "parameter-lowest": "30",
    "parameter-days": "90",
}


@pytest.fixture
def administrator(hospital: Hospital, visitor: Callable[[], Visitor]) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["administrator"])
    return someone


def one(ris: Ris) -> Rule:
    with ris.read() as session:
        return session.scalars(sa.select(Rule)).one()


def test_a_rule_is_added_changed_and_its_history_shown(ris: Ris, administrator: Visitor) -> None:
    assert "There are no rules" in administrator.get("/rules").text
    assert administrator.get("/rules/new?kind=renal").status_code == 200
    added = administrator.post("/rules/new", **FORM)
    assert added.status_code == 303
    rule = one(ris)
    assert (rule.severity, rule.override, rule.parameters) == ("block", "safety:override", {"exams": "CT+C,MR+C", "lowest": 30, "days": 90})
    changed = administrator.post(f"/rules/{rule.id}", **FORM | {"severity": "warn", "parameter-lowest": "45", "row_version": "1"})
    assert changed.status_code == 303
    assert (one(ris).severity, one(ris).parameters["lowest"], one(ris).row_version) == ("warn", 45, 2)
    page = administrator.get(f"/rules/{rule.id}").text
    history = page[page.index('id="history"') :]
    assert "lowest 30" in history
    assert "lowest 45" in history
    assert [entry.what for entry in trail(ris, object_kind="rule")] == ["scheduling.rule_added", "scheduling.rule_changed"]
    assert "Kidneys" in administrator.get("/rules").text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": " "}, "name: from 1 to 80 characters"),
        ({"severity": "shout"}, "severity: one of off, warn, block"),
        ({"override": "user:manage"}, "this right is not one of those that can"),
        ({"parameter-lowest": "thirty"}, "a whole number from 1 to 120"),
        ({"parameter-days": "0"}, "a whole number from 1 to 3650"),
        ({"parameter-exams": "!CT"}, "name at least one exam"),
    ],
)
def test_a_wrong_value_is_named_and_what_was_typed_stays(ris: Ris, administrator: Visitor, wrong: dict[str, Any], said: str) -> None:
    refused = administrator.post("/rules/new", **FORM | {"name": "My kidneys"} | wrong)
    assert refused.status_code == 422
    assert said in refused.text
    assert "name" in wrong or "My kidneys" in refused.text
    with ris.read() as session:
        assert session.scalars(sa.select(Rule)).first() is None


def test_two_rules_of_one_name_a_stale_save_and_another_kind_are_refused(ris: Ris, administrator: Visitor) -> None:
    administrator.post("/rules/new", **FORM)
    assert "another rule has this name" in administrator.post("/rules/new", **FORM).text
    path = f"/rules/{one(ris).id}"
    administrator.post(path, **FORM | {"severity": "off", "row_version": "1"})
    assert administrator.post(path, **FORM | {"severity": "warn", "row_version": "1"}).status_code == 409
    assert one(ris).severity == "off"


def test_a_rule_of_a_site_is_edited_by_people_of_that_site_only(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    with ris.uow() as uow:
        rule_id = service.add(uow, RuleData("Of MAIN", "renal", "warn", "", {}, hospital.sites["MAIN"])).id
    somebody(ris, hospital, "western", administrator="WEST")
    someone = visitor()
    someone.log_in("western", OWN_PASSWORD)
    assert someone.get(f"/rules/{rule_id}").status_code == 404
    assert someone.post("/rules/new", **FORM | {"site_id": hospital.sites["MAIN"]}).status_code == 404
