"""Files of messages: how they are cut, that each is taken once, and the folder that is watched."""

import os
from pathlib import Path

import pytest

from ris.bootstrap import Ris
from ris.hl7 import batch
from ris.hl7.intake import Intake
from ris.processes.inbox import Inbox
from tests.factories.hospital import Hospital
from tests.hl7.asking import counts, journal, rows
from tests.messages.samples import adt, cancel, order, pid
from tests.waiting import until

pytestmark = [pytest.mark.usefixtures("hospital"), pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)]


def enveloped(*messages: bytes, count: int | None = None) -> bytes:
    trailer = f"BTS|{len(messages) if count is None else count}\rFTS|1\r".encode()
    return b"FHS|^~\\&|EHR|HOSP\rBHS|^~\\&|EHR|HOSP\r" + b"".join(messages) + trailer


@pytest.mark.parametrize("line_end", [b"\r", b"\n", b"\r\n"])
def test_a_file_is_cut_at_each_msh_whatever_ends_its_lines(line_end: bytes) -> None:
    one, two = adt("A04", pid(), control_id="1"), adt("A08", pid(), control_id="2")
    assert batch.messages(enveloped(one, two).replace(b"\r", line_end)) == [one, two]
    assert batch.messages(b"\xef\xbb\xbf" + one + b"\n\n" + two) == [one, two]
    assert batch.messages(b"\x0b" + one + b"\x1c\r\x0b" + two + b"\x1c\r") == [one, two]
    assert batch.messages(b"no message at all\r") == []


def test_the_trailer_says_how_many_there_should_be() -> None:
    assert batch.announced(enveloped(order(), count=7)) == 7
    assert batch.announced(order()) is None


def test_every_message_of_a_batch_is_taken_in_order_and_journalled_with_its_answer(ris: Ris, hospital: Hospital) -> None:
    content = enveloped(order("P1^EHR"), cancel("P1^EHR"), cancel("P9^EHR"))
    taken = list(batch.take(Intake(ris), content, "file orders.hl7"))
    assert [(t.kind, t.code, t.is_refused) for t in taken] == [
        ("ORM^O01", "AA", False), ("ORM^O01", "AA", False), ("ORM^O01", "AE", True),
    ]  # fmt: skip
    assert taken[2].reason == "we know no such order"
    assert journal(ris) == [("applied", "AA"), ("applied", "AA"), ("refused", "AE")]
    assert rows(ris, "SELECT DISTINCT place FROM message") == [("file orders.hl7",)]


def test_a_file_that_is_imported_again_changes_nothing(ris: Ris, hospital: Hospital) -> None:
    content = enveloped(order("P1^EHR"), order("P2^EHR"))
    for _ in range(2):
        assert {t.code for t in batch.take(Intake(ris), content, "file")} == {"AA"}
    assert counts(ris)["imaging_order"] == 2


def test_a_file_in_the_watched_folder_is_taken_and_moved_with_its_answers(ris: Ris, hospital: Hospital, tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    inbox = Inbox(ris, folder, look_s=0.05, settled_s=5)
    inbox.start()
    try:
        growing, ready, hidden = folder / "growing.hl7", folder / "ready.hl7", folder / ".hidden"
        growing.write_bytes(order("P1^EHR"))
        hidden.write_bytes(order("P3^EHR"))
        ready.write_bytes(enveloped(order("P2^EHR", control_id="C2"), cancel("P9^EHR", control_id="C9")))
        for path in (ready, hidden):
            os.utime(path, (1, 1))
        until(lambda: not ready.exists())
    finally:
        inbox.stop()
    assert (folder / "done/ready.hl7").is_file()
    assert (folder / "done/ready.hl7.answers").read_text() == "C2\tORM^O01\tAA\nC9\tORM^O01\tAE\twe know no such order\n"
    assert growing.exists()
    assert hidden.exists()
    assert counts(ris)["imaging_order"] == 1
