"""Every refusal that the program makes, each with its HTTP status and its HL7 answer.

RisError
├── Invalid            the request itself is wrong                     422  AE 102
│   └── Missing        a required value is not there                   422  AE 101
├── Unsupported        a kind of message that nothing here reads       415  AR 200
├── Forbidden          the actor may not do this                       403  AR 207
├── NotFound           what is named does not exist (or is not yours)  404  AE 204
├── Conflict           it would contradict what is there               409  AE 207
│   ├── Duplicate      the key belongs to something else               409  AE 205
│   ├── Occupied       a place and time are somebody else's            409  AE 207
│   ├── Stale          somebody was faster                             409  AE 206
│   └── NotAllowedNow  the state does not permit this step             409  AE 207
└── Unavailable        try again later                                 503  AE 207

The text of an error names things by ids and codes only: it is shown to people, logged and sent to partners.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Location:
    """Where in a message the fault lies: ERR-2 (HL7 v2.5.1 ch. 2.15.5, data type ERL)."""

    segment: str
    sequence: int = 1
    field: int | None = None
    repetition: int | None = None
    component: int | None = None


class RisError(Exception):
    """The root: a refusal with a reason that a person can act on."""

    http_status: ClassVar[int] = 500
    ack_code: ClassVar[str] = "AE"
    error_code: str = "207"
    """Table 0357."""

    def __init__(self, message: str, *, error_code: str | None = None, location: Location | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        if error_code is not None:
            self.error_code = error_code


class Invalid(RisError):
    http_status = 422
    error_code = "102"


class Missing(Invalid):
    error_code = "101"


class Unsupported(RisError):
    http_status = 415
    ack_code = "AR"
    error_code = "200"


class Forbidden(RisError):
    http_status = 403
    ack_code = "AR"


class NotFound(RisError):
    http_status = 404
    error_code = "204"


class Conflict(RisError):
    http_status = 409


class Duplicate(Conflict):
    error_code = "205"


class Occupied(Conflict):
    """`may_overbook`: whether a right and a reason can set it aside."""

    def __init__(self, message: str, *, may_overbook: bool) -> None:
        super().__init__(message)
        self.may_overbook = may_overbook


class Stale(Conflict):
    error_code = "206"


class NotAllowedNow(Conflict):
    """A step that the life cycle does not permit; `missing` names each requirement that is not met."""

    def __init__(self, message: str, *, missing: tuple[str, ...] = (), location: Location | None = None) -> None:
        super().__init__(message, location=location)
        self.missing = missing


class Unavailable(RisError):
    http_status = 503
