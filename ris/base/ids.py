"""Keys that the program makes itself, so that no insert waits for another."""

import secrets
import threading
import time

_EPOCH_MS = 1_577_836_800_000
"""2020-01-01T00:00:00Z. Milliseconds since then take 41 bits until 2089."""


class IdSequence:
    """63-bit integers, rising with time: 41 bits of milliseconds, 11 of process, 11 of count.

    Within a process no key comes twice. Two processes that drew the same 11 bits could meet within one millisecond: then the
    primary key refuses the second insert, and the unit of work is tried again with new keys.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tag = secrets.randbelow(1 << 11) << 11
        self._last_ms = 0
        self._count = 0

    def next(self) -> int:
        with self._lock:
            ms = max(time.time_ns() // 1_000_000 - _EPOCH_MS, self._last_ms)
            if ms == self._last_ms:
                self._count += 1
                if self._count == 1 << 11:
                    # More than 2,048 in a millisecond: borrow from the next one rather than wait for it.
                    ms, self._count = ms + 1, 0
            else:
                self._count = 0
            self._last_ms = ms
            return ms << 22 | self._tag | self._count


new_id = IdSequence().next
