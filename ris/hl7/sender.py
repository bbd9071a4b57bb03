"""The MLLP transport: one persistent connection per destination, one message in flight, and only its own answer is taken for its answer."""

import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import utc_now
from ris.base.errors import RisError
from ris.base.uow import UnitOfWork
from ris.hl7 import charset, er7, mllp
from ris.hl7.door import reason
from ris.hl7.outbound import store
from ris.hl7.outbound.numbered import take_numbers
from ris.journal.model import Message
from ris.outbox.model import Delivery, StoredEvent
from ris.outbox.transport import Answer, Outcome
from ris.outbox.verdict import ACCEPTED, ERROR, REJECTED
from ris.partner.model import Destination

CONNECT_S = 5.0
MAX_ANSWER_BYTES = 1_048_576
CODES = (*ACCEPTED, *ERROR, *REJECTED)
_HARD, _IN_ORDER = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)
"""SO_LINGER: the machine forgets at the close what it could not deliver yet, or goes on trying for minutes."""
NEVER_SENT = "never sent: what it tells was built anew later"

_ANSWERED = sa.update(Message).where(Message.id == sa.bindparam("key")).values(ack_code=sa.bindparam("code"), answer=sa.bindparam("bytes"))


class MllpTransport:
    """What the outbox needs to know of MLLP and HL7 v2."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock

    def build(self, session: Session, told: Sequence[tuple[Delivery, StoredEvent]], destination: Destination) -> list[Outcome]:
        return store.build(session, told, destination, self._clock())

    def payloads(self, session: Session, message_ids: Sequence[int]) -> dict[int, bytes]:
        if not message_ids:
            return {}
        rows = session.execute(sa.select(Message.id, Message.raw).where(Message.id.in_(message_ids)))
        return {message_id: raw for message_id, raw in rows.all()}  # noqa: C416 (a dict of rows has no type)

    def answered(self, uow: UnitOfWork, answers: Sequence[tuple[int, Answer]]) -> None:
        """MSA-1 and the bytes of the answer; what is no answer to the message leaves no mark on it."""
        rows = [{"key": key, "code": answer.code, "bytes": answer.raw} for key, answer in answers if answer.code in CODES]
        if rows:
            uow.session.connection().execute(_ANSWERED, rows)
        for message_id, answer in answers:
            if answer.code in ACCEPTED:
                take_numbers(uow, message_id, answer.raw)

    def withdraw(self, uow: UnitOfWork, message_ids: Sequence[int]) -> None:
        statement = sa.update(Message).where(Message.id.in_(message_ids)).values(error=NEVER_SENT)
        uow.session.execute(statement.execution_options(synchronize_session=False))

    def open(self, destination: Destination) -> "MllpChannel":
        tls = Tls(destination.authorities, destination.certificate, destination.certificate_key) if destination.tls else None
        return MllpChannel(destination.host, destination.port, tls)


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form: who may vouch for the partner (empty: the system's authorities), and our certificate, if it wants one."""

    authorities: str
    certificate: str
    certificate_key: str

    def wrap(self, connection: socket.socket, host: str) -> socket.socket:
        """Shakes hands; the partner's certificate must name `host`. Raises OSError, also for a file that cannot be read."""
        context = ssl.create_default_context(cafile=self.authorities or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate:
            context.load_cert_chain(self.certificate, self.certificate_key or None)
        return context.wrap_socket(connection, server_hostname=host)


class MllpChannel:
    """A connection that is made when it is needed and kept while every answer is the right one."""

    def __init__(self, host: str, port: int, tls: Tls | None = None) -> None:
        self._address, self._tls = (host, port), tls
        self._socket: socket.socket | None = None
        self._timeout_s = self._ends_at = 0.0
        self._failure: OSError | ValueError | None = None
        self._is_owed = False
        """Something was written that was not answered."""

    def connect(self) -> Answer | None:
        if self._socket is not None and _has_news(self._socket):
            # The peer has hung up, or says something that nobody asked for, such as an answer that came too late.
            self.close()
        if self._socket is None:
            try:
                self._socket = _connect(self._address, self._tls)
            except OSError as error:
                return Answer("no connection", reason(error))
        return None

    def begin(self, payload: bytes, timeout_s: float) -> None:
        self._timeout_s, self._ends_at, self._failure = timeout_s, time.monotonic() + timeout_s, None
        self._is_owed = True
        connection = self._socket
        try:
            if connection is None:
                raise ConnectionResetError
            connection.settimeout(timeout_s)
            connection.sendall(mllp.frame(payload))
        except (OSError, ValueError) as error:
            self._failure = error

    def finish(self, control_id: str) -> Answer:
        """Anything but the answer to this very message drops the connection, so that a late answer meets nobody."""
        try:
            answer = self._answer(control_id)
        except TimeoutError:
            answer = Answer("no answer", f"within {self._timeout_s:g} s")
        except OSError as error:
            answer = Answer("no connection", reason(error))
        except ValueError:
            answer = Answer("not sent", "the message holds bytes that end a frame")
        if answer.code in CODES:
            self._is_owed = False
        else:
            self.close()
        return answer

    def close(self) -> None:
        """In order where everything was answered, else hard: what the line holds back must not arrive behind what is sent later."""
        connection, self._socket = self._socket, None
        if connection is not None:
            with suppress(OSError):
                if not self._is_owed:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _IN_ORDER)
                # Another thread may wait in it: a mere close would leave it waiting.
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _answer(self, control_id: str) -> Answer:
        if self._failure is not None:
            raise self._failure
        framer = mllp.Framer(MAX_ANSWER_BYTES)
        while True:
            connection = self._socket
            if connection is None:
                raise ConnectionResetError
            for item in framer.feed(_received(connection, self._ends_at)):
                # The commit of MLLP Release 2 says that the block came, not what became of the message.
                if item != mllp.Commit(accepted=True):
                    return _answer(item, control_id)


