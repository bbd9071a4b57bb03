"""Sends and receives MLLP frames over blocking sockets, and can answer wrongly on request."""

import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from ris.simulator import er7
from ris.simulator.ledger import JsonLines

_START = b"\x0b"
_END = b"\x1c\x0d"


class NoAnswer(Exception):
    """No acknowledgement came: whether the message was taken is unknown."""


class Deframer:
    """Cuts a stream of bytes into the payloads of its frames; bytes between frames are dropped."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        *frames, self._buffer = (self._buffer + chunk).split(_END)
        return [frame[frame.rfind(_START) + 1 :] for frame in frames if _START in frame]


def frame(payload: bytes) -> bytes:
    return _START + payload + _END


class Client:
    """One persistent connection with one message under way; any failure closes it, so that a late answer meets nobody."""

    def __init__(self, host: str, port: int, timeout_s: float = 30.0) -> None:
        self.host, self.port, self.timeout_s = host, port, timeout_s
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        """Raises OSError when nobody listens."""
        self._connected()

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def send(self, message: str | bytes) -> bytes:
        """The payload of the acknowledgement, connecting first if need be; NoAnswer on time-out, refusal or close."""
        payload = message.encode() if isinstance(message, str) else message
        try:
            return self._exchange(self._connected(), payload)
        except OSError as error:
            self.close()
            raise NoAnswer(f"no answer from {self.host}:{self.port}: {error}") from error

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection((self.host, self.port), self.timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _exchange(self, connection: socket.socket, payload: bytes) -> bytes:
        ends_at = monotonic() + self.timeout_s
        connection.settimeout(self.timeout_s)
        connection.sendall(frame(payload))
        deframer = Deframer()
        while not (answers := deframer.feed(_receive(connection, ends_at))):
            pass
        return answers[0]


def _receive(connection: socket.socket, ends_at: float) -> bytes:
    left = ends_at - monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    connection.settimeout(left)
    chunk = connection.recv(65536)
    if not chunk:
        raise ConnectionResetError("connection closed")
    return chunk


@dataclass(frozen=True, slots=True)
class Arrival:
    connection: int
    control_id: str
    payload: bytes
    at: datetime


Answer = str | Callable[[Arrival], str | bytes]
"""AA, AE, AR (or another code), `none`, `late` (AA after a while), `close` (hang up), or who decides; bytes are sent as they are."""


class Receiver:
    """Listens and keeps every arrival, in a file too when a path is given, before it answers as told."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        answer: Answer = "AA",
        late_s: float = 1.0,
        path: str | Path | None = None,
        on_arrival: Callable[[Arrival], None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host, self.port = host, port
        self.answer = answer
        self.late_s = late_s
        self.on_arrival = on_arrival
        self.tls = tls
        self._file = JsonLines(path) if path else None
        self._arrivals = [_arrival(line) for line in self._file.load()] if self._file else []
        self._arrived = threading.Condition()
        self._stopping = threading.Event()
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._connected = max((arrival.connection for arrival in self._arrivals), default=0)

    @property
    def arrivals(self) -> list[Arrival]:
        with self._arrived:
            return list(self._arrivals)

    def start(self) -> Self:
        """Listens, unless it does; a port of 0 is replaced by the one found, which a later start takes again."""
        if self._listener:
            return self
        self._stopping = threading.Event()
        self._listener = socket.create_server((self.host, self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._spawn(self._accept, self._listener, self._stopping)
        return self

    def stop(self) -> None:
        """Hangs up on everyone and stops listening; the arrivals stay."""
        self._stopping.set()
        with self._arrived:
            open_sockets = [*self._connections, *([self._listener] if self._listener else [])]
            threads, self._threads = self._threads, []
            self._listener = None
        for open_socket in open_sockets:
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()

    def hang_up(self) -> None:
        """Cuts the present connections and goes on listening."""
        with self._arrived:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def wait_for(self, predicate_or_count: int | Callable[[Sequence[Arrival]], bool], timeout_s: float) -> bool:
        """Whether so many messages had arrived, or the predicate on all arrivals came true, in time."""
        with self._arrived:
            return self._arrived.wait_for(lambda: _is_met(predicate_or_count, self._arrivals), timeout_s)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        with self._arrived:
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, stopping: threading.Event) -> None:
        with listener:
            while not stopping.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                self._welcome(connection, stopping)

    def _welcome(self, connection: socket.socket, stopping: threading.Event) -> None:
        with self._arrived:
            self._connected += 1
            number = self._connected
            self._connections.add(connection)
        self._spawn(self._serve, connection, number, stopping)

    def _serve(self, connection: socket.socket, number: int, stopping: threading.Event) -> None:
        deframer = Deframer()
        with suppress(OSError), self._secured(connection) as connection:
            while not stopping.is_set() and (chunk := connection.recv(65536)):
                if not all(self._handle(connection, number, payload, stopping) for payload in deframer.feed(chunk)):
                    break
        with self._arrived:
            self._connections.discard(connection)

    def _secured(self, connection: socket.socket) -> socket.socket:
        if self.tls is None:
            return connection
        secured = self.tls.wrap_socket(connection, server_side=True)
        with self._arrived:
            # The plain one has given its descriptor away and can be hung up no more.
            self._connections.discard(connection)
            self._connections.add(secured)
        return secured

    def _handle(self, connection: socket.socket, number: int, payload: bytes, stopping: threading.Event) -> bool:
        """Keeps and answers one message; False when the connection is to be closed."""
        arrival = self._keep(Arrival(number, er7.control_id(payload), payload, datetime.now().astimezone()))
        answer = self.answer(arrival) if callable(self.answer) else self.answer
        if answer == "AA" and not arrival.control_id:
            answer = "AR"
        if answer == "late":
            answer = "none" if stopping.wait(self.late_s) else "AA"
        if answer not in ("none", "close"):
            connection.sendall(frame(answer if isinstance(answer, bytes) else er7.acknowledgement(payload, code=answer)))
        return answer != "close"

    def _keep(self, arrival: Arrival) -> Arrival:
        with self._arrived:
            if self._file:
                self._file.append(asdict(arrival))
            if self.on_arrival:
                self.on_arrival(arrival)
            self._arrivals.append(arrival)
            self._arrived.notify_all()
        return arrival


def _is_met(predicate_or_count: int | Callable[[Sequence[Arrival]], bool], arrivals: Sequence[Arrival]) -> bool:
    if isinstance(predicate_or_count, int):
        return len(arrivals) >= predicate_or_count
    return predicate_or_count(arrivals)


def _arrival(line: dict[str, Any]) -> Arrival:
    at = datetime.fromisoformat(line["at"])
    return Arrival(line["connection"], line["control_id"], line["payload"].encode("latin-1"), at)
