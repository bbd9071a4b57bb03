"""A way to the PostgreSQL server that loses the answer to COMMIT when it is told to: the commit itself goes through."""

import threading

from tests.proxy import Proxy


class CuttingProxy(Proxy):
    """The next connection that commits after `arm` is cut before the server's answer comes back."""

    def __init__(self, target_port: int) -> None:
        self.armed = threading.Event()
        self.cuts = 0
        super().__init__(target_port, lambda: _Passage(self))

    def arm(self) -> None:
        self.armed.set()


class _Passage:
    def __init__(self, proxy: CuttingProxy) -> None:
        self._proxy = proxy
        self._waits_for_commit = False

    def forth(self, data: bytes) -> bytes:
        if b"COMMIT" in data and self._proxy.armed.is_set():
            self._proxy.armed.clear()
            self._waits_for_commit = True
        return data

    def back(self, data: bytes) -> bytes | None:
        if not self._waits_for_commit:
            return data
        self._proxy.cuts += 1
        return None
