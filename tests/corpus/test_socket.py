"""The messages that others wrote through a real socket: cut anywhere, glued together, again and again."""

import re
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ris.hl7 import ack
from ris.hl7.intake import Intake
from tests.corpus.house import CODES, House, Outcome, Sample, answered, outcome, states, table
from tests.hl7.listening import END, VT, Peer, listening
from tests.messages.samples import adt, pid

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(300)]

GLUED = 40
"""Messages in one write; the socket cuts them where it likes."""
DOCUMENTATION = Path(__file__).parents[2] / "docs/interfaces/hl7-in.md"


def test_messages_that_are_glued_together_are_each_answered_in_their_order(house: House, samples: list[Sample]) -> None:
    outcomes = []
    with listening(house.ris) as port, Peer(port) as peer:
        for start in range(0, len(samples), GLUED):
            part = samples[start : start + GLUED]
            # While one writes, the answers must be fetched: a peer that reads nothing is not read from.
            writer = threading.Thread(target=peer.send, args=[sample.raw for sample in part])
            writer.start()
            answers = [peer.answer() for _ in part]
            writer.join()
            for sample, answer in zip(part, answers, strict=True):
                control_id = ack.header(sample.raw).control_id
                assert answered(answer) == control_id or not control_id.isascii(), sample.path
            outcomes += [outcome(answer) for answer in answers]
    table("Glued together from one partner", samples, outcomes)
    assert {code for code, _, _ in outcomes} <= set(CODES)
    assert sum(states(house.ris).values()) == len(samples)


def test_a_message_that_comes_byte_by_byte_is_answered_as_one_that_comes_whole(house: House, samples: list[Sample]) -> None:
    """Every twentieth of the shorter ones, so that each source has one."""
    chosen = [sample for sample in samples if len(sample.raw) < 1_500][::20]
    assert len(chosen) > 40
    house.new_partner()
    whole = [outcome(answer) for answer in Intake(house.ris).take([(sample.raw, "corpus") for sample in chosen])]
    house.new_partner()
    with listening(house.ris) as port, Peer(port) as peer:
        for sample, expected in zip(chosen, whole, strict=True):
            for byte in VT + sample.raw + END:
                peer.write(bytes([byte]))
            assert outcome(peer.answer()) == expected, sample.path


def test_a_message_is_answered_wherever_it_is_cut_in_two(house: House, samples: list[Sample]) -> None:
    """The frame of the next one stands close behind, so that a cut before its end would be seen."""
    shortest = min((sample.raw for sample in samples if sample.is_radiology_order), key=len)
    stream = VT + shortest + END + VT + adt("A04", pid(), control_id="LAST") + END
    with listening(house.ris) as port, Peer(port) as peer:
        for cut in range(1, len(stream)):
            peer.write(stream[:cut])
            peer.write(stream[cut:])
            assert [answered(peer.answer()), answered(peer.answer())] == [ack.header(shortest).control_id, "LAST"], cut


def test_after_all_of_it_the_connection_lives_and_the_memory_is_flat(house: House, samples: list[Sample]) -> None:
    with listening(house.ris) as port, Peer(port) as peer:
        sizes = []
        for _ in range(4):
            for sample in samples:
                assert peer.exchange(sample.raw)
            sizes.append(_resident_kb())
        assert outcome(peer.exchange(adt("A04", pid(), control_id="LAST")))[0] == "AA"
    print(f"\nresident after each round: {[round(size / 1024) for size in sizes]} MB, at the most {_peak_kb() // 1024} MB")
    assert sizes[-1] - sizes[0] < 24 * 1024


def test_every_class_of_refusal_is_justified_in_the_documentation(house: House, samples: list[Sample]) -> None:
    answers = Intake(house.ris).take([(sample.raw, "corpus") for sample in samples])
    refused = {found for answer in answers if (found := outcome(answer))[0] != "AA"}
    written = set(_documented())
    assert refused
    assert sorted(found for found in refused if not _is_written(found, written)) == []


def _documented() -> Iterator[tuple[str, str, str]]:
    """MSA-1, code and place of each line of the table of refusals."""
    table_of_refusals = DOCUMENTATION.read_text().split("## Refusals")[1].split("\n## ")[0]
    for line in table_of_refusals.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) >= 4 and cells[1].isdigit():
            for code in cells[0].split(", "):
                for place in cells[2].split(", "):
                    yield code, cells[1], place


def _is_written(found: Outcome, written: set[tuple[str, str, str]]) -> bool:
    """ERR-2 as `PID^1^3` is `PID-3` there; a segment that is missing stands there by its name."""
    code, error, place = found
    parts = re.split(r"\^", place)
    named = f"{parts[0]}-{parts[2]}" if len(parts) > 2 else parts[0]
    return (code, error, named) in written


def _resident_kb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
