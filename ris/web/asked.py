"""What a person asks of a list in its address, and how the same is said again in one."""

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Self, TypeVar

from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from ris.base.clock import from_wall_clock
from ris.base.errors import Invalid
from ris.patient.search import FoundPatient, search, with_merged

LONGEST = 100
"""So many characters of each value are read."""
Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class AskedList:
    """A filter form: each field is a text as it stands in the address; an empty one does not narrow."""

    @classmethod
    def of(cls, values: MultiDict[str, str]) -> Self:
        return cls(**{field.name: values.get(field.name, "").strip()[:LONGEST] for field in fields(cls)})

    @property
    def set(self) -> dict[str, Any]:
        """What narrows: for links, and for the audit entry of the look."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}


@dataclass(frozen=True, slots=True)
class AskedOfPatient(AskedList):
    """A filter form that also asks for a patient."""

    patient: str = ""
    """Number or name, as typed."""
    patient_id: str = ""
    """Which one, where several fit."""

    def candidates(self, session: Session) -> list[FoundPatient]:
        """The patients that the typed text fits; nobody once one of them was chosen."""
        return search(session, self.patient) if self.patient and not self.patient_id else []

    def patient_ids(self, session: Session, found: list[FoundPatient]) -> set[int] | None:
        """The chosen patient's keys, or those of the only candidate, with the records that were merged into it.

        Empty where nobody or more than one fits, None where no patient is asked for.
        """
        if self.patient_id.isdigit():
            return with_merged(session, {int(self.patient_id)})
        if not self.patient:
            return None
        return with_merged(session, {found[0].patient_id}) if len(found) == 1 else set()


def choice(kind: type[Choice], text: str) -> Choice | None:
    """The member of that value; None for a value that is none."""
    return kind(text) if text in {member.value for member in kind} else None


def moment(text: str, zone: str) -> datetime | None:
    """The UTC moment of a browser's local time, `2026-11-30T14:05`, or of a day's midnight; raises Invalid for anything else."""
    if not text:
        return None
    try:
        return from_wall_clock(datetime.fromisoformat(text).replace(tzinfo=None), zone)
    except (ValueError, OverflowError) as error:
        raise Invalid("a time is written like 2026-11-30T14:05") from error
