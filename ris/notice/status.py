"""Life cycle of a message to a patient."""

import enum

from ris.base.machine import Machine, step


class NoticeState(enum.StrEnum):
    queued = "queued"
    """It waits for its time, or for a mail server that did not take it for now."""
    quiet = "quiet"
    """Its time came in the quiet hours: it waits for their end."""
    sending = "sending"
    """What it says is fixed, and it may have left."""
    sent = "sent"
    """The mail server has taken it."""
    refused = "refused"
    """The mail server does not take it, or did not for too long."""
    returned = "returned"
    """It came back after it was sent: a mail server says so, or a person."""
    opted_out = "opted_out"
    not_sent = "not_sent"


N = NoticeState
WAITING = (N.queued, N.quiet)

NOTICE = Machine(
    "message to a patient",
    N.queued,
    (
        step("be_quiet", (N.queued,), N.quiet),
        step("send", (N.queued, N.quiet), N.sending),
        step("drop", (N.queued, N.quiet, N.sending), N.not_sent),
        step("heed_stop", (N.queued, N.quiet), N.opted_out),
        step("be_taken", (N.sending,), N.sent),
        step("be_put_off", (N.sending,), N.queued),
        step("be_refused", (N.sending,), N.refused),
        step("come_back", (N.sent,), N.returned),
        step("send_again", (N.refused, N.returned, N.opted_out, N.not_sent), N.queued),
    ),
)
