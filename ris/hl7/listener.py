"""The MLLP listener: connections in one event loop, one writer thread that gathers what waits on all of them into groups."""

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections import deque
from typing import cast

from sqlalchemy.exc import SQLAlchemyError

from ris.hl7.intake import Intake
from ris.hl7.mllp import BETWEEN, Commit, Framer, Oversized, Partial, frame
from ris.hl7.origin import Origin, certified_names
from ris.partner.queries import own_ports
from ris.program import Program

log = logging.getLogger(__name__)

GATHER_S = 0.0015
"""How long a group waits for more while fewer frames wait than connections are open (as PostgreSQL's commit_delay does)."""
GROUP = 256
"""Messages in one transaction at the most."""
MOST_OWED = 256
"""A peer that is owed so many answers, or one long message's worth of bytes, is not read from until it got some of them."""


class Connection(asyncio.Protocol):
    """One peer: its frames go in order into the queue, its answers come back in that order."""

    transport: asyncio.Transport

    def __init__(self, listener: "Listener") -> None:
        self.listener = listener
        self.framer = Framer(listener.program.settings.mllp.max_bytes)
        self.place = Origin("")
        self.last_heard = 0.0
        self.owed = 0
        """Answers that are still to be given."""
        self._owed_bytes = 0
        self._peer_reads = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        peer, here = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        names = certified_names(transport.get_extra_info("peercert"))
        self.place = Origin(f"{peer[0]}:{peer[1]}" if peer else "", here[1] if here else 0, names)
        self.last_heard = time.monotonic()
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if (reason := self.listener.why_not(self)) is not None:
            log.warning("refused %s: %s", self.place, reason)
            transport.close()

    def data_received(self, data: bytes) -> None:
        self.last_heard = time.monotonic()
        for item in self.framer.feed(data):
            if isinstance(item, Oversized):
                self.listener.put(self, None, item.head)
            elif isinstance(item, Partial):
                log.warning("a message of %s was cut off: %d bytes dropped", self.place, item.size)
            elif not isinstance(item, Commit):
                self._owed_bytes += len(item.payload)
                self.listener.put(self, item.payload, b"")
        self._regulate()

    def pause_writing(self) -> None:
        self._peer_reads = False
        self._regulate()

    def resume_writing(self) -> None:
        self._peer_reads = True
        self._regulate()

    def _regulate(self) -> None:
        """Takes no more than can be answered: what a peer sends beyond that waits in its own machine."""
        if self.owed >= MOST_OWED or self._owed_bytes > self.listener.program.settings.mllp.max_bytes or not self._peer_reads:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def hang_up(self) -> None:
        """Closes; what a peer that has stopped reading did not fetch is not waited for."""
        if self._peer_reads:
            self.transport.close()
        else:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.listener.forget(self)

    def answer(self, payload: bytes | None, size: int) -> None:
        """Sends an answer, nothing where none is owed, or closes where none may be given. A peer that has gone misses its own answer only.

        `size` is that of the message.
        """
        self.owed -= 1
        self._owed_bytes -= size
        self.last_heard = time.monotonic()
        if self.transport.is_closing():
            return
        if payload == b"":
            self.transport.close()
            return
        if payload:
            self.transport.write(b"".join(frame(part) for part in payload.split(BETWEEN)))
        self._regulate()


