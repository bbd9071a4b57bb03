"""The door of the listener: the TLS handshake, before which nothing is read, and the trail of those who are not let in."""

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Callable
from typing import cast

from sqlalchemy.exc import SQLAlchemyError

from ris.audit import service as audit
from ris.audit.model import Action, Outcome
from ris.base.ref import Ref
from ris.base.uow import Actor, UnitOfWork
from ris.hl7.origin import Origin
from ris.program import Program

log = logging.getLogger(__name__)

HANDSHAKE_S = 10.0


def reason(error: OSError) -> str:
    """The kind of failure alone: refused, reset, unreachable, not trusted."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or type(error).__name__}"
    return type(error).__name__ if error.strerror is None else error.strerror


def turned_away(uow: UnitOfWork, place: str, about: Ref, why: str, times: int = 1) -> None:
    """The entry of a node that did not prove who it is (DICOM PS3.15 A.5.3.11, DCM 110126 in a 110113 Security Alert)."""
    before, uow.actor = uow.actor, Actor("system", 0, "HL7 listener", place)
    audit.entry(uow, Action.execute, "node.refused", about, outcome=Outcome.refused, detail={"reason": why, "times": times})
    uow.actor = before


class Trail:
    """Writes down who is turned away: at once, and what comes meanwhile in one entry for each address and reason."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._waiting: Counter[tuple[str, int, str]] = Counter()
        self._writing: asyncio.Task[None] | None = None

    def note(self, place: Origin, why: str) -> None:
        log.warning("refused %s: %s", place, why)
        self._waiting[place.address, place.port, why] += 1
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_all())

    async def settle(self) -> None:
        """Returns when everything is written."""
        if self._writing is not None:
            await self._writing

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, Counter()
            await asyncio.to_thread(self._write, batch)

    def _write(self, batch: Counter[tuple[str, int, str]]) -> None:
        try:
            with self._program.uow() as uow:
                for (address, port, why), times in batch.items():
                    turned_away(uow, address, Ref("port", port), why, times)
        except SQLAlchemyError as error:
            log.error("%d refusals are in no trail: %s", batch.total(), type(error).__name__)


class Handshake(asyncio.Protocol):
    """Shakes hands with one peer; then the connection that `connect` makes takes its place.

    `under_way` holds those that have not come so far; with `most` of them nobody else is heard.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        connect: Callable[[], asyncio.Protocol],
        refuse: Callable[[Origin, str], None],
        under_way: "set[asyncio.Task[None]]",
        most: int,
    ) -> None:
        self._context = context
        self._connect = connect
        self._refuse = refuse
        self._under_way, self._most = under_way, most
        self._early = b""
        self._has_gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain = cast("asyncio.Transport", transport)
        if len(self._under_way) >= self._most:
            plain.abort()
            return
        # Whatever comes belongs to the handshake.
        plain.pause_reading()
        task = asyncio.get_running_loop().create_task(self._shake(plain))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _shake(self, plain: asyncio.Transport) -> None:
        peer, here = plain.get_extra_info("peername"), plain.get_extra_info("sockname")
        place = Origin(f"{peer[0]}:{peer[1]}" if peer else "", here[1] if here else 0)
        try:
            secured = await asyncio.get_running_loop().start_tls(
                plain, self, self._context, server_side=True, ssl_handshake_timeout=HANDSHAKE_S
            )
        except ssl.SSLError as error:
            self._refuse(place, reason(error))
        except OSError as error:
            # Who hangs up or says nothing, as a probe of the port does, is no alarm.
            log.info("no handshake with %s: %s", place, reason(error))
        else:
            if secured is not None and not self._has_gone:
                self._hand_over(secured)

    def _hand_over(self, secured: asyncio.Transport) -> None:
        connection = self._connect()
        secured.set_protocol(connection)
        connection.connection_made(secured)
        if self._early:
            connection.data_received(self._early)

    def data_received(self, data: bytes) -> None:
        """What came together with the end of the handshake."""
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_gone = True
