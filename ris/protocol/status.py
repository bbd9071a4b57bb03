"""Life cycle of the protocol of an exam, and how soon a radiologist wants it done."""

import enum
from datetime import timedelta

from ris.base.machine import Machine, Requirement, step


class ProtocolStatus(enum.StrEnum):
    pending = "pending"
    proposed = "proposed"
    approved = "approved"
    rejected = "rejected"
    """Back at the desk with a reason."""
    cancelled = "cancelled"


class Urgency(enum.StrEnum):
    immediate = "immediate"
    urgent = "urgent"
    soon = "soon"
    elective = "elective"


TARGET = {Urgency.immediate: timedelta(hours=2), Urgency.urgent: timedelta(days=2), Urgency.soon: timedelta(days=14)}
"""From the approval to when the exam should have begun; an elective one has no target."""

S = ProtocolStatus
HAS_CONTENT = Requirement("has_content", "no protocol is chosen and no instruction written", "choose a protocol or write what to do")
ANOTHERS = Requirement("anothers", "you proposed it yourself", "somebody else with the right has to approve it")
NOT_BEGUN = Requirement("not_begun", "the exam has begun", "tell the technologist in the room")
REASON = Requirement("reason", "a reason must be given", "write what the desk has to find out or to change")
ANSWER = Requirement("answer", "it is not said what was found out", "write what was found out or changed")

PROTOCOL = Machine(
    "protocol",
    S.pending,
    (
        step("propose", (S.pending, S.proposed), S.proposed, HAS_CONTENT, NOT_BEGUN),
        step("approve", (S.pending, S.proposed), S.approved, HAS_CONTENT, ANOTHERS, NOT_BEGUN),
        step("send_back", (S.proposed,), S.pending, REASON),
        step("reject", (S.pending, S.proposed), S.rejected, REASON, NOT_BEGUN),
        step("resubmit", (S.rejected,), S.pending, ANSWER),
        step("reopen", (S.approved,), S.pending, NOT_BEGUN),
        step("think_again", (S.proposed, S.approved), S.pending),
        step("cancel", (S.pending, S.proposed, S.approved, S.rejected), S.cancelled),
        step("restore", (S.cancelled,), S.pending),
    ),
)
