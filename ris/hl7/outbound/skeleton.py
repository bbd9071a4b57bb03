"""What the tables of hl7apy say about the messages that we build: their segments in order, and the fields of each segment."""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from hl7apy import load_reference
from hl7apy.exceptions import ChildNotFound, HL7apyException
from hl7apy.parser import parse_message
from hl7apy.validation import Validator

from ris.hl7 import er7

VERSIONS = ("2.3.1", "2.5.1")
"""The versions that we write."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The structure of one message in one version, as a builder fills it."""

    name: str
    """Table 0354, for example ORU_R01."""
    version: str
    segments: tuple[str, ...]
    """In the order of the message with its groups opened, each once per place where it may stand."""
    limits: Mapping[str, int]
    """How many fields each segment has."""

    def check(self, segment: str, field: int) -> None:
        """Lets a builder fill `field` of `segment`; segments of our own, whose name begins with Z, may hold anything.

        Raises:
            ValueError: this message has no such segment, or the segment has no such field in this version.
        """
        if segment.startswith("Z"):
            return
        limit = self.limits.get(segment)
        if limit is None:
            raise ValueError(f"{self.name} has no segment {segment} in version {self.version}")
        if not 1 <= field <= limit:
            raise ValueError(f"{segment} has no field {field} in version {self.version}")


@cache
def skeleton(name: str, version: str) -> Skeleton:
    """The structure `name` of table 0354, made once per version.

    Raises:
        ValueError: a version that we do not write, or a structure that it does not have.
    """
    segments = tuple(_segments(_reference(name, "Message", version), version))
    return Skeleton(name, version, segments, {segment: fields(version, segment) for segment in segments})


@cache
def fields(version: str, segment: str) -> int:
    """How many fields the segment has.

    Raises:
        ValueError: a version that we do not write, or a segment that it does not have.
    """
    return len(_reference(segment, "Segment", version)[1])


@cache
def datatype(version: str, segment: str, field: int) -> str:
    """The data type of a field, `varies` where another field says which.

    Raises:
        ValueError: a version that we do not write, or a segment or field that it does not have.
    """
    return str(_reference(f"{segment}_{field}", "Field", version)[2])


def _reference(name: str, kind: str, version: str) -> Any:
    if version not in VERSIONS:
        raise ValueError(f"version {version} is not one that we write")
    try:
        return load_reference(name, kind, version)
    except ChildNotFound:
        raise ValueError(f"version {version} has no {kind.lower()} {name}") from None


def _segments(reference: Any, version: str) -> Iterator[str]:
    for name, _, _, kind in reference[1]:
        if kind == "GRP":
            yield from _segments(_reference(name, "Group", version), version)
        else:
            yield name


def validate(er7_text: str, version: str) -> list[str]:
    """What hl7apy finds wrong with a message, read as `version`; empty when it finds nothing.

    It is advice and never a gate: hl7apy's tables also blame what the standard allows. It takes the structure from
    MSH-9.3, which is needed wherever it is not made of MSH-9.1 and MSH-9.2. Segments of our own are left out, since
    hl7apy knows none, and segments that have no place in the structure are named, since it drops these without a word.
    Whatever goes wrong inside hl7apy is a finding.
    """
    try:
        prepared = _prepared(er7.Message.parse(er7_text), version)
        parsed = parse_message(prepared)
        faults = [fault for fault in _faults(parsed) if not _is_alternative(fault, version)]
        return _dropped(prepared, parsed.to_er7()) + faults
    except Exception as fault:  # noqa: BLE001  # advice must not end in any of hl7apy's own faults
        return [f"{type(fault).__name__}: {fault}"]


def _prepared(message: er7.Message, version: str) -> str:
    """The message as hl7apy can read it: in this version, with its structure and without segments of our own."""
    delimiters = message.delimiters
    msh = message.msh.raw.split(delimiters.field)
    msh += [""] * (12 - len(msh))
    msh[11] = version
    if message.value("MSH", 9) == "ACK":
        msh[8] = delimiters.component.join(("ACK", message.value("MSH", 9, 2), "ACK"))
    others = (segment.raw for segment in message.segments[1:] if not segment.name.startswith("Z"))
    return er7.join((delimiters.field.join(msh), *others))


def _dropped(given: str, kept: str) -> list[str]:
    lost = Counter(segment.name for segment in er7.Message.parse(given).segments)
    lost -= Counter(segment.name for segment in er7.Message.parse(kept).segments)
    return [f"{name} has no place in the structure ({count})" for name, count in lost.items()]


def _faults(parsed: Any) -> list[str]:
    # hl7apy raises the first fault only and writes all of them to a file. This one never reaches a disk, because the
    # faults quote values.
    with os.fdopen(os.memfd_create("findings"), "r", encoding="utf-8") as report:
        with contextlib.suppress(HL7apyException):
            Validator.validate(parsed, report_file=f"/proc/self/fd/{report.fileno()}")
        return report.read().splitlines()


def _is_alternative(fault: str, version: str) -> bool:
    """hl7apy asks for every segment of a group of which one is to be chosen."""
    missing = re.fullmatch(r"Error: Missing required child (\w+)\.\w{3}", fault)
    if missing is None:
        return False
    try:
        return bool(load_reference(missing[1], "Group", version)[0] == "choice")
    except ChildNotFound:
        return False
