"""Acknowledgements: what the header of a message says about its answer, and the answer (HL7 v2.5.1 ch. 2.9, 2.14.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from ris.base.errors import Invalid, Location, Unsupported
from ris.hl7 import charset, er7

AckCode = Literal["AA", "AE", "AR", "CA", "CE", "CR"]
"""Table 0008."""

ERROR_TEXTS = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "104": "Value too long",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}
"""Table 0357."""

_BEFORE_2_3 = ("2.1", "2.2")
_BEFORE_2_4 = (*_BEFORE_2_3, "2.3")
_BEFORE_2_5 = (*_BEFORE_2_4, "2.4")
_HEAD_CHARACTERS = 4096
_CONTROLS = dict.fromkeys((*range(0x20), 0x7F))


@dataclass(frozen=True, slots=True)
class AckError:
    """One fault of a message, for an ERR segment."""

    code: str
    """Table 0357."""
    text: str = ""
    """For a person; ids and codes only."""
    location: Location | None = None
    severity: str = "E"
    """Table 0516: E error, W warning, I information."""


class Header(NamedTuple):
    """MSH as it was sent: the values are still escaped and keep their components, so that they can be sent back as they are.

    Control characters are left out and every value is empty where nothing was found.
    """

    delimiters: er7.Delimiters
    sending_application: str = ""
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    sent_at: str = ""
    """MSH-7."""
    message_code: str = ""
    """MSH-9.1."""
    trigger_event: str = ""
    """MSH-9.2."""
    control_id: str = ""
    """MSH-10."""
    processing_id: str = ""
    """MSH-11."""
    version: str = ""
    """MSH-12."""
    accept_acknowledgment_type: str = ""
    """MSH-15, table 0155."""
    application_acknowledgment_type: str = ""
    """MSH-16, table 0155."""
    character_set: str = ""
    """MSH-18."""


class Response(NamedTuple):
    """An application's own form of acknowledgement, as ORR^O02: MSH-9 and the segments that follow MSA and ERR."""

    message_code: str
    trigger_event: str
    segments: tuple[str, ...]


def header(raw_or_message: bytes | er7.Message, default: str | None = None) -> Header:
    """The header of a message that was read, or of bytes that may be no message at all.

    `default` is the character set of a partner who declares none, see `charset.decode`. Bytes without a readable MSH in
    their first 4096 give an empty header. Never raises.
    """
    if isinstance(raw_or_message, er7.Message):
        return _header(raw_or_message.msh.raw, raw_or_message.delimiters)
    start = raw_or_message.find(b"MSH", 0, _HEAD_CHARACTERS)
    if start < 0:
        return Header(er7.STANDARD)
    segment = raw_or_message[start : start + _HEAD_CHARACTERS].replace(b"\n", b"\r").partition(b"\r")[0]
    try:
        decoded = charset.decode(segment, default)
        return _header(decoded.text, er7.declared(decoded.text, decoded.codec))
    except (Invalid, Unsupported):
        return Header(er7.STANDARD)


def _header(segment: str, delimiters: er7.Delimiters) -> Header:
    segment = segment[:_HEAD_CHARACTERS]
    if not segment.isprintable():
        segment = segment.translate(_CONTROLS)
    # A list as long as MSH-18 needs, whatever was sent; MSH-n stands at n - 1.
    fields = segment.split(delimiters.field, 18) + [""] * 18
    message_type = fields[8].split(delimiters.component, 2)
    return Header(
        delimiters,
        fields[2],
        fields[3],
        fields[4],
        fields[5],
        fields[6],
        message_type[0],
        message_type[1] if len(message_type) > 1 else "",
        fields[9],
        fields[10],
        fields[11],
        fields[14],
        fields[15],
        fields[17],
    )


