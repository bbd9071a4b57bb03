"""Reads what one message says: a message sent, its answer, and the results and status messages of one received."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ris.simulator import er7

_STUDY_UID = "113014"
"""DICOM code of the OBX that carries a Study Instance UID and no text."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of ours; `keys` are its placer numbers, or the prior patient identifiers of a merge."""

    control_id: str
    kind: str
    patient: str
    keys: tuple[str, ...]
    payload: bytes
    at: datetime

    @classmethod
    def of(cls, payload: bytes, at: datetime) -> "Sent":
        segments = er7.read(payload)
        merged = [_identifier(mrg[1]) for mrg in er7.named(segments, "MRG")]
        placed = [_entity(orc[2]) for orc in er7.named(segments, "ORC")]
        patient = _identifier(er7.field(segments, "PID", 3))
        return cls(er7.control_id(payload), er7.kind(payload), patient, tuple(merged + placed), payload, at)

    @property
    def is_order(self) -> bool:
        return self.kind.endswith(" NW")

    @property
    def is_merge(self) -> bool:
        return self.kind == "ADT^A40"

    @property
    def may_be_refused(self) -> bool:
        """A change or cancel may cross with the start of the exam."""
        return self.kind.endswith((" XO", " CA"))


@dataclass(frozen=True, slots=True)
class Acknowledged:
    control_id: str
    code: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Received:
    """A message of theirs, kept whole; results and status messages are read out of it."""

    control_id: str
    kind: str
    payload: bytes
    at: datetime

    @classmethod
    def of(cls, payload: bytes, at: datetime) -> "Received":
        return cls(er7.control_id(payload), er7.kind(payload), payload, at)


@dataclass(frozen=True, slots=True)
class Result:
    """One OBR of an ORU^R01; `status` is OBR-25, `reported_at` is OBR-22 and in its absence MSH-7."""

    placer_number: str
    filler_number: str
    accession_number: str
    status: str
    text: str
    control_id: str
    patients: tuple[str, ...]
    built_at: datetime
    reported_at: datetime
    payload: bytes

    @property
    def is_final(self) -> bool:
        return self.status in ("F", "C")


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """One ORC of an ORM^O01; `order_control` is ORC-1 and `order_status` is ORC-5."""

    placer_number: str
    filler_number: str
    order_control: str
    order_status: str
    control_id: str
    patients: tuple[str, ...]
    built_at: datetime


def _entity(value: str) -> str:
    """An EI as number and namespace."""
    return "^".join(value.split("^")[:2]).rstrip("^")


def _identifier(value: str) -> str:
    """A CX as number and assigning authority, whatever its type."""
    return f"{er7.component(value, 1)}^^^{er7.component(value, 4).partition('&')[0]}"


def _patients_in(segments: list[er7.Segment]) -> tuple[str, ...]:
    return tuple(_identifier(value) for value in er7.field(segments, "PID", 3).split("~"))


def results_in(received: Received) -> list[Result]:
    if not received.kind.startswith("ORU"):
        return []
    segments = er7.read(received.payload)
    return [_result(received, segments, group) for group in _groups(segments)]


def _groups(segments: list[er7.Segment]) -> Iterator[list[er7.Segment]]:
    """Each OBR with the ORC before it and all that follows up to the next."""
    starts = [n for n, segment in enumerate(segments) if segment[0] == "OBR"]
    starts = [n - 1 if segments[n - 1][0] == "ORC" else n for n in starts]
    for start, end in zip(starts, [*starts[1:], len(segments)], strict=True):
        yield segments[start:end]


def _result(received: Received, segments: list[er7.Segment], group: list[er7.Segment]) -> Result:
    built_at = er7.moment(er7.field(segments, "MSH", 7)) or received.at
    return Result(
        placer_number=_entity(er7.field(group, "OBR", 2) or er7.field(group, "ORC", 2)),
        filler_number=_entity(er7.field(group, "OBR", 3) or er7.field(group, "ORC", 3)),
        accession_number=er7.component(er7.field(group, "OBR", 18), 1),
        status=er7.field(group, "OBR", 25),
        text=_text(group),
        control_id=received.control_id,
        patients=_patients_in(segments),
        built_at=built_at,
        reported_at=er7.moment(er7.field(group, "OBR", 22)) or built_at,
        payload=received.payload,
    )


def _text(group: list[er7.Segment]) -> str:
    observations = [obx for obx in er7.named(group, "OBX") if len(obx) > 5 and obx[2] in ("TX", "FT", "ST")]
    return "\n".join(er7.unescape(obx[5]) for obx in observations if er7.component(obx[3], 1) != _STUDY_UID).strip()


def status_messages_in(received: Received) -> list[StatusMessage]:
    if not received.kind.startswith("ORM"):
        return []
    segments = er7.read(received.payload)
    return [_status_message(received, segments, orc) for orc in er7.named(segments, "ORC")]


def _status_message(received: Received, segments: list[er7.Segment], orc: er7.Segment) -> StatusMessage:
    return StatusMessage(
        placer_number=_entity(er7.field([orc], "ORC", 2)),
        filler_number=_entity(er7.field([orc], "ORC", 3)),
        order_control=er7.field([orc], "ORC", 1),
        order_status=er7.field([orc], "ORC", 5),
        control_id=received.control_id,
        patients=_patients_in(segments),
        built_at=er7.moment(er7.field(segments, "MSH", 7)) or received.at,
    )
