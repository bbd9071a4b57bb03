"""What comes next for an exam, and what exactly is missing for it."""

from dataclasses import dataclass

from ris.base.machine import Requirement
from ris.order.status import KNOWN_PROCEDURE, NOT_HELD, PROCEDURE, ProcedureStatus

_FORWARD = {
    ProcedureStatus.ordered: ("schedule",),
    ProcedureStatus.scheduled: ("arrive", "start"),
    ProcedureStatus.arrived: ("start",),
    ProcedureStatus.in_progress: ("complete",),
}


@dataclass(frozen=True, slots=True)
class NextStep:
    name: str
    """A step of `ris.order.status.PROCEDURE`."""
    missing: tuple[Requirement, ...]


def next_steps(status: ProcedureStatus, *, is_known: bool, is_held: bool) -> tuple[NextStep, ...]:
    """The steps ahead, in their order; an ended exam has none."""
    holds = {KNOWN_PROCEDURE: is_known, NOT_HELD: not is_held}
    return tuple(NextStep(name, PROCEDURE.missing(name, lambda r: holds.get(r, True))) for name in _FORWARD.get(status, ()))


def why_not(name: str, *, is_held: bool) -> str:
    """What an exam of a known procedure lacks for a step of that name, and who mends it; empty for nothing, or for no step."""
    if name not in PROCEDURE.by_name:
        return ""
    return "; ".join(f"{r.text}: {r.mend}" for r in PROCEDURE.missing(name, lambda r: r is not NOT_HELD or not is_held))
