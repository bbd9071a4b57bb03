"""A way between two programs on this machine on which bytes can get lost."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, Self


class Passage(Protocol):
    """What becomes of the bytes of one connection: what is handed on of them, or None when the connection is cut."""

    def forth(self, data: bytes) -> bytes | None: ...

    def back(self, data: bytes) -> bytes | None: ...


class Proxy:
    """Listens on a port of its own; whoever connects there is led to the target through a passage of their own."""

    def __init__(self, target_port: int, open_passage: Callable[[], Passage]) -> None:
        self._target = ("127.0.0.1", target_port)
        self._open_passage = open_passage
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(self._target)
                passage = self._open_passage()
                threading.Thread(target=_carry, args=(client, server, passage.forth), daemon=True).start()
                threading.Thread(target=_carry, args=(server, client, passage.back), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()


def _carry(source: socket.socket, sink: socket.socket, handed_on: Callable[[bytes], bytes | None]) -> None:
    with suppress(OSError):
        while (data := source.recv(65_536)) and (passed := handed_on(data)) is not None:
            sink.sendall(passed)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()
