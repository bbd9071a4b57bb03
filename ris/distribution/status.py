"""Ways that a report goes, and the life cycle of one report on its way to one recipient."""

import enum

from ris.base.machine import Machine, Requirement, step


class Channel(enum.StrEnum):
    hl7 = "hl7"
    """A message in the queue of a destination."""
    email = "email"
    """An e-mail that says nothing but that there is a report, with a link behind the login."""
    fax = "fax"
    """Printed and faxed at the desk."""
    print = "print"
    """Printed and posted at the desk."""
    folder = "folder"
    """A PDF file in a folder."""
    none = "none"
    """The recipient wants none."""


PAPER = (Channel.print, Channel.fax)
"""What a person at the desk does."""
BY_ITSELF = (Channel.email, Channel.folder)
"""What the program does without the queues of messages."""


class DispatchState(enum.StrEnum):
    waiting = "waiting"
    """For the mail server, the folder, or a person at the printer."""
    sending = "sending"
    """It may have left."""
    sent = "sent"
    handed_over = "handed_over"
    """The queue of the destination has it, and says what becomes of it."""
    failed = "failed"
    """It did not leave: a person sends it again, or another way."""
    dropped = "dropped"
    """It shall not leave, with a reason."""


D = DispatchState
STANDING = (D.sending, D.sent, D.handed_over)
"""It has reached its recipient, or may have."""
HAS_REASON = Requirement("has_reason", "there is no reason")
ON_PAPER = Requirement("on_paper", "only what is printed at the desk is marked by hand")

DISPATCH = Machine(
    "report on its way",
    D.waiting,
    (
        step("begin", (D.waiting, D.sending), D.sending),
        step("arrive", (D.sending,), D.sent),
        step("be_put_off", (D.sending,), D.waiting),
        step("fail", (D.sending,), D.failed),
        step("hand_over", (D.waiting,), D.handed_over),
        step("mark_printed", (D.waiting,), D.sent, ON_PAPER),
        step("undo_printed", (D.sent,), D.waiting, ON_PAPER),
        step("drop", (D.waiting, D.failed), D.dropped, HAS_REASON),
    ),
)
