"""What must hold for any bytes at all, one function each: they raise AssertionError, or whatever a fault of ours raises."""

from contextlib import suppress
from datetime import UTC, datetime

from ris.base.errors import RisError
from ris.hl7 import ack
from ris.hl7.charset import decode
from ris.hl7.er7 import Delimiters, Message, escape, unescape
from ris.hl7.explain.advice import advice
from ris.hl7.explain.view import view
from ris.hl7.mllp import Framer, Oversized

LONGEST = 64
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def framing(data: bytes) -> None:
    """However a stream is cut, the same frames come out; the first bytes say where it is cut."""
    cuts, stream = data[:8], data[8:]
    places = sorted(min(cut, len(stream)) for cut in cuts)
    split = Framer(LONGEST)
    items = [item for start, end in zip([0, *places], [*places, len(stream)], strict=True) for item in split.feed(stream[start:end])]
    whole = Framer(LONGEST)
    assert _kinds(whole.feed(stream)) == _kinds(items)
    assert (whole.skipped, whole.is_inside) == (split.skipped, split.is_inside)
    assert whole.settle() == split.settle()


def reading(data: bytes) -> None:
    """Bytes are refused in words or read, whole: no segment is lost, every place can be asked for."""
    with suppress(RisError):
        decoded = decode(data, None)
        message = Message.parse(decoded.text, decoded.codec)
        again = Message.parse("\r".join(segment.raw for segment in message.segments), decoded.codec)
        assert [segment.raw for segment in again.segments] == [segment.raw for segment in message.segments]
        for segment in message.segments[:50]:
            # MSH-1 and MSH-2 are the delimiters, which are never cut.
            for number in range(3 if segment.name == "MSH" else 1, min(segment.raw.count(message.delimiters.field) + 3, 60)):
                _field(message, segment.name, number)
        view(message)
        advice(message)


def answering(data: bytes) -> None:
    """Whatever was sent, an acknowledgement can be built, can be read, and names the message by the bytes of its MSH-10."""
    header = ack.header(data)
    code: ack.AckCode = "AE" if header.control_id else "AR"
    error = ack.AckError("207", data[-40:].decode("latin-1"))
    answer = ack.build(header, code, errors=[error], own_control_id="K1", now=NOW)
    assert not set(answer) & {0x0B, 0x1C}
    read = Message.parse(decode(answer, header.delimiters.codec).text, header.delimiters.codec)
    assert [segment.name for segment in read.segments][:2] == ["MSH", "MSA"]
    assert read.segments[1].value(1) == code


def escaping(data: bytes) -> None:
    """No text leaves its place, and what is escaped says the same again, but for controls that no field can hold."""
    text = data.decode("utf-8", "replace")
    standard = Delimiters()
    written = escape(text, standard)
    assert not set(written) & set("|^~&\r\n\x0b\x1c")
    assert escape(unescape(written, standard), standard) == written


def _kinds(items: list[object]) -> list[object]:
    """How much of an oversized message had come when the limit was passed is no matter of the stream."""
    return [Oversized if isinstance(item, Oversized) else item for item in items]


def _field(message: Message, name: str, number: int) -> None:
    segment = message.first(name)
    assert segment is not None
    field = segment.field(number)
    for position, repetition in enumerate(field.repetitions[:5], start=1):
        assert segment.value(number, 1, position) == repetition.component(1)
    assert isinstance(field.text, str)


TARGETS = {"framing": framing, "reading": reading, "answering": answering, "escaping": escaping}
