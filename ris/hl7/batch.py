"""Files of messages: one, several, or a batch in FHS and BHS (HL7 v2.5.1 ch. 2.10.3); each message is taken as from a connection."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ris.hl7 import ack
from ris.hl7.intake import AWAY, Intake
from ris.hl7.mllp import BETWEEN

GROUP = 100
UNKNOWN = "it is not known whether it was taken"
_BREAKS = re.compile(rb"[\x0b\x1c]*(?:\r\n|\n|\r)[\x0b\x1c\r\n]*|[\x0b\x1c]+")
_ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one message of a file."""

    control_id: str
    kind: str
    code: str
    """MSA-1 of the last answer; empty where the sender wants none."""
    reason: str
    """ERR-8, or MSA-3."""

    @property
    def is_refused(self) -> bool:
        return self.code not in ("", "AA", "CA")

    @property
    def is_lost(self) -> bool:
        """It could not be stored: the same bytes are to be taken again."""
        return self.reason in (AWAY.message, UNKNOWN)


def messages(content: bytes) -> list[bytes]:
    """The messages of a file, without what envelops them. Each line is a segment; what stands before the first MSH is no message."""
    found: list[list[bytes]] = []
    for line in _BREAKS.split(content.removeprefix(b"\xef\xbb\xbf")):
        if line[:3] == b"MSH":
            found.append([line])
        elif found and line.strip() and line[:3] not in _ENVELOPE:
            found[-1].append(line)
    return [b"\r".join(lines) + b"\r" for lines in found]


def announced(content: bytes) -> int | None:
    """How many messages the batch trailers (BTS-1) say there are; None where none says it."""
    counts = [line.split(line[3:4])[1] for line in _BREAKS.split(content) if line[:3] == b"BTS" and len(line) > 4]
    return sum(int(count) for count in counts) if counts and all(count.isdigit() for count in counts) else None


def take(intake: Intake, content: bytes, place: str) -> Iterator[Taken]:
    """Takes every message in its order; `place` stands in the journal. A file that comes again is answered from the journal."""
    found = messages(content)
    for some in (found[start : start + GROUP] for start in range(0, len(found), GROUP)):
        for raw, answer in zip(some, intake.take([(raw, place) for raw in some]), strict=True):
            yield _taken(raw, answer)


def _taken(raw: bytes, answer: bytes | None) -> Taken:
    header = ack.header(raw)
    code = reason = ""
    if answer:
        last = ack.header(answer.split(BETWEEN)[-1])
        separator = last.delimiters.field
        lines = answer.split(BETWEEN)[-1].decode(last.delimiters.codec, "replace").split("\r")
        fields = {line[:3]: line.split(separator) for line in lines if line}
        code = fields["MSA"][1] if "MSA" in fields else ""
        reason = next((fields[name][at] for name, at in (("ERR", 8), ("MSA", 3)) if len(fields.get(name, ())) > at), "")
    elif answer == b"":
        code, reason = "AE", UNKNOWN
    return Taken(header.control_id, f"{header.message_code}^{header.trigger_event}", code, reason)
