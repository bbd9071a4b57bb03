"""A message that stops the program: three restarts, then it is set aside and everything else goes on."""

import os
import signal
import subprocess
import sys

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.hl7 import careful
from ris.hl7.careful import CarefulIntake
from ris.journal.model import ProcessRun, Strike
from tests.hl7.asking import AA, PLACE, counts, journal, outcome, rows, tasks
from tests.hl7.listening import Peer
from tests.messages.samples import adt, order, pid
from tests.running import ROOT

pytestmark = pytest.mark.usefixtures("hospital")

DEADLY = """
import os, sys
from ris.hl7.inbound import READERS
from ris.processes import listener
from ris.settings import load

def kill(uow, reading):
    if reading.control_id == "DEADLY":
        os._exit(9)
    return update(uow, reading)

update = READERS["ADT", "A04"]
READERS["ADT", "A04"] = kill
sys.exit(listener.run(load(None)))
"""


class DeadlyListener:
    """The listener in a process of its own; one message ends that process."""

    def __init__(self, ris: Ris) -> None:
        settings = {
            "RIS_DATABASE__URL": ris.settings.database_url, "RIS_DATA__DIR": str(ris.settings.data.dir), "RIS_MLLP__PORT": "0",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-c", DEADLY], env={**os.environ, **settings}, cwd=ROOT, stdout=subprocess.PIPE, text=True
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
        super().__init__(program, after_abnormal_exit=after_abnormal_exit)
        self.groups: list[int] = []

    def _in_transaction(self, incoming: object) -> None:
        self.groups.append(len(incoming))  # type: ignore[arg-type]
        super()._in_transaction(incoming)  # type: ignore[arg-type]


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


def test_a_message_set_aside_is_not_begun_again_after_a_clean_stop(ris: Ris) -> None:
    deadly = adt("A04", pid("M1"), control_id="X1")
    with ris.uow() as uow:
        uow.add(Strike(digest=careful.journal.digest(deadly), count=careful.STRIKES, at=uow.now))
    intake = Counting(ris, after_abnormal_exit=False)
    others = [(order(f"P{n}^EHR", mrn="M2"), PLACE) for n in range(3)]
    answers = intake.take([others[0], (deadly, PLACE), *others[1:]])
    assert [outcome(answer)[:2] for answer in answers] == [("AA", ""), ("AE", "207"), ("AA", ""), ("AA", "")]
    assert counts(ris)["patient"] == 1
    assert intake.groups == [3]


def test_a_message_that_stops_nothing_leaves_no_strike(ris: Ris) -> None:
    intake = CarefulIntake(ris, after_abnormal_exit=True)
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
    first, abnormal = careful.begin_run(ris)
    assert not abnormal
    careful.end_run(ris, first)
    _, abnormal = careful.begin_run(ris)
    assert not abnormal
    _, abnormal = careful.begin_run(ris)
    assert abnormal
    with ris.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ProcessRun)) == 3
    assert rows(ris, "SELECT count(*) FROM process_run WHERE ended_at IS NOT NULL") == [(1,)]
