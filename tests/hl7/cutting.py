"""A way to the PostgreSQL server that loses the answer to COMMIT when it is told to: the commit itself goes through."""

import socket
import threading
from typing import Self


class CuttingProxy:
    """Hands on every byte; the next connection that commits after `arm` is cut before the server's answer comes back."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._armed = threading.Event()
        self.cuts = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self) -> None:
        self._armed.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            waits_for_commit = threading.Event()
            threading.Thread(target=self._to_server, args=(client, server, waits_for_commit), daemon=True).start()
            threading.Thread(target=self._to_client, args=(server, client, waits_for_commit), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, waits_for_commit: threading.Event) -> None:
        while data := _received(client):
            if b"COMMIT" in data and self._armed.is_set():
                self._armed.clear()
                waits_for_commit.set()
            server.sendall(data)
        server.close()

    def _to_client(self, server: socket.socket, client: socket.socket, waits_for_commit: threading.Event) -> None:
        while data := _received(server):
            if waits_for_commit.is_set():
                self.cuts += 1
                client.shutdown(socket.SHUT_RDWR)
                break
            client.sendall(data)
        client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except OSError:
        return b""
