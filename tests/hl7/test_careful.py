"""A message that stops the program: three restarts, then it is set aside and everything else goes on."""

import os
import signal
import subprocess
import sys

import pytest

from ris.base.errors import NotAllowedNow, NotFound
from ris.bootstrap import Ris
from ris.hl7 import careful
from ris.hl7.careful import CarefulIntake
from ris.hl7.replay import replay
from ris.journal.model import MessageState, Strike
from ris.processes.alone import Alone
from ris.settings import Database
from tests.factories.hospital import Hospital
from tests.hl7.asking import AA, PLACE, counts, journal, outcome, rows, tasks
from tests.hl7.listening import Peer
from tests.messages.samples import adt, order, pid
from tests.running import ROOT, Running

pytestmark = pytest.mark.usefixtures("hospital")


class DeadlyListener:
    """The listener in a process of its own; one message ends that process."""

    def __init__(self, ris: Ris) -> None:
        settings = {
            "RIS_DATABASE__URL": ris.settings.database_url, "RIS_DATA__DIR": str(ris.settings.data.dir), "RIS_MLLP__PORT": "0",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.hl7.deadly_listener"], env={**os.environ, **settings}, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self.port = int(lines.readline().rsplit(":", 1)[1])

    def dies_of(self, message: bytes) -> bool:
        with Peer(self.port) as peer:
            peer.send(message)
            return self.process.wait(20) == 9

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


class Counting(CarefulIntake):
    """Tells how many messages each transaction held."""

    def __init__(self, program: Ris, *, after_abnormal_exit: bool) -> None:
        super().__init__(program, after_abnormal_exit=after_abnormal_exit, take_alone=Alone(program.settings))
        self.groups: list[int] = []

    def _in_transaction(self, incoming: object) -> None:
        self.groups.append(len(incoming))  # type: ignore[arg-type]
        super()._in_transaction(incoming)  # type: ignore[arg-type]


def careful_intake(ris: Ris, *, after_abnormal_exit: bool = False) -> CarefulIntake:
    return CarefulIntake(ris, after_abnormal_exit=after_abnormal_exit, take_alone=Alone(ris.settings))


def strikes(ris: Ris, message: bytes, count: int) -> None:
    """So often the message was in work when the program ended."""
    with ris.uow() as uow:
        uow.add(Strike(digest=careful.journal.digest(message), count=count, at=uow.now))


def test_a_message_that_kills_the_program_is_set_aside_at_the_third_restart(ris: Ris) -> None:
    deadly, harmless = adt("A04", pid("M1"), control_id="DEADLY"), order("P1^EHR", mrn="M2")
    for _ in range(3):
        assert DeadlyListener(ris).dies_of(deadly)
    survivor = DeadlyListener(ris)
    with Peer(survivor.port) as peer:
        assert outcome(peer.exchange(deadly))[:2] == ("AE", "207")
        assert outcome(peer.exchange(harmless)) == AA
        assert outcome(peer.exchange(deadly))[:2] == ("AE", "207")
    assert survivor.stop() == 0
    assert journal(ris) == [("quarantined", "AE"), ("applied", "AA"), ("quarantined", "AE")]
    assert tasks(ris) == [("message_quarantined", "open")]
    assert counts(ris)["imaging_order"] == counts(ris)["patient"] == 1


def test_a_message_that_was_in_work_whenever_the_program_was_killed_is_taken_alone_and_not_set_aside(ris: Ris) -> None:
    """Killed before it was applied, and killed after: before its strike was taken back."""
    before, after = adt("A04", pid("M1"), control_id="X1"), order("P1^EHR", mrn="M2")
    given = careful_intake(ris).take([(after, PLACE)])
    for message in (before, after):
        strikes(ris, message, careful.STRIKES - 1)
    intake = careful_intake(ris, after_abnormal_exit=True)
    assert outcome(*intake.take([(before, PLACE)])) == AA
    assert intake.take([(after, PLACE)]) == given
    assert journal(ris) == [("applied", "AA"), ("applied", "AA"), ("repeated", "AA")]
    assert (counts(ris)["patient"], counts(ris)["imaging_order"], counts(ris)["strike"]) == (2, 1, 0)


def test_neither_a_kill_while_a_message_is_taken_alone_nor_a_process_that_cannot_begin_sets_it_aside(ris: Ris) -> None:
    unlucky = adt("A04", pid("M1"), control_id="X1")
    strikes(ris, unlucky, careful.STRIKES - 1)

    def killed(_raw: bytes, _place: str) -> bytes:
        raise KeyboardInterrupt

    for _ in range(careful.STRIKES):
        with pytest.raises(KeyboardInterrupt):
            CarefulIntake(ris, after_abnormal_exit=True, take_alone=killed).take([(unlucky, PLACE)])
    nowhere = ris.settings.model_copy(update={"database": Database(url="nothing://here")})
    cannot_begin = CarefulIntake(ris, after_abnormal_exit=True, take_alone=Alone(nowhere))
    assert outcome(*cannot_begin.take([(unlucky, PLACE)]))[:2] == ("AE", "207")
    assert outcome(*careful_intake(ris).take([(unlucky, PLACE)])) == AA
    assert tasks(ris) == []


def test_a_message_set_aside_is_not_begun_again_after_a_clean_stop(ris: Ris) -> None:
    deadly = adt("A04", pid("M1"), control_id="X1")
    strikes(ris, deadly, careful.STRIKES)
    intake = Counting(ris, after_abnormal_exit=False)
    others = [(order(f"P{n}^EHR", mrn="M2"), PLACE) for n in range(3)]
    answers = intake.take([others[0], (deadly, PLACE), *others[1:]])
    assert [outcome(answer)[:2] for answer in answers] == [("AA", ""), ("AE", "207"), ("AA", ""), ("AA", "")]
    assert counts(ris)["patient"] == 1
    assert intake.groups == [3]


def test_a_message_that_stops_nothing_leaves_no_strike(ris: Ris) -> None:
    intake = careful_intake(ris, after_abnormal_exit=True)
    assert outcome(*intake.take([(order(), PLACE)])) == AA
    assert counts(ris)["strike"] == 0


def test_after_two_hundred_messages_they_are_taken_in_groups_again(ris: Ris, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(careful, "CAREFUL_MESSAGES", 3)
    intake = Counting(ris, after_abnormal_exit=True)
    answers = intake.take([(order(f"P{n}^EHR"), PLACE) for n in range(5)])
    answers += intake.take([(order(f"P{n}^EHR"), PLACE) for n in range(5, 9)])
    assert {outcome(answer) for answer in answers} == {AA}
    assert intake.groups == [1, 1, 1, 2, 4]


def test_a_run_that_ended_makes_the_next_one_trust_its_messages(ris: Ris) -> None:
    first = careful.Run(ris)
    assert not first.after_abnormal_exit
    first.end()
    second = careful.Run(ris)
    assert not second.after_abnormal_exit
    second.end()
    assert rows(ris, "SELECT count(*) FROM process_run WHERE ended_at IS NOT NULL") == [(2,)]


def test_a_run_beside_one_that_is_alive_trusts_its_messages_and_the_first_after_a_death_does_not(ris: Ris) -> None:
    with listener(ris) as first, listener(ris) as second:
        assert not is_careful(first)
        assert not is_careful(second)
        first.kill()
        with listener(ris) as third, listener(ris) as fourth:
            assert is_careful(third)
            assert not is_careful(fourth)
            assert [one.stop() for one in (second, third, fourth)] == [0, 0, 0]
    assert rows(ris, "SELECT count(*) FROM process_run WHERE ended_at IS NULL") == [(0,)]
    assert list(ris.settings.data.dir.glob("*.alive")) == []


def listener(ris: Ris) -> Running:
    return Running(
        "listener",
        ready="listener ready",
        RIS_DATABASE__URL=ris.settings.database_url,
        RIS_DATA__DIR=str(ris.settings.data.dir),
        RIS_MLLP__PORT="0",
        RIS_CONFIG="",
    )


def is_careful(running: Running) -> bool:
    return any("taken one at a time" in line for line in running.lines)


@pytest.fixture
def set_aside(ris: Ris) -> tuple[bytes, int]:
    """A message that was set aside twice, and its second row."""
    deadly = adt("A04", pid("M1"), control_id="X1")
    strikes(ris, deadly, careful.STRIKES)
    answers = careful_intake(ris).take([(deadly, PLACE)] * 2)
    assert [outcome(answer)[:2] for answer in answers] == [("AE", "207")] * 2
    return deadly, rows(ris, "SELECT max(id) FROM message")[0][0]


@pytest.mark.parametrize("abnormal", [False, True])
def test_a_message_that_a_person_lets_in_is_taken_by_a_listener_that_had_set_it_aside(
    abnormal: bool, ris: Ris, hospital: Hospital, set_aside: tuple[bytes, int]
) -> None:
    message, message_id = set_aside
    intake = careful_intake(ris, after_abnormal_exit=abnormal)
    assert outcome(*intake.take([(message, PLACE)]))[:2] == ("AE", "207")
    with ris.uow(hospital.actor("integration")) as uow:
        careful.journal.let_in(uow, message_id)
    assert outcome(*intake.take([(message, PLACE)])) == AA
    assert tasks(ris) == [("message_quarantined", "obsolete")]
    assert rows(ris, "SELECT actor_name FROM audit_entry WHERE what = 'message.let_in'") == [("Test Integration",)]
    with ris.uow() as uow, pytest.raises(NotAllowedNow):
        careful.journal.let_in(uow, message_id)
    with ris.uow() as uow, pytest.raises(NotFound):
        careful.journal.let_in(uow, 1)


def test_a_message_that_was_let_in_and_stops_the_program_again_raises_a_new_task(
    ris: Ris, hospital: Hospital, set_aside: tuple[bytes, int]
) -> None:
    message, message_id = set_aside
    with ris.uow(hospital.actor("integration")) as uow:
        careful.journal.let_in(uow, message_id)
    strikes(ris, message, careful.STRIKES)
    careful_intake(ris).take([(message, PLACE)])
    assert tasks(ris) == [("message_quarantined", "obsolete"), ("message_quarantined", "open")]


def test_a_replay_of_the_same_bytes_lets_their_sender_in(ris: Ris, hospital: Hospital, set_aside: tuple[bytes, int]) -> None:
    message, message_id = set_aside
    intake = careful_intake(ris)
    assert replay(ris, message_id, hospital.actor("integration")).state is MessageState.applied
    assert outcome(*intake.take([(message, PLACE)])) == AA
    assert counts(ris)["patient"] == 1


def test_after_a_corrected_replay_the_bytes_that_stopped_the_program_stay_set_aside(
    ris: Ris, hospital: Hospital, set_aside: tuple[bytes, int]
) -> None:
    message, message_id = set_aside
    corrected = adt("A04", pid("M2"), control_id="X1")
    assert replay(ris, message_id, hospital.actor("integration"), corrected).state is MessageState.applied
    assert outcome(*careful_intake(ris).take([(message, PLACE)]))[:2] == ("AE", "207")


def test_a_listener_learns_of_what_one_beside_it_has_set_aside(ris: Ris, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(careful, "LEARN_S", 0.0)
    deadly = adt("A04", pid("M1"), control_id="X1")
    beside = careful_intake(ris)
    strikes(ris, deadly, careful.STRIKES)
    assert outcome(*beside.take([(deadly, PLACE)]))[:2] == ("AE", "207")
    assert journal(ris) == [("quarantined", "AE")]
