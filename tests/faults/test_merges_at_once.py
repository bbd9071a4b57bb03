"""Merges that contradict each other, on two listeners at the same moment: no circle, one survivor, and the same again changes nothing."""

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.patient.model import Patient, PatientIdentifier
from tests.hl7.asking import AA, outcome, patient_of, rows, tasks
from tests.hl7.listening import Peer, listener_process
from tests.messages.samples import adt, merge, order, pid

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300), pytest.mark.usefixtures("hospital")]

ROUNDS = 12
CONTRADICTS = ("AE", "207", "MRG^1^1")


@pytest.fixture
def peers(ris: Ris) -> Iterator[list[Peer]]:
    """Each at a process of its own."""
    with listener_process(ris) as one, listener_process(ris) as two, Peer(one.port) as first, Peer(two.port) as second:
        yield [first, second]


def register(peer: Peer, *numbers: str) -> None:
    for number in numbers:
        assert outcome(peer.exchange(adt("A04", pid(number, f"Person^{number}")))) == AA


def at_once(peers: list[Peer], *messages: bytes) -> list[str]:
    """The codes of the answers, each message on a connection of its own as far as there are some."""
    answers: dict[int, str] = {}
    ready = threading.Barrier(len(peers))

    def send(which: int) -> None:
        ready.wait()
        for number in range(which, len(messages), len(peers)):
            answers[number] = outcome(peers[which].exchange(messages[number]))[0]

    threads = [threading.Thread(target=send, args=(which,)) for which in range(len(peers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[number] for number in range(len(messages))]


def circles(ris: Ris) -> list[int]:
    """Patients from whom no survivor is reached."""
    follows = dict(rows(ris, "SELECT id, merged_into_id FROM patient"))

    def has_end(patient_id: int | None) -> bool:
        for _ in follows:
            if patient_id is None:
                return True
            patient_id = follows[patient_id]
        return False

    return [patient_id for patient_id in follows if not has_end(patient_id)]


def survivors(ris: Ris, *numbers: str) -> set[int]:
    """Whom the numbers lead to; each must be there and not merged into anybody."""
    with ris.read() as session:
        found = [patient_of(session, number) for number in numbers]
        assert [patient.merged_into_id for patient in found] == [None] * len(numbers)
        return {patient.id for patient in found}


def names(text: str, number: int) -> list[str]:
    return [f"{letter}{number}" for letter in text]


def test_of_two_merges_in_opposite_directions_one_is_made(ris: Ris, peers: list[Peer]) -> None:
    for number in range(ROUNDS):
        a, b = names("AB", number)
        register(peers[0], a, b)
        assert sorted(at_once(peers, merge(b, a), merge(a, b))) == ["AA", "AE"]
        assert len(survivors(ris, a, b)) == 1
    assert circles(ris) == []
    assert rows(ris, "SELECT count(*) FROM merge") == [(ROUNDS,)]
    assert tasks(ris) == [("merge_conflict", "open")] * ROUNDS


def test_merges_that_would_close_a_circle_leave_it_open(ris: Ris, peers: list[Peer]) -> None:
    """The last two name no identifier together: only the patients behind them are the same."""
    made = 0
    for number in range(ROUNDS):
        a, b, c, d = names("ABCD", number)
        register(peers[0], a, b, c, d)
        assert at_once(peers, merge(b, a), merge(d, c)) == ["AA", "AA"]
        made += at_once(peers, merge(c, b), merge(a, d)).count("AA")
        assert circles(ris) == []
        assert len(survivors(ris, a, b, c, d)) == 1
    assert made == ROUNDS


def test_what_comes_for_the_loser_by_another_number_during_the_merge_is_the_survivors(ris: Ris, peers: list[Peer]) -> None:
    for number in range(ROUNDS):
        a, b, d = names("ABD", number)
        register(peers[0], f"{b}~{a}", d)
        asked = [order(f"{letter}{number}^EHR", mrn=a) for letter in "XYZ"]
        assert at_once(peers, asked[0], merge(d, b), asked[1], adt("A08", pid(b)), asked[2]) == ["AA"] * 5
        assert len(survivors(ris, a, b, d)) == 1
    left = "SELECT count(*) FROM imaging_order JOIN patient ON patient.id = imaging_order.patient_id WHERE merged_into_id IS NOT NULL"
    assert rows(ris, left) == [(0,)]
    assert rows(ris, "SELECT count(*) FROM imaging_order") == [(3 * ROUNDS,)]


def test_a_chain_ends_at_one_survivor_in_whatever_order_it_comes_and_again_changes_nothing(ris: Ris, peers: list[Peer]) -> None:
    for number in range(ROUNDS):
        a, b, c = names("ABC", number)
        register(peers[0], a, b, c)
        chain = [merge(b, a), merge(c, b)]
        assert at_once(peers, *chain) == ["AA", "AA"]
        before = survivors(ris, a, b, c), rows(ris, "SELECT count(*) FROM merge"), rows(ris, "SELECT max(id) FROM event")
        # The same bytes, the same merges in other messages, and news of somebody who is no more.
        assert at_once(peers, *chain, *reversed(chain), merge(b, a), merge(c, b)) == ["AA"] * 6
        assert at_once(peers, adt("A08", pid(a, "Other^Name")), adt("A08", pid(b, "Another^Name"))) == ["AA", "AA"]
        assert (survivors(ris, a, b, c), rows(ris, "SELECT count(*) FROM merge"), rows(ris, "SELECT max(id) FROM event")) == before
    assert circles(ris) == []
    with ris.read() as session:
        current = session.scalars(sa.select(Patient).where(Patient.merged_into_id.is_(None))).all()
        assert {patient.family for patient in current} == {"Person"}
        assert session.scalar(sa.select(sa.func.count(PatientIdentifier.id))) == 3 * ROUNDS
