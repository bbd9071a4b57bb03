"""Life cycle of a delivery."""

from ris.base.machine import Machine, Requirement, step
from ris.outbox.model import DeliveryState

S = DeliveryState
HAS_REASON = Requirement("has_reason", "there is no reason")

DELIVERY = Machine(
    "delivery",
    S.waiting,
    (
        step("deliver", (S.waiting,), S.delivered),
        step("park", (S.waiting,), S.parked),
        step("resend", (S.waiting, S.parked), S.waiting),
        step("correct", (S.parked,), S.skipped),
        step("skip", (S.waiting, S.parked), S.skipped, HAS_REASON),
    ),
)
