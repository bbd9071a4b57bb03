"""Sending over TLS: each side shows who it is, and nothing is sent to whoever cannot."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from ris.bootstrap import Ris
from ris.outbox.model import DeliveryState
from ris.simulator.mllp import Receiver
from tests.certificates import make_certificate
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import attempts, delivery, forget_deliveries, place, say, send_to, sending, until_state
from tests.waiting import until

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@dataclass(frozen=True)
class Papers:
    """Certificate and key of the partner, of us, and of somebody else."""

    partner: tuple[Path, Path]
    ours: tuple[Path, Path]
    other: tuple[Path, Path]


@pytest.fixture
def papers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Papers:
    monkeypatch.setattr("ris.outbox.verdict.WAITS_S", (0.05,))
    return Papers(*(make_certificate(tmp_path, name) for name in ("partner", "ours", "other")))


def partner(papers: Papers, *, wants_certificate: bool = False) -> Receiver:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*papers.partner)
    if wants_certificate:
        context.load_verify_locations(papers.ours[0])
        context.verify_mode = ssl.CERT_REQUIRED
    return Receiver(tls=context)


def queued(ris: Ris, hospital: Hospital, times: int = 1) -> list[int]:
    placed = place(ris, hospital)
    forget_deliveries(ris)
    return say(ris, placed, times=times)


def trusting(papers: Papers, certificate: tuple[Path, Path] | None = None) -> dict[str, object]:
    """The columns of a destination that trusts the partner and shows a certificate."""
    ours = {"certificate": str(certificate[0]), "certificate_key": str(certificate[1])} if certificate else {}
    return {"tls": True, "authorities": str(papers.partner[0]), **ours}


def reason(ris: Ris, delivery_id: int) -> str:
    until(lambda: attempts(ris, delivery_id))
    return delivery(ris, delivery_id).reason


def test_messages_leave_in_order_over_one_connection_when_both_sides_show_a_certificate(
    ris: Ris, hospital: Hospital, papers: Papers
) -> None:
    ids = queued(ris, hospital, times=5)
    with partner(papers, wants_certificate=True) as receiver:
        send_to(ris, hospital, receiver.port, **trusting(papers, papers.ours))
        with sending(ris):
            until_state(ris, ids[-1], DeliveryState.delivered)
        assert [arrival.control_id for arrival in receiver.arrivals] == [delivery(ris, one).control_id for one in ids]
        assert {arrival.connection for arrival in receiver.arrivals} == {1}


def test_a_partner_whom_our_authority_does_not_know_is_sent_nothing(ris: Ris, hospital: Hospital, papers: Papers) -> None:
    (one,) = queued(ris, hospital)
    with partner(papers) as receiver:
        send_to(ris, hospital, receiver.port, tls=True, authorities=str(papers.other[0]))
        with sending(ris):
            assert reason(ris, one).startswith("no connection TLS: self-signed certificate")
        assert receiver.arrivals == []


def test_a_certificate_for_another_name_is_not_the_partners(ris: Ris, hospital: Hospital, papers: Papers) -> None:
    (one,) = queued(ris, hospital)
    with partner(papers) as receiver:
        send_to(ris, hospital, receiver.port, host="localhost", **trusting(papers))
        with sending(ris):
            assert reason(ris, one).startswith("no connection TLS: Hostname mismatch")
        assert receiver.arrivals == []


@pytest.mark.parametrize("whose", ["nobody", "other"])
def test_a_partner_who_does_not_let_us_in_gets_it_when_our_certificate_is_right(
    ris: Ris, hospital: Hospital, papers: Papers, whose: str
) -> None:
    """In TLS 1.3 the refusal comes after the handshake, where an answer is waited for: it is no time-out."""
    (one,) = queued(ris, hospital)
    with partner(papers, wants_certificate=True) as receiver:
        send_to(ris, hospital, receiver.port, **trusting(papers, papers.other if whose == "other" else None))
        with sending(ris):
            assert reason(ris, one).startswith("no connection")
            assert receiver.arrivals == []
            send_to(ris, hospital, receiver.port, **trusting(papers, papers.ours))
            until_state(ris, one, DeliveryState.delivered)


def test_a_certificate_file_that_is_not_there_is_said_and_tried_again(ris: Ris, hospital: Hospital, papers: Papers) -> None:
    (one,) = queued(ris, hospital)
    with partner(papers) as receiver:
        send_to(ris, hospital, receiver.port, tls=True, authorities="/nowhere/authority.pem")
        with sending(ris):
            assert reason(ris, one) == "no connection No such file or directory"
            send_to(ris, hospital, receiver.port, **trusting(papers))
            until_state(ris, one, DeliveryState.delivered)


def test_a_partner_that_speaks_no_tls_is_sent_nothing(
    ris: Ris, hospital: Hospital, papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ris.hl7.sender.CONNECT_S", 0.3)
    (one,) = queued(ris, hospital)
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port, **trusting(papers))
        with sending(ris):
            assert reason(ris, one).startswith("no connection")
        assert receiver.arrivals == []
    assert delivery(ris, one).message_id is None
