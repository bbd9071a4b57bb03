"""What a reader of one kind of message is handed, and what it answers: nothing when all went well, or a refusal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.hl7.er7 import Message, Segment
from ris.hl7.inbound.controls import Action, Control
from ris.order.model import Order
from ris.partner.queries import PartnerRow
from ris.patient.clinical import ObservationData
from ris.patient.service import PatientData, VisitData


@dataclass(frozen=True, slots=True)
class Asked:
    """One order of a message: its segments, what ORC-1 says, and the numbers that it is known by."""

    segments: list[Segment]
    code: str
    """ORC-1, table 0119."""
    placer: str
    namespace: str
    filler: str

    @property
    def head(self) -> Segment:
        return self.segments[0]


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be done with one order of a message."""

    asked: Asked
    control: Control
    action: Action
    known: Order | None


@dataclass(slots=True)
class Reading:
    """One message on its way in."""

    message: Message
    partner: PartnerRow
    control_id: str
    site_id: int
    patient: PatientData
    """PID, read once."""
    visit: VisitData | None = None
    procedures: dict[str, int] = field(default_factory=dict)
    """The partner's codes to our catalogue, for the codes that the group names."""
    asked: Sequence[Asked] = ()
    """The orders of the message."""
    observed: Sequence[ObservationData] = ()
    """The OBX of kinds that are kept, read before the transaction: there may be a hundred thousand to look through."""
    touched: set[Ref] = field(default_factory=set)
    """What the journal links the message to."""
    orders: list[tuple[Planned, Order | None]] = field(default_factory=list)
    """What was done with each order of the message, for an answer that says so."""
    refusal_tasks: list[tuple[str, Ref, str, int | None]] = field(default_factory=list)
    """Kind, subject, reason and site of what a person must do when the message is refused."""


Reader = Callable[[UnitOfWork, Reading], None]
"""Raises a RisError; one that is raised before the first change refuses this message alone."""
