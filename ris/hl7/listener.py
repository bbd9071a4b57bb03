"""The MLLP listener: connections in one event loop, one writer thread that gathers what waits on all of them into groups.

Long messages have a thread beside the writer, so that they hold nobody up but their own connection.
"""

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import cast

from sqlalchemy.exc import SQLAlchemyError

from ris.hl7.door import Handshake, Trail
from ris.hl7.intake import Intake
from ris.hl7.mllp import BETWEEN, Commit, Framer, Oversized, Partial, frame
from ris.hl7.origin import Origin, certified_names
from ris.hl7.waiting import Frame, Standing, Waiting
from ris.partner.queries import own_ports
from ris.program import Program

log = logging.getLogger(__name__)

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
        """When a message last began, ended or was answered: what drips byte by byte says nothing."""
        self.owed = 0
        """Answers that are still to be given."""
        self.standing = Standing()
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
        if not self.listener.lets_in(self):
            transport.close()

    def data_received(self, data: bytes) -> None:
        was_inside = self.framer.is_inside
        items = self.framer.feed(data)
        if items or not was_inside:
            self.last_heard = time.monotonic()
        for item in items:
            if isinstance(item, Oversized):
                self.listener.put(Frame(self, None, item.head))
            elif isinstance(item, Partial):
                log.warning("a message of %s was cut off: %d bytes dropped", self.place, item.size)
            elif not isinstance(item, Commit):
                self._owed_bytes += len(item.payload)
                self.listener.put(Frame(self, item.payload))
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

    def __init__(self, program: Program, make_intake: Callable[[Program], Intake] = Intake) -> None:
        """Each of the two threads that apply messages gets an intake of its own."""
        self.program = program
        self.connections: set[Connection] = set()
        self._trail = Trail(program)
        self._handshakes: set[asyncio.Task[None]] = set()
        self._waiting: Waiting[Connection] = Waiting()
        self._own_ports: dict[int, str] = {}
        """Of partners, to the addresses that are let in."""
        self._own_servers: dict[int, asyncio.Server] = {}
        self._ports_taken: set[int] = set()
        """By somebody else, when they were tried last."""
        self._threads = (
            threading.Thread(target=self._apply, args=(make_intake(program), self._gather), name="writer"),
            threading.Thread(target=self._apply, args=(make_intake(program), self._waiting.next_aside), name="beside"),
        )

    async def serve(self, ready: "asyncio.Future[int]", stop: asyncio.Event) -> None:
        """Listens; `ready` gets the port."""
        settings = self.program.settings.mllp
        self._loop = asyncio.get_running_loop()
        server = await self._listen(settings.port)
        await self._follow_own_ports()
        for thread in self._threads:
            thread.start()
        watch = asyncio.create_task(self._watch())
        ready.set_result(server.sockets[0].getsockname()[1])
        await stop.wait()
        for one in (server, *self._own_servers.values()):
            one.close()
        watch.cancel()
        await asyncio.to_thread(self._finish)
        await self._trail.settle()
        # The answers of the last group are written by callbacks that stand in the queue of this loop.
        await asyncio.sleep(0)
        for connection in list(self.connections):
            connection.transport.close()

    async def _listen(self, port: int) -> asyncio.Server:
        settings, context = self.program.settings.mllp, self._tls()

        def meet() -> asyncio.Protocol:
            if context is None:
                return Connection(self)
            return Handshake(context, lambda: Connection(self), self._trail.note, self._handshakes, settings.max_connections)

        is_shared = settings.processes > 1
        return await self._loop.create_server(meet, settings.host, port, backlog=512, reuse_address=True, reuse_port=is_shared)

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

    def lets_in(self, connection: Connection) -> bool:
        if not connection.place.is_from(self._own_ports.get(connection.place.port, "")):
            self._trail.note(connection.place, "its partner does not send from there")
            return False
        if len(self.connections) >= self.program.settings.mllp.max_connections:
            log.warning("refused %s: too many connections", connection.place)
            return False
        self.connections.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        self.connections.discard(connection)

    def put(self, frame: "Frame[Connection]") -> None:
        frame.connection.owed += 1
        self._waiting.put(frame, len(self.connections))

    # ── the threads that apply ───────────────────────────────────────────────────────────────────────────────────────

    def _apply(self, intake: Intake, take: "Callable[[], list[Frame[Connection]]]") -> None:
        while group := take():
            answers = self._answers_or_none(intake, group)
            self._loop.call_soon_threadsafe(_deliver, list(zip(group, answers, strict=True)))
            self._waiting.done(group)

    def _gather(self) -> "list[Frame[Connection]]":
        return self._waiting.gather(lambda: len(self.connections))

    def _answers_or_none(self, intake: Intake, group: "list[Frame[Connection]]") -> list[bytes | None]:
        """Nothing that can happen to one group ends its thread: without answers, its connections are closed."""
        try:
            taken = iter(intake.take([(one.payload, one.connection.place) for one in group if one.payload is not None]))
            return [intake.refuse_oversized(one.head, one.connection.place) if one.payload is None else next(taken) for one in group]
        except Exception as error:
            log.critical("a group of %d is not answered: %s", len(group), type(error).__name__)
            return [b""] * len(group)

    def _finish(self) -> None:
        self._waiting.stop()
        for thread in self._threads:
            thread.join()

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
                log.info("closed %s: nothing whole was heard for %d s", connection.place, limit)
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


def _deliver(answers: "list[tuple[Frame[Connection], bytes | None]]") -> None:
    for one, answer in answers:
        one.connection.answer(answer, len(one.payload or b""))
