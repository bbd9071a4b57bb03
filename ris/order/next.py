"""What comes next for an exam, and what exactly is missing for it."""

from collections.abc import Callable
from dataclasses import dataclass

from ris.base.machine import Requirement
from ris.order.held import Held
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


def next_steps(status: ProcedureStatus, *, is_known: bool, on_hold: Held | None) -> tuple[NextStep, ...]:
    """The steps ahead, in their order; an ended exam has none."""
    holds = {KNOWN_PROCEDURE: is_known, NOT_HELD: on_hold is None}
    return tuple(NextStep(name, _missing(name, lambda r: holds.get(r, True), on_hold)) for name in _FORWARD.get(status, ()))


def why_not(name: str, *, on_hold: Held | None) -> str:
    """What an exam of a known procedure lacks for a step of that name, and who mends it; empty for nothing, or for no step."""
    if name not in PROCEDURE.by_name:
        return ""
    return "; ".join(f"{r.text}: {r.mend}" for r in _missing(name, lambda r: r is not NOT_HELD or on_hold is None, on_hold))


def _missing(name: str, holds: Callable[[Requirement], bool], on_hold: Held | None) -> tuple[Requirement, ...]:
    """The hold in its own words."""
    return tuple(on_hold.requirement if on_hold and r is NOT_HELD else r for r in PROCEDURE.missing(name, holds))
