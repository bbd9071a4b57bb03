"""Changing the rules of the house; each change is in the trail with what was before."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from ris.base.errors import Duplicate, Invalid, NotFound, Stale
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.scheduling.rules.kinds import KINDS
from ris.scheduling.rules.model import Moment, Rule, Severity
from ris.staff.permission import Permission

OVERRIDES = ("", Permission.RULE_OVERRIDE, Permission.SAFETY_OVERRIDE)
"""Rights that may let somebody go on against a rule that blocks; empty: nobody may."""


@dataclass(frozen=True, slots=True)
class RuleData:
    """A rule as a form or a file gives it; `parameters` by name, each as text."""

    name: str
    kind: str
    severity: str
    override: str
    parameters: Mapping[str, str]
    site_id: int | None = None
    moment: str = Moment.booking


@service
def add(uow: UnitOfWork, data: RuleData) -> Rule:
    """From the next booking on. Raises Invalid naming the value, Duplicate when another rule has the name."""
    values = _values(uow, data, None)
    rule = uow.add(Rule(id=new_id(), kind=data.kind, **values))
    uow.session.flush()
    uow.emit(Event("scheduling.rule_added", Ref("rule", rule.id), site_id=rule.site_id, facts={"kind": rule.kind, **values}))
    return rule


@service
def change(uow: UnitOfWork, rule_id: int, data: RuleData, *, row_version: int | None = None) -> Rule:
    """From the next booking on; the kind stays. Raises as `add`, NotFound, and Stale when somebody else was faster."""
    rule = uow.session.get(Rule, rule_id, with_for_update=True, populate_existing=True)
    if rule is None:
        raise NotFound(f"rule {rule_id} does not exist")
    if row_version is not None and rule.row_version != row_version:
        raise Stale("somebody else has changed this in the meantime: load it again")
    if data.kind != rule.kind:
        raise Invalid("a rule keeps its kind: switch it off and add another one")
    values = _values(uow, data, rule_id)
    before = {name: getattr(rule, name) for name, value in values.items() if getattr(rule, name) != value}
    if not before:
        return rule
    uow.touch()
    for name in before:
        setattr(rule, name, values[name])
    after = {name: values[name] for name in before}
    uow.emit(Event("scheduling.rule_changed", Ref("rule", rule_id), site_id=rule.site_id, facts={"before": before, "after": after}))
    return rule


def _values(uow: UnitOfWork, data: RuleData, own_id: int | None) -> dict[str, Any]:
    """What a row holds, each value read and checked."""
    if data.kind not in KINDS:
        raise Invalid(f"there is no kind of rule {data.kind or '(empty)'}")
    values = asdict(data) | {"name": data.name.strip()}
    del values["kind"]
    if not 0 < len(values["name"]) <= 80:
        raise Invalid("name: from 1 to 80 characters", error_code="101")
    others = sa.select(Rule.id).where(Rule.name == values["name"], Rule.id != (own_id or 0))
    if uow.session.scalars(others).first() is not None:
        raise Duplicate("another rule has this name")
    if data.severity not in set(Severity):
        raise Invalid(f"severity: one of {', '.join(Severity)}")
    if data.override not in OVERRIDES:
        raise Invalid("who may override: this right is not one of those that can")
    if data.moment not in set(Moment):
        raise Invalid(f"when it is asked: one of {', '.join(Moment)}")
    values["severity"], values["moment"] = Severity(data.severity), Moment(data.moment)
    values["parameters"] = {p.name: p.read(data.parameters.get(p.name, str(p.default))) for p in KINDS[data.kind].parameters}
    return values
