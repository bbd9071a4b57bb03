"""What follows from an answer: delivered, tried again after a growing wait, or parked for a person."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ris.outbox.model import DeliveryState
from ris.outbox.transport import Answer
from ris.partner.model import OnRefusal

ACCEPTED, ERROR, REJECTED = ("AA", "CA"), ("AE", "CE"), ("AR", "CR")
"""Table 0008, in the original and in the enhanced mode."""

WAITS_S = (1, 2, 5, 10, 30, 60)
"""Before the next try after the first, second … that delivered nothing; the last one from there on, without an end."""
REFUSED_TRIES = 5
"""How often a refused message is tried before it is parked, where the destination wants refusals tried again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    state: DeliveryState
    reason: str = ""
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What a destination means by its refusals."""

    on_error: OnRefusal = OnRefusal.park
    on_rejection: OnRefusal = OnRefusal.retry

    def of(self, code: str) -> OnRefusal | None:
        """None for what is no refusal."""
        return {**dict.fromkeys(ERROR, self.on_error), **dict.fromkeys(REJECTED, self.on_rejection)}.get(code)


def judge(answer: Answer, policy: Policy, *, refused_before: int, attempts: int, now: datetime) -> Verdict:
    """What follows from an answer: `attempts` were made before this one, `refused_before` of them answered with a refusal."""
    said = f"{answer.code} {answer.detail}".strip()
    if answer.code in ACCEPTED:
        return Verdict(DeliveryState.delivered)
    refusal = policy.of(answer.code)
    if refusal is OnRefusal.park or (refusal is OnRefusal.retry and refused_before + 1 >= REFUSED_TRIES):
        return Verdict(DeliveryState.parked, said)
    wait_s = WAITS_S[min(attempts, len(WAITS_S) - 1)]
    return Verdict(DeliveryState.waiting, said, now + timedelta(seconds=wait_s))
