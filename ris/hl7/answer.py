"""Which answers a message is owed, by the mode that its header asks for, and their bytes (HL7 v2.5.1 ch. 2.9.2, 2.9.3)."""

from datetime import datetime
from typing import NamedTuple

from ris.base.errors import RisError, Unavailable
from ris.base.ids import new_id
from ris.hl7 import ack, mllp
from ris.hl7.ack import AckCode, Header, Response
from ris.hl7.mllp import BETWEEN

CONDITIONS = ("AL", "NE", "ER", "SU")
"""Table 0155: always, never, on error, on success. Anything else is as nothing."""
OWN_CONTROL_ID = "K"
"""How MSH-10 of our answers begins."""


class Answer(NamedTuple):
    payload: bytes | None
    """What goes back, `mllp.BETWEEN` parting two messages. None: nothing is owed. Empty: the connection is closed."""
    code: str
    """MSA-1 of the last of them; empty where none goes."""

    def with_commit(self, *, is_stored: bool) -> "Answer":
        """Behind the one-byte block of MLLP Release 2: ACK for what is stored, NAK for what must come again."""
        block = mllp.ACKNOWLEDGED if is_stored else mllp.NOT_ACKNOWLEDGED
        return Answer(BETWEEN.join([block, self.payload] if self.payload else [block]), self.code)


def codes(header: Header, error: RisError | None, *, always_original: bool = False) -> tuple[AckCode, ...]:
    """MSA-1 of each acknowledgement that is owed, in the order of sending; none at all where the sender wants none.

    Original mode, with MSH-15 and MSH-16 empty: AA, AE or AR. Enhanced mode: CA, CE or CR as MSH-15 asks, then AA or AE as
    MSH-16 asks. What is wrong in the content is the application's to say; where it is not asked, CE says it, since nobody
    else would. A message that was not accepted never reaches the application.
    """
    accept, application = (_condition(text) for text in (header.accept_acknowledgment_type, header.application_acknowledgment_type))
    said: AckCode = "AA" if error is None else "AR" if error.ack_code == "AR" or not header.control_id else "AE"
    if always_original or not (accept or application):
        return (said,)
    application_speaks = application in ("AL", "ER", "SU")
    is_accepted = error is None or (said == "AE" and application_speaks and not isinstance(error, Unavailable))
    accepted: AckCode = "CA" if is_accepted else "CR" if said == "AR" else "CE"
    owed: list[AckCode] = [accepted] if _is_owed(accept, is_error=not is_accepted) else []
    if (is_accepted or accept in ("", "NE")) and _is_owed(application, is_error=error is not None):
        owed.append(said)
    return tuple(owed)


def _condition(text: str) -> str:
    return text if text in CONDITIONS else ""


def _is_owed(condition: str, *, is_error: bool) -> bool:
    return condition == "AL" or condition == ("ER" if is_error else "SU")


def answer(
    header: Header, error: RisError | None, now: datetime, *, always_original: bool = False, response: Response | None = None
) -> Answer:
    """The acknowledgements of a message; `response` is the application's own form of it.

    A message that could not be stored is never passed over in silence: where its mode leaves no answer the connection is closed.
    """
    owed = codes(header, error, always_original=always_original)
    if not owed:
        return Answer(b"" if isinstance(error, Unavailable) else None, "")
    errors = [ack.AckError(error.error_code, error.message, error.location)] if error else []
    payloads = []
    for code in owed:
        # The application's answer in enhanced mode is a message of its own, and wants none in return.
        is_own = code.startswith("A") and _condition(header.application_acknowledgment_type) != "" and not always_original
        payloads.append(
            ack.build(
                header, code, errors=() if code == "CA" else errors, text=error.message if error and code != "CA" else "",
                own_control_id=f"{OWN_CONTROL_ID}{new_id():X}", now=now, response=response if code.startswith("A") else None,
                wants_no_answer=is_own,
            )
        )  # fmt: skip
    return Answer(BETWEEN.join(payloads), owed[-1])
