"""The listener behind TLS: who may speak to it, and that nothing is read before that is settled."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ris.bootstrap import Ris
from ris.settings import Mllp
from tests.certificates import issue, make_certificate
from tests.factories.hospital import Hospital
from tests.hl7.asking import AA, agree, counts, journal, outcome, rows
from tests.hl7.listening import END, VT, Peer, listening
from tests.messages.samples import order
from tests.waiting import until

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


@dataclass(frozen=True)
class Papers:
    """An authority, its certificates for two partners, one of its that is too old, and one that signed itself."""

    authority: Path
    ours: tuple[Path, Path]
    another: tuple[Path, Path]
    expired: tuple[Path, Path]
    stranger: tuple[Path, Path]


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    authority = make_certificate(tmp_path, "authority")
    return Papers(
        authority[0],
        issue(tmp_path, "ehr.example", authority),
        issue(tmp_path, "other.example", authority),
        issue(tmp_path, "old.example", authority, days=-1),
        make_certificate(tmp_path, "stranger"),
    )


def turned_away(ris: Ris) -> list[tuple[str, str, str]]:
    """Of each entry: where the peer is, what it wanted to get into, and why it was not let in."""
    entries = rows(ris, "SELECT place, object_kind, detail FROM audit_entry WHERE what = 'node.refused' ORDER BY id")
    return [(place, kind, json.loads(detail)["reason"]) for place, kind, detail in entries]


def knock(port: int, context: ssl.SSLContext) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        exchange(port, context, order())


def knock_in_plain_bytes(port: int, _: ssl.SSLContext) -> None:
    with Peer(port) as plain:
        plain.send(order())
        with pytest.raises((EOFError, ConnectionError)):
            plain.answer()


def knock_with_an_old_version(port: int, context: ssl.SSLContext) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    knock(port, context)


STRANGERS: dict[str, tuple[str, Callable[[int, ssl.SSLContext], None], str]] = {
    "no certificate": ("", knock, "TLS: PEER_DID_NOT_RETURN_A_CERTIFICATE"),
    "a certificate of nobody we know": ("stranger", knock, "TLS: self-signed certificate"),
    "an expired certificate": ("expired", knock, "TLS: certificate has expired"),
    "TLS 1.1": ("ours", knock_with_an_old_version, "TLS: UNSUPPORTED_PROTOCOL"),
    "plain bytes": ("ours", knock_in_plain_bytes, "TLS: WRONG_VERSION_NUMBER"),
}


@pytest.mark.parametrize(("shown", "how", "why"), STRANGERS.values(), ids=STRANGERS)
def test_who_does_not_prove_itself_is_not_read_and_stands_in_the_trail(
    shown: str, how: Callable[[int, ssl.SSLContext], None], why: str, ris: Ris, tmp_path: Path, papers: Papers
) -> None:
    with serving(ris, tmp_path, client_authorities=papers.authority) as (port, context):
        if shown:
            context.load_cert_chain(*getattr(papers, shown))
        how(port, context)
        until(lambda: turned_away(ris))
        context = ssl.create_default_context(cafile=tmp_path / "listener.pem")
        context.load_cert_chain(*papers.ours)
        assert outcome(exchange(port, context, order())) == AA
    assert turned_away(ris) == [("127.0.0.1", "port", why)]
    assert journal(ris) == [("applied", "AA")]


def test_a_certificate_of_one_partner_with_the_name_of_another_is_refused_and_stands_in_the_trail(
    ris: Ris, hospital: Hospital, tmp_path: Path, papers: Papers
) -> None:
    agree(ris, hospital, certificate_name="ehr.example")
    with serving(ris, tmp_path, client_authorities=papers.authority) as (port, context):
        context.load_cert_chain(*papers.another)
        assert outcome(exchange(port, context, order())) == ("AR", "207", "MSH^1^3")
    assert [entry[1:] for entry in turned_away(ris)] == [("partner", "this sender may not send from there")]
    assert rows(ris, "SELECT message_id FROM audit_entry WHERE what = 'node.refused'") == rows(ris, "SELECT id FROM message")
    assert journal(ris) == [("refused", "AR")]
    assert counts(ris)["imaging_order"] == counts(ris)["patient"] == 0


def test_a_probe_that_only_connects_is_no_alarm(ris: Ris, tmp_path: Path) -> None:
    with serving(ris, tmp_path) as (port, context):
        Peer(port).close()
        Peer(port).reset()
        assert outcome(exchange(port, context, order())) == AA
    assert turned_away(ris) == []


def test_a_flood_of_strangers_is_one_entry_for_many(ris: Ris, tmp_path: Path) -> None:
    with serving(ris, tmp_path) as (port, _), ris.engine.begin():
        # Nothing can be written meanwhile.
        for _ in range(20):
            knock_in_plain_bytes(port, _)
    counted = [json.loads(detail)["times"] for (detail,) in rows(ris, "SELECT detail FROM audit_entry WHERE what = 'node.refused'")]
    assert sum(counted) == 20
    assert len(counted) <= 2


def test_what_comes_in_one_go_with_the_end_of_the_handshake_is_read(ris: Ris, tmp_path: Path) -> None:
    """As a client does that does not wait: its last record of the handshake and its message leave in one write."""
    with serving(ris, tmp_path) as (port, context), socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65_536))
        client.write(VT + order() + END)
        plain.sendall(outgoing.read())
        until(lambda: journal(ris) == [("applied", "AA")])
