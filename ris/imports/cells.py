"""Cells of files that are no reference data: days, times, and the patient whom a line is about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from ris.base.uow import UnitOfWork
from ris.catalog.records.field import Choice, Field, Known, Wrong
from ris.imports.kind import Column, Line
from ris.patient.model import PatientIdentifier
from ris.patient.mrn import MEDICAL_RECORD
from ris.patient.service import IdentifierData


@dataclass(frozen=True, slots=True)
class Day(Field):
    @property
    def told(self) -> str:
        return f"a date like 1970-05-17{'' if self.required else ', or nothing'}"

    def read(self, known: Known, text: str) -> Any:
        if not text:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise Wrong("is no date", f"write {self.told}") from error


@dataclass(frozen=True, slots=True)
class Time(Field):
    @property
    def told(self) -> str:
        return "a time like 08:30, by the clock of the site"

    def read(self, known: Known, text: str) -> Any:
        try:
            return time.fromisoformat(text).replace(tzinfo=None)
        except ValueError as error:
            raise Wrong("is no time", f"write {self.told}") from error


@dataclass(frozen=True, slots=True)
class MaybeChoice(Choice):
    """One of an enumeration, or nothing."""

    required: bool = False

    @property
    def told(self) -> str:
        return f"one of {', '.join(self.of)}, or nothing"

    def read(self, known: Known, text: str) -> Any:
        if not text:
            return None
        if text not in {member.value for member in self.of}:
            raise Wrong("is none of those that there are", f"write {self.told}")
        return self.of(text)


def number_fields(prefix: str) -> tuple[Field, ...]:
    """The columns by which a patient is known."""
    return (
        Field(f"{prefix}number", "Number", "As the authority writes it.", required=True, longest=100),
        Field(f"{prefix}authority", "Authority", "Who assigns the number, as messages call it (CX.4).", required=True, longest=100),
        Field(f"{prefix}type", "Type", "Table 0203.", required=True, default=MEDICAL_RECORD, longest=10),
    )


def columns(fields: Iterable[Field]) -> tuple[Column, ...]:
    return tuple(Column(f.name, f.told, f.help, f.required and not f.default) for f in fields)


def read(known: Known, fields: Sequence[Field], line: Line) -> dict[str, Any] | None:
    """What a line says, by column; None, and said of the line, where something is wrong."""
    values: dict[str, Any] = {}
    for field in fields:
        try:
            values[field.name] = field.take(known, line.cells.get(field.name, field.default))
        except Wrong as error:
            line.wrong(field.name, error.what, error.fix)
    return None if line.is_wrong else values


def identifier(values: Mapping[str, Any], prefix: str) -> IdentifierData:
    return IdentifierData(values[f"{prefix}number"], values[f"{prefix}authority"], values[f"{prefix}type"])


def load_identifiers(uow: UnitOfWork, lines: Iterable[Line], prefix: str) -> None:
    """Looks up at once whom lines are about."""
    keys = {
        IdentifierData(
            line.cell(f"{prefix}number"), line.cell(f"{prefix}authority"), line.cells.get(f"{prefix}type", MEDICAL_RECORD)
        ).key
        for line in lines
    }  # fmt: skip
    if keys:
        uow.load({PatientIdentifier.key: keys})


def patient_of(uow: UnitOfWork, line: Line, values: Mapping[str, Any]) -> int | None:
    """The patient whom a line names, the survivor of a merge; None, and said of the line, where nobody has the number."""
    row: PatientIdentifier | None = uow.find(PatientIdentifier.key, identifier(values, "patient_").key)
    if row is None:
        line.wrong("patient_number", "nobody here has this number", "take the file of patients in first, or put the number right")
        return None
    return row.patient_id
