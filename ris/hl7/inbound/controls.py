"""What ORC-1 says, and how it is answered (HL7 v2.5.1 ch. 4.5.1.1, table 0119)."""

import enum
from typing import NamedTuple


class Action(enum.Enum):
    place = "place"
    change = "change"
    replace = "replace"
    cancel = "cancel"
    hold = "hold"
    release = "release"
    told = "told"
    number = "number"
    parent = "parent"


class Control(NamedTuple):
    action: Action
    done: str
    """ORC-1 of the answer to a request that was carried out."""
    unable: str
    """ORC-1 of the answer to one that was not."""


CONTROLS = {
    "": Control(Action.place, "OK", "UA"),
    "NW": Control(Action.place, "OK", "UA"),
    "SN": Control(Action.place, "NA", "UA"),
    "RO": Control(Action.place, "OK", "UA"),
    "CH": Control(Action.place, "OK", "UA"),
    "XO": Control(Action.change, "XR", "UX"),
    "XX": Control(Action.change, "XR", "UX"),
    "RP": Control(Action.replace, "RQ", "UM"),
    "CA": Control(Action.cancel, "CR", "UC"),
    "DC": Control(Action.cancel, "DR", "UD"),
    "HD": Control(Action.hold, "HR", "UH"),
    "RL": Control(Action.release, "OR", "UR"),
    "SC": Control(Action.told, "OK", "UA"),
    "NA": Control(Action.number, "OK", "UA"),
    "PA": Control(Action.parent, "OK", "UA"),
}
"""An order control that is not here is refused."""

TOLD = {"CA": Action.cancel, "DC": Action.cancel, "HD": Action.hold}
"""What a status change (SC) asks of us by its ORC-5 (table 0038); any other status is noted in the trail."""
NEEDS_PROCEDURE = frozenset({Action.place, Action.change, Action.replace})
NEEDS_KNOWN = frozenset({Action.cancel, Action.hold, Action.release, Action.told, Action.number})
"""Orders that we do not know are refused 204."""
