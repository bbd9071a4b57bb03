"""How often one address may ask for something that is open to everybody; counted in each web process by itself."""

import math
import threading
from collections import OrderedDict
from time import monotonic

MOST_ADDRESSES = 10_000
"""The one that asked longest ago is forgotten first."""


class Pace:
    """So many in so many seconds, by address: a bucket that fills again all the time."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._rate = most, most / seconds
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, address: str) -> int:
        """0 for one that may go on, which counts; else after how many seconds to ask again."""
        now = monotonic()
        with self._lock:
            left, at = self._left.pop(address, (float(self._most), now))
            left = min(float(self._most), left + (now - at) * self._rate)
            is_let_in = left >= 1
            self._left[address] = (left - 1 if is_let_in else left, now)
            if len(self._left) > MOST_ADDRESSES:
                self._left.popitem(last=False)
        return 0 if is_let_in else math.ceil((1 - left) / self._rate)
