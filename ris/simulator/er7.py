"""Reads and writes the vertical-bar text of HL7 version 2, just enough to play the other side."""

import itertools
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

Segment = list[str]

_ESCAPES = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\", ".br": "\n"}
_SKIPPED_IN_FILES = (b"FHS", b"BHS", b"BTS", b"FTS")
_answers = itertools.count(1)


def decode(payload: bytes) -> str:
    """UTF-8, or Latin-1 where it is not: whatever arrives can be shown."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload.decode("latin-1")


def read(payload: bytes) -> list[Segment]:
    """The segments as lists in which index n is field n, MSH included; empty when the text does not start with MSH."""
    lines = [line for line in decode(payload).replace("\n", "\r").split("\r") if line.strip()]
    if not lines or not lines[0].startswith("MSH") or len(lines[0]) < 8:
        return []
    separator = lines[0][3]
    segments = [line.split(separator) for line in lines]
    segments[0].insert(1, separator)
    return segments


def lines(segments: list[Segment]) -> list[str]:
    """The segments as they were written."""
    if not segments:
        return []
    msh, *others = segments
    separator = msh[1]
    return [separator.join([msh[0], *msh[2:]]), *(separator.join(segment) for segment in others)]


def named(segments: Iterable[Segment], name: str) -> list[Segment]:
    return [segment for segment in segments if segment[0] == name]


def field(segments: Iterable[Segment], name: str, number: int) -> str:
    """The field as written, of the first segment of that name; empty when there is none."""
    segment = next(iter(named(segments, name)), [])
    return segment[number] if number < len(segment) else ""


def component(value: str, number: int) -> str:
    """One component of a field's first repetition, unescaped; empty when there is none."""
    parts = value.partition("~")[0].split("^")
    return unescape(parts[number - 1]) if number <= len(parts) else ""


def unescape(text: str) -> str:
    return re.sub(r"\\([^\\]*)\\", lambda found: _ESCAPES.get(found[1], found[0]), text)


def escape(text: str) -> str:
    return re.sub(r"[|^&~\\\n]", lambda found: _ESCAPED[found[0]], text)


_ESCAPED = {character: f"\\{code}\\" for code, character in _ESCAPES.items()}


def segment(name: str, fields: Mapping[int, str]) -> str:
    """One segment from field numbers and their texts, which are already escaped."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def header(sender: tuple[str, str], receiver: tuple[str, str], *, kind: str, control_id: str, version: str, charset: str = "") -> str:
    """An MSH segment; `sender` and `receiver` are application and facility, `charset` is MSH-18."""
    now = timestamp(datetime.now().astimezone())
    msh = ["MSH", "^~\\&", *sender, *receiver, now, "", kind, control_id, "P", version, "", "", "", "", "", charset]
    return "|".join(msh).rstrip("|")


def message(*segments: str) -> bytes:
    return ("\r".join(segments) + "\r").encode()


def timestamp(moment: datetime) -> str:
    return f"{moment:%Y%m%d%H%M%S%z}"


def moment(text: str) -> datetime | None:
    """The aware time of a DTM, local where it has no offset; None when it cannot be read."""
    found = re.match(r"(\d{8})(\d{0,6})(?:\.\d+)?([+-]\d{4})?$", component(text, 1))
    if not found:
        return None
    written = found[1] + found[2].ljust(6, "0") + (found[3] or "")
    try:
        return datetime.strptime(written, "%Y%m%d%H%M%S" + ("%z" if found[3] else "")).astimezone()
    except ValueError:
        return None


def control_id(payload: bytes) -> str:
    return field(read(payload), "MSH", 10)


def kind(payload: bytes) -> str:
    """The message type as people speak of it: `ADT^A04`, `ORM^O01 NW`, `ORU^R01 F`."""
    segments = read(payload)
    of_message = field(segments, "MSH", 9)
    event = "^".join(of_message.split("^")[:2])
    detail = field(segments, "OBR", 25) if event.startswith("ORU") else field(segments, "ORC", 1)
    return f"{event} {detail}".strip()


def acknowledgement(payload: bytes, *, code: str, text: str = "") -> bytes:
    """The answer to a message, in the separators of the message."""
    segments = read(payload)
    separator = field(segments, "MSH", 1) or "|"
    encoding = field(segments, "MSH", 2) or "^~\\&"
    parties = [field(segments, "MSH", number) for number in (5, 6, 3, 4)]
    event = component(field(segments, "MSH", 9), 2)
    own_id = f"ACK{datetime.now().astimezone():%H%M%S%f}{next(_answers)}"
    tail = ["", f"ACK^{event}^ACK" if event else "ACK", own_id, field(segments, "MSH", 11) or "P", field(segments, "MSH", 12) or "2.3.1"]
    msh = ["MSH", encoding, *parties, timestamp(datetime.now().astimezone()), *tail]
    msa = ["MSA", code, field(segments, "MSH", 10), escape(text)]
    return "".join(separator.join(parts) + "\r" for parts in (msh, msa)).encode()


def answer_in(segments: list[Segment]) -> tuple[str, str]:
    """The code of an acknowledgement and what it says, in MSA-3 or, from 2.5 on, in ERR-8 or ERR-3."""
    said = field(segments, "MSA", 3) or field(segments, "ERR", 8) or component(field(segments, "ERR", 3), 2)
    return field(segments, "MSA", 1), unescape(said)


def messages_in(content: bytes) -> list[bytes]:
    """The messages of a file: one or several, MLLP framed or not; batch headers and trailers are left out."""
    found: list[list[bytes]] = []
    for line in re.split(rb"[\r\n\x0b\x1c]+", content.removeprefix(b"\xef\xbb\xbf")):
        if re.match(rb"MSH[^\w\s]", line):
            found.append([line])
        elif found and line.strip() and not line.startswith(_SKIPPED_IN_FILES):
            found[-1].append(line)
    return [b"\r".join(lines) + b"\r" for lines in found]
