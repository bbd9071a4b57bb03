"""MLLP: where a message begins and ends in a stream of bytes (HL7 v2.5.1 Implementation Guide, appendix C; MLLP Release 2)."""

from dataclasses import dataclass

VT = b"\x0b"
FS = b"\x1c"
CR = b"\r"

_TRAILER = FS + CR
BETWEEN = _TRAILER + VT
"""What parts two messages that go out together; none of them can hold it."""
_NOISE = b"\x00\r\n"
_HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """One complete message, without its framing."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Oversized:
    """A message that is longer than allowed: its first 1024 bytes, which name it; the rest is skipped as it comes."""

    head: bytes


@dataclass(frozen=True, slots=True)
class Partial:
    """A message whose end never came, because another one began: its first 1024 bytes, and how long it was."""

    head: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Commit:
    """The answer of MLLP Release 2 to a block: one byte instead of a message."""

    accepted: bool


Item = Frame | Oversized | Partial | Commit

ACKNOWLEDGED, NOT_ACKNOWLEDGED = b"\x06", b"\x15"
"""What a commit block of MLLP Release 2 holds."""
_COMMITS = {ACKNOWLEDGED: Commit(accepted=True), NOT_ACKNOWLEDGED: Commit(accepted=False)}


def frame(payload: bytes) -> bytes:
    """`payload` between VT and FS CR.

    Raises:
        ValueError: the payload holds VT or FS, so that a receiver would see another frame than ours.
    """
    if VT in payload or FS in payload:
        raise ValueError("a payload that holds VT or FS cannot be framed")
    return VT + payload + _TRAILER


class Framer:
    """Cuts a stream into messages, however it arrives; holds at most `max_bytes` of one message and one read.

    What comes is the same for every way of splitting the stream into reads. Bytes outside frames are skipped. A frame
    ends at FS CR, or at FS when the next frame follows at once; any other FS is part of the message. A VT inside a
    message means that its end was lost.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._start = 0
        self._scanned = 0
        self._inside = False
        self._discarding = False
        self.skipped = 0
        """How many bytes came outside frames so far, not counting NUL, CR and LF, which some senders put there."""

    @property
    def is_inside(self) -> bool:
        """A message has begun and not ended."""
        return self._inside

    def feed(self, data: bytes) -> list[Item]:
        """What is complete now, in the order of arrival; an `Oversized` comes as soon as the limit is passed."""
        self._buffer += data
        items: list[Item] = []
        while self._inside_step(items) if self._inside else self._outside_step():
            pass
        self._drop_consumed()
        return items

    def settle(self) -> Item | None:
        """The message whose trailer is FS without CR, for a peer known to send that, when nothing more has come.

        None when the stream does not stand after an FS inside a message.
        """
        if not self._inside or not self._buffer.endswith(FS):
            return None
        item = None if self._discarding else self._message(len(self._buffer) - 1)
        self._leave(len(self._buffer))
        self._drop_consumed()
        return item

    def _outside_step(self) -> bool:
        start = self._buffer.find(VT, self._start)
        end = start if start >= 0 else len(self._buffer)
        self.skipped += len(self._buffer[self._start : end].translate(None, _NOISE))
        self._start = end
        if start < 0:
            return False
        self._enter(start + 1)
        return True

    def _inside_step(self, items: list[Item]) -> bool:
        # Looking for VT first bounds the search for the trailer, so that many frames in one read stay linear.
        restart = self._buffer.find(VT, self._scanned)
        limit = restart if restart >= 0 else len(self._buffer)
        end = self._buffer.find(_TRAILER, max(self._start, self._scanned - 1), limit)
        if end < 0 and restart < 0:
            self._wait(items)
            return False
        if not self._discarding:
            items.extend(self._ended(end, restart))
        if end >= 0:
            self._leave(end + len(_TRAILER))
        else:
            self._enter(restart + 1)
        return True

    def _ended(self, end: int, restart: int) -> list[Item]:
        """What ends at the trailer, or else at the VT of the next message."""
        if end >= 0:
            return [self._message(end)]
        if self._buffer.endswith(FS, self._start, restart):
            return [self._message(restart - 1)]
        size = restart - self._start
        if size > self._max_bytes:
            return [Oversized(self._head())]
        return [Partial(self._head(restart), size)] if size else []

    def _message(self, end: int) -> Item:
        if end - self._start > self._max_bytes:
            return Oversized(self._head())
        payload = bytes(self._buffer[self._start : end])
        return _COMMITS.get(payload) or Frame(payload)

    def _head(self, end: int | None = None) -> bytes:
        head = bytes(self._buffer[self._start : self._start + _HEAD_BYTES])
        return head if end is None else head[: end - self._start]

    def _wait(self, items: list[Item]) -> None:
        """The end has not come; an FS that stands last may yet become the trailer and is no part of the size."""
        self._scanned = len(self._buffer)
        end = self._scanned - self._buffer.endswith(FS, self._start)
        if not self._discarding and end - self._start > self._max_bytes:
            items.append(Oversized(self._head()))
            self._discarding = True
        if self._discarding:
            self._start = end

    def _enter(self, start: int) -> None:
        self._start = self._scanned = start
        self._inside = True
        self._discarding = False

    def _leave(self, start: int) -> None:
        self._start = self._scanned = start
        self._inside = self._discarding = False

    def _drop_consumed(self) -> None:
        del self._buffer[: self._start]
        self._scanned = max(0, self._scanned - self._start)
        self._start = 0