def build(
    header: Header,
    code: AckCode,
    *,
    errors: Sequence[AckError] = (),
    text: str = "",
    own_control_id: str,
    now: datetime,
    response: Response | None = None,
    wants_no_answer: bool = False,
) -> bytes:
    """The acknowledgement of a message, in the sender's delimiters, version and character set, ready to be framed.

    Sender and receiver change places; MSA-2 is MSH-10 as it was sent (without MSH-10 it is empty, and `code` has to be
    AR or CR); MSH-11 and MSH-12 are echoed, or P and 2.5.1 where they are empty. MSH-9 is `ACK^event^ACK`, before
    version 2.4 `ACK^event` and before 2.3 `ACK`. From 2.5 on each error is an ERR segment of its own, earlier all are
    repetitions of ERR-1, and `text`, or else the text of the first error, stands in MSA-3. A `response` gives MSH-9 and
    more segments; `wants_no_answer` says NE in MSH-15 and MSH-16. Never raises for any header.
    """
    f = header.delimiters.field
    version = header.version or "2.5.1"
    # Each value of the header is still escaped as the sender wrote it, so the line is put together from them directly.
    msh = (
        f"MSH{f}{header.delimiters.encoding}{f}{header.receiving_application}{f}{header.receiving_facility}"
        f"{f}{header.sending_application}{f}{header.sending_facility}{f}{now:%Y%m%d%H%M%S%z}{f}"
        f"{f}{_message_type(header, version, response)}{f}{er7.escape(own_control_id, header.delimiters)}"
        f"{f}{header.processing_id or 'P'}{f}{version}"
    )
    if wants_no_answer:
        msh += f"{f * 3}NE{f}NE"
    if header.character_set:
        msh += f * (2 if wants_no_answer else 6) + header.character_set
    is_old = version.startswith(_BEFORE_2_5)
    if is_old and errors and not text:
        text = _text(errors[0])
    msa = f"MSA{f}{code}{f}{header.control_id}"
    if text:
        msa += f + er7.escape(text, header.delimiters)
    segments = [msh, msa, *_err_segments(errors, header.delimiters, is_old=is_old), *(response.segments if response else ())]
    return charset.encode(er7.join(segments), header.delimiters.codec).raw


def _message_type(header: Header, version: str, response: Response | None) -> str:
    if response:
        kind = (response.message_code, response.trigger_event)
        structure = () if version.startswith(_BEFORE_2_4) else ("_".join(kind),)
        return header.delimiters.component.join((*kind, *structure))
    if not header.trigger_event or version.startswith(_BEFORE_2_3):
        return "ACK"
    parts = ("ACK", header.trigger_event) if version.startswith(_BEFORE_2_4) else ("ACK", header.trigger_event, "ACK")
    return header.delimiters.component.join(parts)


def _text(error: AckError) -> str:
    return error.text or ERROR_TEXTS.get(error.code, "")


def _err_segments(errors: Sequence[AckError], delimiters: er7.Delimiters, *, is_old: bool) -> list[str]:
    if is_old:
        return [er7.segment("ERR", {1: [_error_1(error) for error in errors]}, delimiters)] if errors else []
    return [er7.segment("ERR", _fields(error), delimiters) for error in errors]


def _error_1(error: AckError) -> er7.Components:
    """ERR-1, data type ELD (HL7 v2.3.1 ch. 2.24.3): segment, sequence, field, code and its text."""
    segment, sequence, field = _location(error.location)[:3]
    return er7.components(segment, sequence, field, er7.subcomponents(error.code, ERROR_TEXTS.get(error.code)))


def _fields(error: AckError) -> dict[int, er7.Value]:
    """ERR-2, 3, 4 and 8 (HL7 v2.5.1 ch. 2.15.5)."""
    return {
        2: er7.components(*_location(error.location)),
        3: er7.components(error.code, ERROR_TEXTS.get(error.code), "HL70357"),
        4: error.severity,
        8: error.text,
    }


def _location(location: Location | None) -> list[str]:
    if location is None:
        return [""] * 5
    numbers = (location.sequence, location.field, location.repetition, location.component)
    return [location.segment, *("" if number is None else str(number) for number in numbers)]
