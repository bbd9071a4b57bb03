"""Messages on their way in, and what a group of them names: the keys that are locked and fetched before anything is done."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ris.base.errors import RisError
from ris.hl7 import ack
from ris.hl7.er7 import Message
from ris.hl7.inbound import fields
from ris.hl7.inbound.reading import Asked
from ris.journal.queries import Key
from ris.order.service import placer_key
from ris.partner.queries import PartnerRow
from ris.patient.clinical import ObservationData
from ris.patient.service import PatientData, VisitData, lock_name

ALONE_BYTES = 65_536
"""A longer message is a group of its own, so that it holds nobody up."""
NOBODY = PatientData(())


@dataclass(slots=True)
class Incoming:
    """One frame on its way through, read once, applied at most once."""

    raw: bytes
    place: str
    partner: PartnerRow | None = None
    header: ack.Header | None = None
    message: Message | None = None
    codec: str = "utf-8"
    refusal: RisError | None = None
    """Known before anything of the database was looked at."""
    digest: str = ""
    patient: PatientData = NOBODY
    visit: VisitData | None = None
    asked: Sequence[Asked] = ()
    observed: Sequence[ObservationData] = ()
    is_lost: bool = False
    """Not even its refusal could be stored."""
    answer: bytes | None = b""
    """None: the sender wants none. Empty: it is not known what became of the message, and the connection is closed."""

    @property
    def control_id(self) -> str:
        return self.header.control_id if self.header else ""

    @property
    def kind(self) -> str:
        return f"{self.header.message_code}^{self.header.trigger_event}".strip("^") if self.header else ""

    @property
    def key(self) -> Key | None:
        return (self.partner.id, self.control_id, self.digest) if self.partner and self.control_id else None


@dataclass
class Group:
    """What one transaction works on, with the keys that it takes before it looks."""

    incoming: Sequence[Incoming]
    codes: set[str] = field(default_factory=set)
    identifiers: set[str] = field(default_factory=set)
    placers: set[str] = field(default_factory=set)
    fillers: set[str] = field(default_factory=set)
    visits: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for one in self.incoming:
            if one.message is not None and one.partner is not None and one.refusal is None:
                self._collect(one, one.message, one.partner)

    def _collect(self, one: Incoming, message: Message, partner: PartnerRow) -> None:
        self.identifiers.update(i.key for i in one.patient.identifiers)
        for segment in message.all("MRG") + message.all("PID")[1:]:
            for n in (1, 4) if segment.name == "MRG" else (2, 3):
                self.identifiers.update(i.key for i in fields.identifiers(segment.field(n), partner))
            self.visits.update(fields.visits_named(segment, partner))
        if one.visit:
            self.visits.add(one.visit.key)
        for asked in one.asked:
            if asked.placer:
                self.placers.add(placer_key(partner.id, asked.namespace, asked.placer))
            if asked.filler:
                self.fillers.add(asked.filler)
            self.codes.update(s.value(4).strip() or s.value(4, 4).strip() for s in asked.segments if s.name == "OBR")

    @cached_property
    def locks(self) -> list[str]:
        messages = [f"message|{one.partner.id}|{one.control_id}" for one in self.incoming if one.partner]
        patients = [lock_name(key) for key in self.identifiers]
        return messages + patients + [f"order|{key}" for key in self.placers | self.fillers] + [f"visit|{key}" for key in self.visits]


def runs(incoming: Iterable[Incoming]) -> Iterable[list[Incoming]]:
    """Groups in order of arrival; a long message is alone."""
    run: list[Incoming] = []
    for one in incoming:
        if len(one.raw) > ALONE_BYTES:
            if run:
                yield run
            yield [one]
            run = []
        else:
            run.append(one)
    if run:
        yield run
