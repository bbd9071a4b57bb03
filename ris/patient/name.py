"""What a patient is called on pages."""


def called(family: str, given: str) -> str:
    """`Meadow, Anna`; one name alone, or `no name`, where a sender told no more."""
    return ", ".join(part for part in (family, given) if part) or "no name"


class Named:
    """For rows that hold a patient's names."""

    __slots__ = ()
    family: str
    given: str

    @property
    def patient_name(self) -> str:
        return called(self.family, self.given)
