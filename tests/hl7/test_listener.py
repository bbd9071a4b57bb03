"""The listener on real sockets: framing, order of answers, limits, and a database that is away or full."""

import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ris.bootstrap import Ris
from ris.hl7.listener import MOST_OWED
from ris.processes import database
from ris.settings import Database, Mllp
from tests.factories.hospital import build_hospital
from tests.hl7.asking import AA, Outcome, counts, journal, outcome, rows
from tests.hl7.listening import END, VT, Peer, listener_process, listening
from tests.messages.samples import adt, message, msh, order, orm, pid
from tests.messages.samples import obr as obr_segment
from tests.messages.samples import orc as orc_segment
from tests.postgres import PostgresServer
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("hospital")


@pytest.fixture
def open_ris(ris: Ris) -> Iterator[Ris]:
    """The same database, any free port, small limits."""
    small = Ris(ris.settings.model_copy(update={"mllp": Mllp(port=0, max_bytes=20_000, idle_seconds=1, max_connections=3)}))
    yield small
    small.close()


@pytest.fixture
def port(open_ris: Ris) -> Iterator[int]:
    with listening(open_ris) as port:
        yield port


def control_ids(answers: list[bytes]) -> list[str]:
    return [line.split("|")[2] for answer in answers for line in answer.decode().split("\r") if line.startswith("MSA")]


def test_many_frames_in_one_send_are_answered_in_order(port: int, ris: Ris) -> None:
    messages = [order(f"P{n}^EHR", control_id=f"X{n}") for n in range(50)]
    with Peer(port) as peer:
        peer.send(*messages)
        answers = [peer.answer() for _ in messages]
    assert control_ids(answers) == [f"X{n}" for n in range(50)]
    assert {outcome(answer) for answer in answers} == {AA}
    assert counts(ris)["imaging_order"] == 50


def test_a_peer_may_send_far_more_than_it_is_answered_meanwhile(port: int) -> None:
    messages = [order("P1^EHR", control_id=f"X{n}") for n in range(3 * MOST_OWED)]
    with Peer(port) as peer:
        peer.send(*messages)
        answers = [peer.answer() for _ in messages]
    assert control_ids(answers) == [f"X{n}" for n in range(3 * MOST_OWED)]


def test_a_peer_that_never_fetches_its_answers_is_hung_up_on(port: int) -> None:
    """MSH-10 is echoed, so that each answer is long."""
    refused = message(msh("XXX^Y01", "N" * 3_000))
    with Peer(port) as greedy:
        with pytest.raises(ConnectionError):
            greedy.send(*[refused] * 20_000)
        with Peer(port) as other:
            assert outcome(other.exchange(order())) == AA


def test_a_message_may_come_one_byte_at_a_time(port: int) -> None:
    with Peer(port) as peer:
        for byte in VT + order() + END:
            peer.write(bytes([byte]))
        assert outcome(peer.answer()) == AA


DAMAGED = order("HURT^EHR", control_id="HURT")
HALF = len(DAMAGED) // 2
NO_HEADER = ("AR", "100", "MSH^1")
STREAMS: dict[str, tuple[bytes, list[Outcome]]] = {
    "noise between frames": (b"\r\n\x00", []),
    "another protocol": (b"GET / HTTP/1.1\r\n\r\n", []),
    "no VT": (DAMAGED + END, []),
    "no FS CR": (VT + DAMAGED, []),
    "no FS": (VT + DAMAGED + b"\r", []),
    "no CR": (VT + DAMAGED + b"\x1c", [AA]),
    "half a message": (VT + DAMAGED[:HALF], []),
    "VT twice": (VT + VT + DAMAGED + END, [AA]),
    "VT inside": (VT + DAMAGED[:HALF] + VT + DAMAGED[HALF:] + END, [NO_HEADER]),
    "FS inside": (VT + DAMAGED[:-1] + b"\x1c\n" + END, [AA]),
    "FS CR twice": (VT + DAMAGED + END + END, [AA]),
    "LF for CR": (VT + DAMAGED.replace(b"\r", b"\n") + END, [AA]),
    "CR LF for CR": (VT + DAMAGED.replace(b"\r", b"\r\n") + END, [AA]),
    "empty frame": (VT + END, [NO_HEADER]),
    "nothing but NUL": (VT + b"\x00" + END, [NO_HEADER]),
    "NUL in a name": (VT + DAMAGED.replace(b"Meadow", b"Mea\x00dow") + END, [AA]),
    "NUL in an escape sequence": (VT + DAMAGED.replace(b"Meadow", b"Mea\\X00\\dow") + END, [AA]),
    "NUL in MSH-10": (VT + DAMAGED.replace(b"|HURT|P", b"|HU\x00RT|P") + END, [AA]),
}
"""What damages a frame, and what is answered to it, as `docs/interfaces/hl7-in.md` says."""


