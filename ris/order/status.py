"""Life cycle of a requested procedure, and the state of an order, which follows from its procedures."""

import enum
from collections.abc import Iterable

from ris.base.machine import Machine, Requirement, step


class ProcedureStatus(enum.StrEnum):
    ordered = "ordered"
    scheduled = "scheduled"
    arrived = "arrived"
    in_progress = "in_progress"
    completed = "completed"
    cancelled = "cancelled"
    discontinued = "discontinued"


class OrderStatus(enum.StrEnum):
    scheduled = "scheduled"
    in_progress = "in_progress"
    completed = "completed"
    cancelled = "cancelled"
    discontinued = "discontinued"


class Priority(enum.StrEnum):
    """Table 0027 (TQ1-9, ORC-7.6), as far as a department tells them apart; what is beyond is routine."""

    stat = "S"
    asap = "A"
    preoperative = "P"
    callback = "C"
    timing_critical = "T"
    routine = "R"


PRIORITY_RANK = {
    Priority.stat: 0, Priority.asap: 1, Priority.preoperative: 2, Priority.callback: 3, Priority.timing_critical: 4, Priority.routine: 5,
}  # fmt: skip

ORC_5 = {
    ProcedureStatus.ordered: "SC",
    ProcedureStatus.scheduled: "SC",
    ProcedureStatus.arrived: "SC",
    ProcedureStatus.in_progress: "IP",
    ProcedureStatus.completed: "CM",
    ProcedureStatus.cancelled: "CA",
    ProcedureStatus.discontinued: "DC",
}
"""HL7 v2.5.1 ch. 4.5.1.5, table 0038."""

S = ProcedureStatus
NOT_STARTED = (S.ordered, S.scheduled, S.arrived)
OPEN = (*NOT_STARTED, S.in_progress)

KNOWN_PROCEDURE = Requirement("known_procedure", "the ordered code is not in our catalogue yet", "map the code: its task leads there")
NOT_HELD = Requirement("not_held", "the order is on hold", "release it on the order's page")
"""`ris.order.held` says by whom and since when."""

PROCEDURE = Machine(
    "exam",
    S.ordered,
    (
        step("schedule", (S.ordered, S.scheduled, S.arrived), S.scheduled, KNOWN_PROCEDURE, NOT_HELD),
        step("unschedule", (S.scheduled,), S.ordered),
        step("arrive", (S.scheduled,), S.arrived, NOT_HELD),
        step("undo_arrival", (S.arrived,), S.scheduled),
        step("start", (S.scheduled, S.arrived), S.in_progress, KNOWN_PROCEDURE, NOT_HELD),
        step("complete", (S.in_progress,), S.completed),
        step("discontinue", (S.in_progress,), S.discontinued),
        step("undo_start", (S.in_progress,), S.arrived),
        step("undo_complete", (S.completed,), S.in_progress),
        step("undo_discontinue", (S.discontinued,), S.in_progress),
        step("cancel", NOT_STARTED, S.cancelled),
        step("restore", (S.cancelled,), S.ordered),
    ),
)


def order_status(procedures: Iterable[ProcedureStatus]) -> OrderStatus:
    """ClearCanvas' rule: all cancelled, all cancelled or discontinued, all ended, any begun, else scheduled.

    An order whose exams have all gone to another one is cancelled too.
    """
    states = set(procedures)
    if states <= {S.cancelled}:
        return OrderStatus.cancelled
    if states <= {S.cancelled, S.discontinued}:
        return OrderStatus.discontinued
    if states <= {S.cancelled, S.discontinued, S.completed}:
        return OrderStatus.completed
    if states & {S.in_progress, S.completed}:
        return OrderStatus.in_progress
    return OrderStatus.scheduled
