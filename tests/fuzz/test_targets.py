"""The targets of the fuzzer on what Hypothesis makes up, so that they are tried in every run of the tests."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS
from tests.messages.samples import adt, order, pid, pv1

PIECES = st.sampled_from(
    [b"MSH|^~\\&|", b"MSH", b"|", b"^", b"~", b"&", b"\\", b"\r", b"\n", b"\x0b", b"\x1c\r", b"\x1c", b"PID|1||M1", b"OBX|1|CE|a||b^c",
     b"8859/1", b"ADT^A04", b"2.5.1", b"\xff", b"\\X41\\", b"\\.br\\", b'""', adt("A04", pid(), pv1("V1")), order()]
)  # fmt: skip
BYTES = st.lists(PIECES | st.binary(max_size=12), max_size=30).map(b"".join)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@given(data=BYTES)
def test_nothing_that_can_be_sent_brings_it_to_a_fault(target: Callable[[bytes], None], data: bytes) -> None:
    target(data)
