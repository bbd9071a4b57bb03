"""Whatever bytes come: they are kept as they came, and answered by AA, or by AE or AR with an ERR segment that says why."""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ris.bootstrap import Ris
from ris.hl7 import ack
from ris.hl7.intake import Intake
from ris.hl7.mllp import BETWEEN
from ris.journal.model import Message, MessageState
from tests.fuzz.bytes import BYTES, hurt
from tests.hl7.asking import PLACE

pytestmark = pytest.mark.usefixtures("hospital")

any_bytes = given(frames=st.lists(BYTES | hurt(), min_size=1, max_size=3))
# All examples go into one database, as all messages of a day do.
one_house = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)


def check(ris: Ris, frames: list[bytes]) -> None:
    with ris.read() as session:
        before = session.scalar(sa.select(sa.func.max(Message.id))) or 0
    answers = Intake(ris).take([(frame, PLACE) for frame in frames])
    with ris.read() as session:
        kept = session.scalars(sa.select(Message).where(Message.id > before).order_by(Message.id)).all()
    assert [row.raw for row in kept] == frames
    for row, answer in zip(kept, answers, strict=True):
        assert (answer or b"") == row.answer
        if answer is not None:
            _check_answer(row, answer)
        else:
            # MSH-15 and MSH-16 want none, or it answers an answer of ours.
            assert row.ack_code == ""


def _check_answer(row: Message, answer: bytes) -> None:
    last = answer.split(BETWEEN)[-1]
    delimiters = ack.header(last).delimiters
    lines = [line.split(delimiters.field) for line in last.decode(delimiters.codec, "replace").split("\r") if line]
    (code,) = (line[1] for line in lines if line[0] == "MSA")
    assert code == row.ack_code
    if row.state is MessageState.refused:
        assert code in ("AE", "AR", "CE", "CR")
        assert [line[0] for line in lines].count("ERR") == 1
        assert row.error
        assert "fault of ours" not in row.error
        assert "a person looks at it" not in row.error
    else:
        assert code in ("AA", "CA")


@any_bytes
@settings(max_examples=60, suppress_health_check=one_house, deadline=None)
def test_whatever_comes_is_kept_and_answered(ris: Ris, frames: list[bytes]) -> None:
    check(ris, frames)


@pytest.mark.fault
@pytest.mark.timeout(300)
@any_bytes
@settings(max_examples=2_000, suppress_health_check=one_house, deadline=None)
def test_whatever_comes_is_kept_and_answered_two_thousand_times(ris: Ris, frames: list[bytes]) -> None:
    check(ris, frames)
