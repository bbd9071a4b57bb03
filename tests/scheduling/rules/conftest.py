"""The rules on a day whose clock stands still."""

import pytest

from tests.clock import Clock
from tests.web.visitor import NOW


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)
