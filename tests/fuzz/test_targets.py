"""The targets of the fuzzer on what Hypothesis makes up, so that they are tried in every run of the tests."""

from collections.abc import Callable

import pytest
from hypothesis import given

from tests.fuzz.bytes import BYTES
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@given(data=BYTES)
def test_nothing_that_can_be_sent_brings_it_to_a_fault(target: Callable[[bytes], None], data: bytes) -> None:
    target(data)
