"""Life cycle of a critical result, and the words for how somebody is told of one."""

import enum

from ris.base.machine import Machine, Requirement, step


class CriticalStatus(enum.StrEnum):
    open = "open"
    """Nobody has been told."""
    told = "told"
    """Somebody was told and has not read it back, as its class asks."""
    closed = "closed"
    """Somebody who must know does know."""
    withdrawn = "withdrawn"
    """It does not hold, or its report does not."""


class Unit(enum.StrEnum):
    minutes = "minutes"
    hours = "hours"
    days = "days"


class Whom(enum.StrEnum):
    """Who must be told."""

    orderer = "orderer"
    treating = "treating"
    patient = "patient"
    anybody = "anybody"


class Way(enum.StrEnum):
    telephone = "telephone"
    in_person = "in_person"
    message = "message"


class Outcome(enum.StrEnum):
    read_back = "read_back"
    """Told, and what was understood was said back and was right."""
    told = "told"
    not_reached = "not_reached"


C = CriticalStatus
LIVE = (C.open, C.told)
REASON = Requirement("reason", "a reason must be given")

CRITICAL = Machine(
    "critical result",
    C.open,
    (
        step("tell", LIVE, C.told),
        step("close", LIVE, C.closed),
        step("withdraw", (*LIVE, C.closed), C.withdrawn, REASON),
    ),
)
