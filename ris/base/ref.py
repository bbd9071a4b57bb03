"""The one generic pointer: what kind of thing, and which one."""

from typing import NamedTuple


class Ref(NamedTuple):
    kind: str
    id: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


class Coded(NamedTuple):
    """A coded value as a sender wrote it: identifier, text, name of coding system (CE and CWE components 1 to 3)."""

    code: str
    text: str = ""
    system: str = ""

    def __str__(self) -> str:
        return self.text or self.code