def test_a_damaged_frame_spoils_no_other_and_leaves_nothing_partial(port: int, ris: Ris) -> None:
    found, expected = {}, {}
    for number, (name, (stream, answers)) in enumerate(STREAMS.items()):
        mine = stream.replace(b"HURT", b"H%02d" % number)
        with Peer(port) as peer:
            peer.write(mine)
            last = peer.exchange(order(f"G{number}^EHR", control_id=f"G{number}"))
            before = []
            while control_ids([last]) != [f"G{number}"]:
                before.append(outcome(last))
                last = peer.answer()
        placed = rows(ris, "SELECT count(*) FROM imaging_order WHERE placer_number = :placer", placer=f"H{number:02d}")
        kept = [bytes(raw) for (raw,) in rows(ris, "SELECT raw FROM message ORDER BY id")][-1 - len(before) : -1]
        found[name] = before, outcome(last), placed, [raw in mine for raw in kept]
        expected[name] = answers, AA, [(answers.count(AA),)], [True] * len(answers)
    assert found == expected


def test_a_message_that_is_too_long_is_refused_and_the_connection_lives(port: int, ris: Ris) -> None:
    long = orm(pid(), orc_segment("NW", "P1^EHR"), obr_segment("P1^EHR"), "NTE|1||" + "x" * 50_000, control_id="LONG")
    with Peer(port) as peer:
        refused = peer.exchange(long)
        assert outcome(refused)[:2] == ("AR", "207")
        assert control_ids([refused]) == ["LONG"]
        assert outcome(peer.exchange(order("P2^EHR"))) == AA
    assert counts(ris)["imaging_order"] == 1


def test_two_connections_are_answered_each_with_its_own(port: int) -> None:
    with Peer(port) as first, Peer(port) as second:
        for n in range(20):
            first.send(order(f"A{n}^EHR", mrn="M1", control_id=f"A{n}"))
            second.send(order(f"B{n}^EHR", mrn="M2", control_id=f"B{n}"))
        assert control_ids([first.answer() for _ in range(20)]) == [f"A{n}" for n in range(20)]
        assert control_ids([second.answer() for _ in range(20)]) == [f"B{n}" for n in range(20)]


def test_a_connection_beyond_the_limit_is_closed_at_once(port: int) -> None:
    peers = [Peer(port) for _ in range(3)]
    try:
        for n, peer in enumerate(peers):
            assert outcome(peer.exchange(order(f"P{n}^EHR"))) == AA
        with Peer(port) as fourth:
            assert fourth.is_closed()
        assert outcome(peers[0].exchange(order("P9^EHR"))) == AA
    finally:
        for peer in peers:
            peer.close()


def test_a_connection_that_says_nothing_is_closed(port: int) -> None:
    with Peer(port) as peer:
        assert peer.is_closed()


def test_a_message_that_drips_in_for_too_long_is_not_waited_for(port: int, ris: Ris) -> None:
    with Peer(port, timeout_s=0.2) as peer:
        began = time.monotonic()
        peer.write(VT + order()[:100])
        while not _has_hung_up(peer):
            peer.write(b"x")
        assert 1 < time.monotonic() - began < 5
    assert journal(ris) == []


def _has_hung_up(peer: Peer) -> bool:
    try:
        return peer.is_closed()
    except TimeoutError:
        return False


