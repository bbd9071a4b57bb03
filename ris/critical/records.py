"""Classes of critical results, on-call lists and escalation ladders as reference data that people edit."""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from ris.catalog.records.field import YES, Choice, Code, Field, Known, Number, Reference, YesNo
from ris.catalog.records.record import Problem, Record
from ris.critical.model import CriticalClass, EscalationStep, OnCallList
from ris.critical.status import Unit, Whom

WHOM = (
    (Whom.orderer, "who ordered the exam"),
    (Whom.treating, "who looks after the patient now"),
    (Whom.patient, "the patient"),
    (Whom.anybody, "anybody who can act on it"),
)
_ACTIVE = YesNo("active", "In use", "A retired one is offered no more; what was noted with it keeps it.", default=YES)

CRITICAL_CLASS = Record(
    "critical_class",
    "class of critical results",
    "Critical results",
    "How soon somebody must be told of a finding, who, and what is written down about it.",
    CriticalClass,
    (
        Code("code", "Code"),
        Field("name", "Name", "As readers choose it, such as Red: life in danger.", required=True, longest=80),
        Number("within", "Time limit", "Counted from the moment at which it is noted.", required=True, least=1, most=999),
        Choice("unit", "Of the limit", of=Unit),
        Choice("whom", "Who must be told", of=Whom, labels=WHOM),
        YesNo("needs_detail", "Needs words", "Whether it must be said in words what was found.", default=YES),
        YesNo("needs_number", "Needs a number", "Whether the telephone number or the place must be noted."),
        YesNo("needs_read_back", "Needs read-back", "Whether it is closed only when the other has said it back.", default=YES),
        YesNo("before_signing", "Before signing", "Whether the report is signed only when somebody was told.", default=YES),
        _ACTIVE,
    ),
    ("code",),
    listed=("code", "name", "within", "unit", "whom", "needs_read_back", "before_signing", "active"),
)

ON_CALL_LIST = Record(
    "on_call_list",
    "on-call list",
    "On-call lists",
    "Duties of the house; who has each at which site and when stands on the page On call.",
    OnCallList,
    (Code("code", "Code"), Field("name", "Name", required=True, longest=80), _ACTIVE),
    ("code",),
)


def _in_order(known: Known, values: Mapping[str, Any]) -> Iterator[Problem]:
    """A later step may not come before an earlier one."""
    known.session.flush()  # of a file the lines before
    of_class = EscalationStep.critical_class_id == values["critical_class_id"]
    others = sa.select(EscalationStep).where(of_class, EscalationStep.active, EscalationStep.step != values["step"])
    for other in known.session.scalars(others):
        if (other.step - values["step"]) * (other.after_minutes - values["after_minutes"]) < 0:
            yield Problem(
                "after_minutes",
                f"does not fit step {other.step}, which comes after {other.after_minutes} minutes",
                "write a number that keeps the steps in their order",
            )


ESCALATION_STEP = Record(
    "escalation_step",
    "step of an escalation",
    "Escalations",
    "Who is fetched, one after the other, when the time limit of a class has passed and nobody was told.",
    EscalationStep,
    (
        Reference("critical_class", "Class", to=CriticalClass),
        Number("step", "Step", "Counted from 1.", required=True, least=1, most=9),
        Number("after_minutes", "After", "Minutes after the time limit has passed.", required=True, default="0", most=43_200),
        Reference("on_call_list", "Who is on call for", to=OnCallList),
        _ACTIVE,
    ),
    ("critical_class", "step"),
    _in_order,
)

RECORDS = (CRITICAL_CLASS, ON_CALL_LIST, ESCALATION_STEP)