class Listener:
    """Serves until stopped; what has been read is applied and answered before it ends."""

    def __init__(self, program: Program, intake: Intake | None = None) -> None:
        self.program = program
        self.intake = intake or Intake(program)
        self.connections: set[Connection] = set()
        self._waiting: deque[tuple[Connection, bytes | None, bytes]] = deque()
        self._something = threading.Condition()
        self._stopping = False
        self._own_ports: dict[int, str] = {}
        """Of partners, to the addresses that are let in."""
        self._own_servers: dict[int, asyncio.Server] = {}
        self._ports_taken: set[int] = set()
        """By somebody else, when they were tried last."""
        self._writer = threading.Thread(target=self._write, name="writer")

    async def serve(self, ready: "asyncio.Future[int]", stop: asyncio.Event) -> None:
        """Listens; `ready` gets the port."""
        settings = self.program.settings.mllp
        self._loop = asyncio.get_running_loop()
        server = await self._listen(settings.port)
        await self._follow_own_ports()
        self._writer.start()
        watch = asyncio.create_task(self._watch())
        ready.set_result(server.sockets[0].getsockname()[1])
        await stop.wait()
        for one in (server, *self._own_servers.values()):
            one.close()
        watch.cancel()
        await asyncio.to_thread(self._finish)
        # The answers of the last group are written by callbacks that stand in the queue of this loop.
        await asyncio.sleep(0)
        for connection in list(self.connections):
            connection.transport.close()

    async def _listen(self, port: int) -> asyncio.Server:
        host = self.program.settings.mllp.host
        return await self._loop.create_server(lambda: Connection(self), host, port, ssl=self._tls(), backlog=512, reuse_address=True)

    async def _follow_own_ports(self) -> None:
        """Listens on the ports that partners have for themselves now, and no longer on those that none has."""
        self._own_ports = await asyncio.to_thread(self._read_own_ports)
        for port in self._own_servers.keys() - self._own_ports.keys():
            self._own_servers.pop(port).close()
        for port in self._own_ports.keys() - self._own_servers.keys():
            try:
                self._own_servers[port] = await self._listen(port)
                self._ports_taken.discard(port)
            except OSError as error:
                # It is tried again each time, and said once.
                if port not in self._ports_taken:
                    log.error("port %d of a partner cannot be listened on: %s", port, error.strerror)
                self._ports_taken.add(port)

    def _read_own_ports(self) -> dict[int, str]:
        try:
            with self.program.read() as session:
                return own_ports(session)
        except SQLAlchemyError:
            return self._own_ports

    def why_not(self, connection: Connection) -> str | None:
        """Why a connection is refused; None when it is taken."""
        if len(self.connections) >= self.program.settings.mllp.max_connections:
            return "too many connections"
        if not connection.place.is_from(self._own_ports.get(connection.place.port, "")):
            return "its partner does not send from there"
        self.connections.add(connection)
        return None

    def forget(self, connection: Connection) -> None:
        self.connections.discard(connection)

    def put(self, connection: Connection, payload: bytes | None, head: bytes) -> None:
        connection.owed += 1
        with self._something:
            self._waiting.append((connection, payload, head))
            # The first ends the writer's sleep, the last its gathering; to wake it for each between would cost more than a message.
            if len(self._waiting) == 1 or len(self._waiting) >= len(self.connections):
                self._something.notify()

    # ── the writer's thread ──────────────────────────────────────────────────────────────────────────────────────────

    def _write(self) -> None:
        while True:
            group = self._gather()
            if not group:
                return
            answers = self._answers_or_none(group)
            self._loop.call_soon_threadsafe(
                _deliver,
                [(connection, answer, len(payload or b"")) for (connection, payload, _), answer in zip(group, answers, strict=True)],
            )

    def _gather(self) -> list[tuple[Connection, bytes | None, bytes]]:
        with self._something:
            while not self._waiting:
                if self._stopping:
                    return []
                self._something.wait()
            until = time.monotonic() + GATHER_S
            while len(self._waiting) < len(self.connections) and not self._stopping:
                left = until - time.monotonic()
                if left <= 0 or not self._something.wait(left):
                    break
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP))]

    def _answers_or_none(self, group: list[tuple[Connection, bytes | None, bytes]]) -> list[bytes | None]:
        """Nothing that can happen to one group ends this thread: without answers, its connections are closed."""
        try:
            return self._answers(group)
        except Exception as error:
            log.critical("a group of %d is not answered: %s", len(group), type(error).__name__)
            return [b""] * len(group)

    def _answers(self, group: list[tuple[Connection, bytes | None, bytes]]) -> list[bytes | None]:
        taken = iter(self.intake.take([(payload, connection.place) for connection, payload, _ in group if payload is not None]))
        return [
            self.intake.refuse_oversized(head, connection.place) if payload is None else next(taken) for connection, payload, head in group
        ]

    def _finish(self) -> None:
        with self._something:
            self._stopping = True
            self._something.notify()
        self._writer.join()

    # ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _watch(self) -> None:
        limit = self.program.settings.mllp.idle_seconds
        while True:
            await asyncio.sleep(min(limit, 10) / 2)
            self._close_idle(limit)
            await self._follow_own_ports()

    def _close_idle(self, limit: int) -> None:
        now = time.monotonic()
        for connection in list(self.connections):
            if not connection.owed and now - connection.last_heard > limit:
                log.info("closed %s: nothing heard for %d s", connection.place, limit)
                connection.hang_up()

    def _tls(self) -> ssl.SSLContext | None:
        settings = self.program.settings.mllp
        if settings.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(settings.certificate, settings.certificate_key)
        if settings.client_authorities is not None:
            context.load_verify_locations(settings.client_authorities)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _deliver(answers: list[tuple[Connection, bytes | None, int]]) -> None:
    for connection, answer, size in answers:
        connection.answer(answer, size)
