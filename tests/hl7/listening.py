"""The listener in a thread of the test or in a process; a peer that speaks MLLP byte by byte where it must."""

import asyncio
import fcntl
import socket
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ris.hl7.listener import Listener
from ris.program import Program
from tests.running import Running
from tests.waiting import until

VT, END = b"\x0b", b"\x1c\r"


def listener_process(program: Program, port: int = 0, *, host: str = "127.0.0.1", **more: str) -> Running:
    """On the database of `program`; `more` are settings of its environment."""
    return Running(
        "listener",
        ready=r"listener ready on [\d.]+:(\d+)",
        RIS_DATABASE__URL=program.settings.database_url,
        RIS_DATA__DIR=str(program.settings.data.dir),
        RIS_MLLP__HOST=host,
        RIS_MLLP__PORT=str(port),
        RIS_CONFIG="",
        **more,
    )


@contextmanager
def listening(program: Program) -> Iterator[int]:
    """The port; on leaving, the listener is told to stop and has answered what it had read."""
    started = threading.Event()
    ports: list[int] = []
    stops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[int] = loop.create_future()
        ready.add_done_callback(lambda port: (ports.append(port.result()), started.set()))
        stop = asyncio.Event()
        stops.append((loop, stop))
        await Listener(program).serve(ready, stop)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(10), "the listener did not start"
    try:
        yield ports[0]
    finally:
        loop, stop = stops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        assert not thread.is_alive(), "the listener did not stop"


class Peer:
    """One connection; what it sends is framed only where it says so."""

    def __init__(self, port: int, timeout_s: float = 20, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), timeout=timeout_s)
        self._buffer = b""

    def write(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send(self, *messages: bytes) -> None:
        """All in one write."""
        self.socket.sendall(b"".join(VT + message + END for message in messages))

    def answer(self) -> bytes:
        """The next answer; raises EOFError when the listener hangs up instead."""
        while END not in self._buffer:
            data = self.socket.recv(65_536)
            if not data:
                raise EOFError("hung up")
            self._buffer += data
        frame, self._buffer = self._buffer.split(END, 1)
        return frame.removeprefix(VT)

    def exchange(self, message: bytes) -> bytes:
        self.send(message)
        return self.answer()

    def is_closed(self) -> bool:
        """Waits until the listener has hung up (or the timeout of the socket)."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def until_received(self) -> None:
        """Waits until the other machine has all that was written."""
        until(lambda: struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4)))[0] == 0)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Hangs up with RST: whatever is on its way to this peer is lost."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