@pytest.mark.parametrize("hang_up", [Peer.close, Peer.reset], ids=["in order", "with RST"])
def test_a_peer_that_hangs_up_before_its_answer_gets_it_when_it_sends_again(hang_up: Callable[[Peer], None], port: int, ris: Ris) -> None:
    """Nobody can write while it sends and hangs up, so that its answer cannot have come before."""
    one = order(control_id="X1")
    with ris.engine.begin() as blocking:
        if blocking.dialect.name == "postgresql":
            blocking.exec_driver_sql("LOCK TABLE message IN EXCLUSIVE MODE")
        peer = Peer(port)
        peer.send(one)
        peer.until_received()
        hang_up(peer)
    until(lambda: journal(ris) == [("applied", "AA")])
    answers = []
    for _ in range(3):
        with Peer(port) as peer:
            answers.append(peer.exchange(one))
    assert len(set(answers)) == 1
    assert outcome(answers[0]) == AA
    assert rows(ris, "SELECT answer FROM message WHERE state = 'applied'") == [(answers[0],)]
    assert counts(ris)["imaging_order"] == 1


def test_the_stored_answer_is_given_by_a_second_process_and_after_a_restart(ris: Ris) -> None:
    one = order(control_id="X1")
    answers = []
    with listener_process(ris) as first, listener_process(ris) as second:
        for listener in (first, second):
            with Peer(listener.port) as peer:
                answers.append(peer.exchange(one))
    with listener_process(ris) as restarted, Peer(restarted.port) as peer:
        answers.append(peer.exchange(one))
    assert outcome(answers[0]) == AA
    assert answers == [answers[0]] * 3
    assert counts(ris)["imaging_order"] == 1


def _until_hung_up(peer: Peer) -> Iterator[bytes]:
    while True:
        try:
            yield peer.answer()
        except (EOFError, ConnectionResetError):
            return


def test_what_was_read_before_sigterm_is_applied_and_answered(ris: Ris) -> None:
    messages = [order(f"P{n}^EHR", control_id=f"X{n}") for n in range(200)]
    listener = listener_process(ris)
    with Peer(listener.port) as peer:
        peer.send(*messages)
        first = peer.answer()
        listener.process.send_signal(signal.SIGTERM)
        answers = [first, *_until_hung_up(peer)]
    assert listener.stop() == 0
    assert {outcome(answer) for answer in answers} == {AA}
    assert len(answers) == counts(ris)["imaging_order"]


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_a_full_disk_is_answered_ae_and_never_aa(ris: Ris, open_ris: Ris) -> None:
    """The limit of the file size of this process stands for the disk: writing beyond it fails as on a full one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with listening(open_ris) as port, Peer(port) as peer:
        assert outcome(peer.exchange(order("P1^EHR"))) == AA
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
        try:
            refused = [outcome(peer.exchange(order(f"Q{n}^EHR")))[:2] for n in range(5)]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, ignored)
        assert refused == [("AE", "207")] * 5
        assert outcome(peer.exchange(order("P2^EHR"))) == AA
    assert counts(ris)["imaging_order"] == 2


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that this test may kill."""
    server = PostgresServer.create()
    yield server
    server.stop()


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_a_database_that_dies_is_answered_ae_and_never_aa_until_it_is_back(ris: Ris, own_postgres: PostgresServer) -> None:
    settings = ris.settings.model_copy(update={"mllp": Mllp(port=0), "database": Database(url=own_postgres.create_database("house"))})
    database.upgrade(settings)
    house = Ris(settings)
    build_hospital(house)
    with listening(house) as port, Peer(port) as peer:
        assert outcome(peer.exchange(adt("A04", pid()))) == AA
        own_postgres.kill()
        lost = [order(f"P{n}^EHR", control_id=f"L{n}") for n in range(3)]
        assert [outcome(peer.exchange(one))[:2] for one in lost] == [("AE", "207")] * 3
        own_postgres.start()
        assert [outcome(peer.exchange(one)) for one in lost] == [AA] * 3
    assert counts(house)["imaging_order"] == 3
    house.close()


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_another_writer_is_waited_for(ris: Ris, port: int) -> None:
    with Peer(port) as peer:
        with ris.engine.begin():
            peer.send(order(control_id="X1"))
            threading.Event().wait(1)
            assert rows(ris, "SELECT count(*) FROM message") == [(0,)]
        assert outcome(peer.answer()) == AA
