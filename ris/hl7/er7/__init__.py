"""ER7, the text form of HL7 v2 messages: read lazily and to the position, written so that no text leaves its place."""

from ris.hl7.er7.delimiters import STANDARD, Delimiters, declared, escape, unescape
from ris.hl7.er7.reader import NULL, Field, Message, Segment
from ris.hl7.er7.writer import Components, Repetition, Subcomponents, Value, components, join, pattern, segment, subcomponents

__all__ = [
    "NULL",
    "STANDARD",
    "Components",
    "Delimiters",
    "Field",
    "Message",
    "Repetition",
    "Segment",
    "Subcomponents",
    "Value",
    "components",
    "declared",
    "escape",
    "join",
    "pattern",
    "segment",
    "subcomponents",
    "unescape",
]