def _connect(address: tuple[str, int], tls: Tls | None) -> socket.socket:
    connection = socket.create_connection(address, CONNECT_S)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A peer that vanished without a word is found after about two minutes, also while nothing is sent.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4)):
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
        secured = tls.wrap(connection, address[0]) if tls else connection
    except OSError:
        connection.close()
        raise
    # From the beginning, so that it also holds when the process is killed.
    secured.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _HARD)
    return secured


def _has_news(connection: socket.socket) -> bool:
    """Whether the peer has hung up or said something."""
    if not select.select([connection], [], [], 0)[0]:
        return isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
    if not isinstance(connection, ssl.SSLSocket):
        return True
    connection.settimeout(0)
    try:
        connection.recv(1)
    except ssl.SSLWantReadError:
        # What came was TLS's own: a server gives tickets for later sessions after the handshake.
        return False
    except OSError:
        return True
    return True


def _received(connection: socket.socket, ends_at: float) -> bytes:
    # What has come in time counts, however late we are to look.
    connection.settimeout(max(ends_at - time.monotonic(), 0.001))
    chunk = connection.recv(65536)
    if not chunk:
        raise ConnectionResetError
    return chunk


def _answer(item: mllp.Item, control_id: str) -> Answer:
    if not isinstance(item, mllp.Frame):
        return Answer("not an acknowledgement", type(item).__name__.lower())
    try:
        message = er7.Message.parse(charset.decode(item.payload, None).text)
    except RisError:
        return Answer("not an acknowledgement")
    code = message.value("MSA", 1)
    if code not in CODES:
        return Answer("not an acknowledgement", "it has no code of table 0008")
    if message.value("MSA", 2) != control_id:
        return Answer("another message's answer", "MSA-2 is not our MSH-10")
    return Answer(code, _fault(message), item.payload)


def _fault(message: er7.Message) -> str:
    """The first fault that the answer names: code of table 0357 and place, from ERR-3 and ERR-2, before 2.5 from ERR-1."""
    err = message.first("ERR")
    if err is None:
        return ""
    if err.value(3):
        code, place = err.value(3), (err.value(2, 1), err.value(2, 3))
    else:
        code, place = err.value(1, 4), (err.value(1, 1), err.value(1, 3))
    return " ".join(part for part in (_short(code), "-".join(_short(p) for p in place if p)) if part)


def _short(text: str) -> str:
    """A code of a well-behaved partner is short; what is not might be anything."""
    return text if text.isalnum() and len(text) <= 10 else "?"
