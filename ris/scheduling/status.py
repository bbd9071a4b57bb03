"""Life cycle of a scheduled procedure step: what the screen calls an appointment."""

import enum

from ris.base.machine import Machine, Requirement, step


class StepStatus(enum.StrEnum):
    """(0040,0020), table 0278."""

    booked = "booked"
    arrived = "arrived"
    started = "started"
    finished = "finished"
    discontinued = "discontinued"
    cancelled = "cancelled"
    missed = "missed"
    """The patient did not come."""


S = StepStatus
OCCUPYING = (S.booked, S.arrived, S.started, S.finished, S.discontinued)
GIVEN_UP = (S.cancelled, S.missed)
"""The exam waits for another appointment, or for none."""
OVER = (S.finished, S.discontinued)

TO_MOVE = "appointment_to_move"
"""The task about an appointment whose room, or who helps, is not there for it any more."""

DUE = Requirement("due", "its time has not come yet")

STEP = Machine(
    "appointment",
    S.booked,
    (
        step("move", (S.booked,), S.booked),
        step("arrive", (S.booked,), S.arrived),
        step("undo_arrival", (S.arrived,), S.booked),
        step("start", (S.booked, S.arrived), S.started),
        step("finish", (S.started,), S.finished),
        step("discontinue", (S.started,), S.discontinued),
        step("undo_start", (S.started,), S.arrived),
        step("undo_finish", (S.finished,), S.started),
        step("undo_discontinue", (S.discontinued,), S.started),
        step("cancel", (S.booked, S.arrived), S.cancelled),
        step("no_show", (S.booked,), S.missed, DUE),
        step("undo_no_show", (S.missed,), S.booked),
    ),
)
