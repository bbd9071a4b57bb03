"""Loads an MLLP listener: many connections, one message under way on each, the same bytes again until answered."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic, perf_counter

MakeMessage = Callable[[int, int], bytes]

_START = b"\x0b"
_END = b"\x1c\x0d"
_FIRST_WAIT_S = 0.02
_LONGEST_WAIT_S = 0.5
_WATCH_S = 0.05

_ORDER = (
    b"MSH|^~\\&|EHR|HOSP|RIS|RAD|20260801084500+0000||ORM^O01^ORM_O01|%(id)b|P|2.3.1\r"
    b"PID|1||%(patient)b^^^HOSP^MR||Load^Patient%(patient)b^^^^^L||19800101|F|||1 Main St^^Springfield^IL^62701^USA^H||555-0100^PRN^PH\r"
    b"PV1|1|O|CLINIC1||||1001^Baker^Ada|1002^Rossi^Emil|||||||||||V%(patient)b^^^HOSP^VN\r"
    b"ORC|NW|%(placer)b^EHR|||||^^^202608011400^^R||20260801084500|8888^Clerk^Cy||1002^Rossi^Emil|||||HOSP\r"
    b"OBR|1|%(placer)b^EHR||CTCHESTC^CT chest with contrast^L|||||||||R/O pulmonary embolism|||1002^Rossi^Emil|||||||||||^^^202608011400^^R"
    b"||||R06.02^Shortness of breath^I10\r"
)


@dataclass(slots=True)
class LoadResult:
    """What was answered: `acked` holds the MSH-10 of every AA, `unanswered` those given up at the deadline."""

    seconds: float = 0.0
    acked: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    reconnects: int = 0
    resent: int = 0

    @property
    def rate(self) -> float:
        """Accepted messages a second."""
        return len(self.acked) / self.seconds

    @property
    def p50_ms(self) -> float:
        return self.percentile_ms(50)

    @property
    def p99_ms(self) -> float:
        return self.percentile_ms(99)

    def percentile_ms(self, percent: float) -> float:
        """From the first sending to the accepting answer, resends included; 0 when nothing was accepted."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


async def drive(
    host: str,
    port: int,
    *,
    connections: int,
    make_message: MakeMessage,
    messages_per_connection: int | None = None,
    seconds: float | None = None,
    answer_within_s: float = 10.0,
    deadline_s: float = 120.0,
) -> LoadResult:
    """Sends so many messages on each connection, or for so long, and returns when all are answered or at the deadline."""
    if (messages_per_connection is None) == (seconds is None):
        raise ValueError("either messages_per_connection or seconds")
    result = LoadResult()
    started = monotonic()
    last_start = started + seconds if seconds is not None else None
    senders = [_Sender(host, port, n, make_message, messages_per_connection, last_start, result) for n in range(connections)]
    watch = asyncio.create_task(_watch(senders, answer_within_s))
    begun = perf_counter()
    _, late = await asyncio.wait([asyncio.create_task(sender.run()) for sender in senders], timeout=deadline_s)
    result.seconds = perf_counter() - begun
    watch.cancel()
    for task in late:
        task.cancel()
    await asyncio.gather(watch, *late, return_exceptions=True)
    for sender in senders:
        sender.give_up()
    return result


def make_order(connection: int, n: int) -> bytes:
    """An ORM^O01 of about 600 bytes whose control id, patient and placer number belong to it alone."""
    number = b"%04d%07d" % (connection, n)
    return _ORDER % {b"id": b"L" + number, b"patient": number, b"placer": b"P" + number}


async def _watch(senders: list["_Sender"], answer_within_s: float) -> None:
    """One clock for all connections: a timer for each message would cost more than the message."""
    while True:
        await asyncio.sleep(_WATCH_S)
        oldest = perf_counter() - answer_within_s
        for sender in senders:
            sender.hang_up_if_sent_before(oldest)


class _Sender(asyncio.Protocol):
    """One connection: sends the next message when the last was answered, and the same one again after a loss."""

    def __init__(
        self,
        host: str,
        port: int,
        number: int,
        make_message: MakeMessage,
        count: int | None,
        last_start: float | None,
        result: LoadResult,
    ) -> None:
        self._host, self._port, self._number = host, port, number
        self._make_message = make_message
        self._count, self._last_start = count, last_start
        self._result = result
        self._transport: asyncio.Transport | None = None
        self._lost: asyncio.Future[None] | None = None
        self._buffer = b""
        self._sent = 0
        self._frame = b""
        self._control_id = b""
        self._first_sent_at = self._sent_at = 0.0

    async def run(self) -> None:
        wait = _FIRST_WAIT_S
        loop = asyncio.get_running_loop()
        self._next()
        while self._frame:
            answered = len(self._result.latencies_ms)
            self._lost = loop.create_future()
            try:
                await loop.create_connection(lambda: self, self._host, self._port)
                await self._lost
            except OSError:
                pass
            if not self._frame:
                return
            wait = _FIRST_WAIT_S if len(self._result.latencies_ms) > answered else min(2 * wait, _LONGEST_WAIT_S)
            await asyncio.sleep(wait)
            self._result.reconnects += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""
        self._result.resent += bool(self._sent_at)
        self._write()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if self._buffer.endswith(_END):
            answer, self._buffer = self._buffer, b""
            self._take(answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._lost and not self._lost.done():
            self._lost.set_result(None)

    def hang_up_if_sent_before(self, moment: float) -> None:
        if self._transport and self._frame and self._sent_at < moment:
            self._result.errors.append(f"{self._control_id.decode()}: no answer in time")
            self._transport.abort()

    def give_up(self) -> None:
        if self._frame:
            self._result.unanswered.add(self._control_id.decode())
        if self._transport:
            self._transport.abort()

    def _take(self, answer: bytes) -> None:
        code, _, rest = answer.partition(b"\rMSA|")[2].partition(b"|")
        if rest.replace(b"\r", b"|").partition(b"|")[0] != self._control_id:
            self._result.errors.append(f"{self._control_id.decode()}: an answer to something else came")
            self._hang_up()
            return
        if code == b"AA":
            self._result.acked.add(self._control_id.decode())
            self._result.latencies_ms.append((perf_counter() - self._first_sent_at) * 1000)
        else:
            self._result.errors.append(f"{self._control_id.decode()}: {code.decode()}")
        self._next()
        if self._frame:
            self._write()
        else:
            self._hang_up()

    def _next(self) -> None:
        """Makes the next message; none when the count or the time has run out."""
        self._sent_at = self._first_sent_at = 0.0
        self._frame = b""
        if self._sent != self._count and (self._last_start is None or monotonic() < self._last_start):
            message = self._make_message(self._number, self._sent)
            self._sent += 1
            self._control_id = message.split(b"|", 10)[9]
            self._frame = _START + message + _END

    def _write(self) -> None:
        if self._transport:
            self._sent_at = perf_counter()
            self._first_sent_at = self._first_sent_at or self._sent_at
            self._transport.write(self._frame)

    def _hang_up(self) -> None:
        if self._transport:
            self._transport.abort()
