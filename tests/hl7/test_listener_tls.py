"""The listener behind TLS: who may speak to it, and that nothing is read before that is settled."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ris.bootstrap import Ris
from ris.settings import Mllp
from tests.certificates import make_certificate
from tests.hl7.asking import AA, journal, outcome
from tests.hl7.listening import END, VT, Peer, listening
from tests.messages.samples import order

pytestmark = [pytest.mark.usefixtures("hospital"), pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)]


@contextmanager
def serving(ris: Ris, folder: Path, **more: Path) -> Iterator[tuple[int, ssl.SSLContext]]:
    """The port of a listener with TLS, and the context of a client that trusts it."""
    certificate, key = make_certificate(folder, "listener")
    settings = Mllp(port=0, idle_seconds=1, certificate=certificate, certificate_key=key, **more)
    secured = Ris(ris.settings.model_copy(update={"mllp": settings}))
    with listening(secured) as port:
        yield port, ssl.create_default_context(cafile=certificate)
    secured.close()


def exchange(port: int, context: ssl.SSLContext, message: bytes) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as peer,
    ):
        peer.sendall(VT + message + END)
        answer = b""
        while not answer.endswith(END):
            data = peer.recv(65_536)
            if not data:
                raise ConnectionError("hung up")
            answer += data
        return answer.removeprefix(VT).removesuffix(END)


def test_an_order_over_tls_is_applied(ris: Ris, tmp_path: Path) -> None:
    with serving(ris, tmp_path) as (port, context):
        assert outcome(exchange(port, context, order())) == AA


def test_plain_bytes_to_a_tls_port_are_never_read_as_a_message(ris: Ris, tmp_path: Path) -> None:
    with serving(ris, tmp_path) as (port, context):
        with Peer(port) as plain:
            plain.send(order())
            with pytest.raises((EOFError, ConnectionError)):
                plain.answer()
        assert outcome(exchange(port, context, order())) == AA
    assert journal(ris) == [("applied", "AA")]


def test_an_old_version_of_tls_is_refused(ris: Ris, tmp_path: Path) -> None:
    with serving(ris, tmp_path) as (port, context):
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            exchange(port, context, order())
    assert journal(ris) == []


@pytest.mark.parametrize(("shown", "allowed"), [("known", True), ("stranger", False), ("", False)], ids=["known", "unknown", "none"])
def test_only_a_client_with_a_certificate_of_the_authorities_is_heard(shown: str, allowed: bool, ris: Ris, tmp_path: Path) -> None:
    clients = {name: make_certificate(tmp_path, name) for name in ("known", "stranger")}
    with serving(ris, tmp_path, client_authorities=clients["known"][0]) as (port, context):
        if shown:
            context.load_cert_chain(*clients[shown])
        if allowed:
            assert outcome(exchange(port, context, order())) == AA
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                exchange(port, context, order())
    assert journal(ris) == [("applied", "AA")] * allowed
