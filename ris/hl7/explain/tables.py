"""The standard's names, types, cardinalities, tables and structures, version by version, from hl7apy's tables."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import hl7apy

NEWEST_WITH_ALL = "2.5.1"
"""Stands in for a version or a structure that hl7apy does not know: it is the one with everything that a RIS needs."""
_VERSION = re.compile(r"2\.\d(\.\d)?")
_SHORT = {"Id": "ID", "Ssn": "SSN", "Dob": "DOB"}

STRUCTURES = {
    "ADT": {
        "A01": "ADT_A01", "A02": "ADT_A02", "A03": "ADT_A03", "A04": "ADT_A01", "A05": "ADT_A05", "A06": "ADT_A06", "A07": "ADT_A06",
        "A08": "ADT_A01", "A09": "ADT_A09", "A10": "ADT_A09", "A11": "ADT_A09", "A13": "ADT_A01", "A14": "ADT_A05", "A18": "ADT_A18",
        "A28": "ADT_A05", "A30": "ADT_A30", "A31": "ADT_A05", "A34": "ADT_A30", "A35": "ADT_A30", "A36": "ADT_A30", "A38": "ADT_A38",
        "A39": "ADT_A39", "A40": "ADT_A39", "A41": "ADT_A39", "A42": "ADT_A39", "A43": "ADT_A43", "A44": "ADT_A43", "A45": "ADT_A45",
        "A46": "ADT_A30", "A47": "ADT_A30", "A48": "ADT_A30", "A49": "ADT_A30",
    },
    "SIU": {f"S{number}": "SIU_S12" for number in (*range(12, 25), 26)},
}  # fmt: skip
"""Table 0354, where the event does not give the structure its name."""

SEGMENTS = {
    "AIG": "Appointment: general resource", "AIL": "Appointment: location", "AIP": "Appointment: personnel", "AIS": "Appointment: service",
    "AL1": "Patient allergy", "ARV": "Access restriction", "BHS": "Batch header", "BTS": "Batch trailer", "CTI": "Clinical trial",
    "DB1": "Disability", "DG1": "Diagnosis", "DRG": "Diagnosis related group", "ERR": "Error", "EVN": "Event type", "FHS": "File header",
    "FT1": "Financial transaction", "FTS": "File trailer", "GT1": "Guarantor", "IN1": "Insurance", "IN2": "Insurance, additional",
    "IN3": "Insurance, certification", "IPC": "Imaging procedure control", "MFE": "Master file entry", "MFI": "Master file identification",
    "MRG": "Merge patient", "MSA": "Message acknowledgment", "MSH": "Message header", "NK1": "Next of kin", "NTE": "Notes and comments",
    "OBR": "Observation request", "OBX": "Observation", "ORC": "Common order", "PD1": "Patient, additional demographics",
    "PDA": "Death and autopsy", "PID": "Patient identification", "PR1": "Procedures", "PRT": "Participation", "PV1": "Patient visit",
    "PV2": "Patient visit, additional", "QAK": "Query acknowledgment", "QPD": "Query parameters", "RGS": "Resource group", "ROL": "Role",
    "SCH": "Schedule activity", "SFT": "Software", "SPM": "Specimen", "TQ1": "Timing and quantity", "TQ2": "Timing, relationship",
    "TXA": "Transcription document header", "UAC": "User authentication", "ZDS": "Study Instance UID (IHE)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """A field or one of its parts, as a version of the standard describes it."""

    name: str
    datatype: str
    table: str
    """Such as `0001`; empty for none."""
    least: int
    most: int
    """-1: no bound."""
    parts: tuple["Value", ...] = ()


WITHDRAWN = Value("A value of earlier versions", "", "", 0, 0)
"""What stands at a place that a version does not use any more."""


@dataclass(frozen=True, slots=True)
class Part:
    """A segment or a group of a structure."""

    name: str
    least: int
    most: int
    """-1: no bound."""
    children: tuple["Part", ...] = ()
    """Empty for a segment."""
    is_choice: bool = False
    """One of the children stands there, not all of them."""


def version_of(text: str) -> str:
    """The version whose tables describe a message with that MSH-12."""
    found = _VERSION.match(text.strip())
    return found[0] if found and found[0] in hl7apy.SUPPORTED_LIBRARIES else NEWEST_WITH_ALL


@functools.lru_cache(maxsize=2_048)
def fields(version: str, segment: str) -> tuple[Value, ...] | None:
    """The fields of a segment from 1 on; None for a segment that the version does not have."""
    known = hl7apy.load_library(version).SEGMENTS.get(segment)
    return _in_place(known[1], segment) if known else None


@functools.lru_cache(maxsize=512)
def components(version: str, datatype: str) -> tuple[Value, ...]:
    """What a data type is made of; nothing for one that is not made of parts, or is not known."""
    return _in_place(hl7apy.load_library(version).DATATYPES_STRUCTS.get(datatype, ()))


@functools.lru_cache(maxsize=256)
def structure(version: str, message_code: str, trigger_event: str) -> tuple[str, Part] | None:
    """Name and tree of what a message of that type is made of; None where the version has none."""
    messages = hl7apy.load_library(version).MESSAGES
    for name in (STRUCTURES.get(message_code, {}).get(trigger_event), f"{message_code}_{trigger_event}", message_code):
        if name and name in messages:
            return name, Part(name, 1, 1, tuple(_part(child) for child in messages[name][1]))
    return None


def values(version: str, table: str) -> frozenset[str]:
    """The codes of a table that the standard closes; empty where it names none."""
    known = getattr(hl7apy.load_library(version), "TABLES", {}).get(f"HL7{table}")
    return frozenset(known[1]) if known else frozenset()


def _in_place(rows: Sequence[Any], segment: str = "") -> tuple[Value, ...]:
    """Each at the place that its name gives it: the tables leave out what a version has withdrawn."""
    known = {int(row[0].rpartition("_")[2]): _value(row, segment) for row in rows}
    return tuple(known.get(number, WITHDRAWN) for number in range(1, max(known, default=0) + 1))


def _value(row: Any, segment: str = "") -> Value:
    name, reference, (least, most) = row[0], row[1], row[2]
    kind, children, datatype, title, table = reference[:5]
    parts = _in_place(children) if kind == "sequence" else ()
    return Value(_words((title or name).removesuffix(f"_{segment}")), datatype or "", (table or "").removeprefix("HL7"), least, most, parts)


def _part(row: Any) -> Part:
    name, reference, (least, most), kind = row
    if kind != "GRP":
        return Part(name, least, most)
    return Part(name, least, most, tuple(_part(child) for child in reference[1]), is_choice=reference[0] == "choice")


def _words(name: str) -> str:
    """`PATIENT_IDENTIFIER_LIST` as a person reads it."""
    words = [_SHORT.get(word.capitalize(), word.lower()) for word in name.split("_")]
    return " ".join((words[0][:1].upper() + words[0][1:], *words[1:])).replace("ate time", "ate/time")
