"""What becomes of a message that is not applied: refused before a change or after one, at fault, or of unknown end."""

from ris.base.errors import Forbidden, Invalid, Location, RisError
from ris.hl7.inbound.reading import Reading


class Rejected(Forbidden):
    """The header is not acceptable: AR, whatever the content."""


class NotLetIn(Rejected):
    """It names a partner who does not send from there, or whom the certificate of its connection does not name."""

    def __init__(self) -> None:
        super().__init__("this sender may not send from there", error_code="207", location=Location("MSH", 1, 3))


class Fault(Invalid):
    """A fault of the program: the sender may try again after it was mended."""

    error_code = "207"

    def __init__(self) -> None:
        super().__init__("it could not be applied here: a person looks at it")


class RefusedAfterChange(Exception):
    """A refusal that came when something had been changed already: the group must not be committed with it."""

    def __init__(self, refusal: RisError, reading: Reading) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.reading = reading
        # What it touched is rolled back with it.
        reading.touched.clear()


class CommitUnknown(Exception):
    """The connection was lost while COMMIT was under way."""


def described(error: RisError) -> str:
    place = ""
    if error.location:
        parts = (error.location.segment, error.location.sequence, error.location.field)
        place = " at " + "^".join(str(part) for part in parts if part is not None)
    return f"{error.error_code}{place}: {error.message}"
