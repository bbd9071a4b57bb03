"""The way to one destination as its row describes it now, and how many messages at a time it is worth preparing for it."""

from dataclasses import dataclass
from time import monotonic

from ris.outbox.transport import Channel, Transport
from ris.outbox.verdict import Policy
from ris.partner.model import Destination

GROUP = 64
"""How many messages are prepared at most, and so how many may arrive twice after a kill."""
FRESH_S = 0.5
"""How old a prepared message may be when it leaves."""


@dataclass(slots=True)
class Line:
    """A channel, and what is agreed about it."""

    transport: Transport
    channel: Channel
    leads: tuple[object, ...]
    timeout_s: float
    policy: Policy

    def leads_to(self, destination: Destination) -> bool:
        return self.leads == _address(destination)

    def agree(self, destination: Destination) -> "Line":
        """Takes up what may change without a new connection."""
        self.timeout_s, self.policy = destination.ack_timeout_s, _policy(destination)
        return self


def line_to(destination: Destination, transport: Transport) -> Line:
    return Line(transport, transport.open(destination), _address(destination), destination.ack_timeout_s, _policy(destination))


def _policy(destination: Destination) -> Policy:
    return Policy(destination.on_error, destination.on_rejection)


def _address(destination: Destination) -> tuple[object, ...]:
    return (
        destination.transport, destination.host, destination.port, destination.tls,
        destination.authorities, destination.certificate, destination.certificate_key,
    )  # fmt: skip


class Pace:
    """The size of the next group: what a destination has lately answered in half the time that a prepared message keeps fresh."""

    def __init__(self) -> None:
        self.size = 1
        self._count = 0
        self._began_at = monotonic()

    @property
    def is_quick(self) -> bool:
        """It answers so quickly that the next group may be prepared while the last message of this one is in flight."""
        return self.size > 1

    def answered(self) -> None:
        """One more was accepted; grows slowly, falls at once."""
        self._count += 1
        if self._count >= self.size:
            each_s = (monotonic() - self._began_at) / self._count
            self.size = max(1, min(2 * self.size, GROUP, int(FRESH_S / 2 / max(each_s, 1e-6))))
            self.begin()

    def begin(self) -> None:
        """The clock starts with the next message."""
        self._count, self._began_at = 0, monotonic()

    def reset(self) -> None:
        """Something went wrong: one at a time again."""
        self.size = 1
        self.begin()
