"""Patients as a file: who has the number is brought up to date, who is new is registered, who could be somebody else waits for a person."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ris.base.uow import UnitOfWork
from ris.catalog.records.field import Field, Known, YesNo
from ris.imports import cells
from ris.imports.cells import Day, MaybeChoice, number_fields
from ris.imports.kind import Kind, Line, TakeOne
from ris.patient import guard
from ris.patient.crowd import Crowd
from ris.patient.desk import person_of
from ris.patient.email import is_address, is_language
from ris.patient.guard import Alike, Person
from ris.patient.model import Patient, PatientIdentifier, Sex
from ris.patient.service import DEMOGRAPHICS, PatientData, amend, find, upsert
from ris.staff.permission import Permission

NEW = "new"
FIELDS: tuple[Field, ...] = (
    *number_fields(""),
    Field("family", "Family name", required=True, longest=100),
    Field("given", "Given name", longest=100),
    Field("middle", "Middle name", longest=100),
    Field("prefix", "Prefix", longest=40),
    Field("suffix", "Suffix", longest=40),
    Day("birth_date", "Birth date"),
    MaybeChoice("sex", "Sex", "Table 0001.", of=Sex),
    Field("street", "Street"),
    Field("city", "City"),
    Field("region", "Region"),
    Field("postal_code", "Postal code", longest=20),
    Field("country", "Country", longest=40),
    Field("phone", "Telephone", longest=40),
    Field("email", "E-mail address", longest=254),
    Field("language", "Language", "Two small letters (ISO 639-1).", longest=2),
    YesNo("deceased", "Deceased"),
    Field(
        "same_as", "Same as", f"Of a patient who looks like one that is here: the number of that one, or {NEW} for somebody else.",
        longest=100,
    ),
)  # fmt: skip


def _begin(uow: UnitOfWork, lines: Sequence[Line]) -> TakeOne:
    known = Known(uow.session)
    cells.load_identifiers(uow, lines, "")
    found = [row.patient_id for line in lines if (row := _identifier(uow, line)) is not None]
    uow.load_rows(Patient.id, sorted(set(found)))
    crowd = Crowd(uow.session, [person_of(data) for line in lines if (data := _new_one(uow, known, line)) is not None])

    def take(line: Line) -> None:
        values = cells.read(known, FIELDS, line)
        if values is None or not _can_be_reached(line, values):
            return
        data = _data(line, values)
        patient, came_by_merged = find(uow, data)
        if came_by_merged:
            line.undecided(
                "number", "is that of a record that was merged into another", "take the line out, or write the survivor's number"
            )
        elif patient is not None:
            _bring_up_to_date(uow, line, patient, data)
        else:
            _take_new(uow, crowd, line, data, values["same_as"])

    return take


def _take_new(uow: UnitOfWork, crowd: Crowd, line: Line, data: PatientData, same_as: str) -> None:
    if same_as and same_as != NEW:
        patient = _named(uow, line, same_as)
        if patient is not None:
            _bring_up_to_date(uow, line, patient, data)
        return
    person = person_of(data)
    candidates = crowd.alike(person) if person.birth_date else _alike_by_name(uow, person)
    if twin := next((candidate for candidate in candidates if candidate.is_twin), None):
        line.undecided("same_as", _said(twin), f"write {twin.mrn} here, or give in other columns what tells the two apart")
    elif candidates and same_as != NEW:
        line.undecided("same_as", _said(candidates[0]), f"compare the two: write {candidates[0].mrn} here, or {NEW} for somebody else")
    else:
        patient, _ = upsert(uow, data)
        crowd.add(patient.id, person, data.identifiers[0].value)
        line.new()


def _alike_by_name(uow: UnitOfWork, person: Person) -> list[Alike]:
    uow.flush()  # those of the lines before may be alike too
    return guard.alike(uow.session, person)


def _new_one(uow: UnitOfWork, known: Known, line: Line) -> PatientData | None:
    """What a line says of somebody whom nobody knows yet; what is wrong with it is said when its turn comes."""
    if _identifier(uow, line) is not None:
        return None
    alone = Line(line.number, line.cells, line.about)
    values = cells.read(known, FIELDS, alone)
    return _data(alone, values) if values is not None else None


def _bring_up_to_date(uow: UnitOfWork, line: Line, patient: Patient, data: PatientData) -> None:
    said = {name: value for name in DEMOGRAPHICS if (value := getattr(data, name)) is not None}
    before = {name: str(getattr(patient, name)) for name, value in said.items() if getattr(patient, name) != value}
    after = {name: str(said[name]) for name in before}
    if uow.find(PatientIdentifier.key, data.identifiers[0].key) is None:
        before, after = {**before, "number": ""}, {**after, "number": data.identifiers[0].value}
    amend(uow, patient, data)
    line.saved(before, after)


def _named(uow: UnitOfWork, line: Line, number: str) -> Patient | None:
    wanted = sa.select(PatientIdentifier.patient_id).where(PatientIdentifier.value == number, ~PatientIdentifier.merged).distinct()
    ids = uow.session.scalars(wanted.limit(2)).all()
    if len(ids) == 1:
        return uow.session.get(Patient, ids[0])
    line.wrong("same_as", "leads to nobody" if not ids else "leads to several patients", f"write another number of that patient, or {NEW}")
    return None


def _said(one: Alike) -> str:
    """In numbers and names of columns: a list of findings names nobody."""
    differs = f", another {', '.join(one.differs)}" if one.differs else ""
    return f"looks like {one.mrn} (score {one.score}: same {', '.join(one.agrees) or 'nothing'}{differs})"


def _identifier(uow: UnitOfWork, line: Line) -> PatientIdentifier | None:
    found: PatientIdentifier | None = uow.find(
        PatientIdentifier.key, f"{line.cell('authority')}|{line.cells.get('type', 'MR')}|{line.cell('number')}"
    )
    return found


def _data(line: Line, values: dict[str, Any]) -> PatientData:
    """A column that the file does not have makes no statement."""
    said = {name: values[name] for name in DEMOGRAPHICS if name in line.cells and values[name] is not None}
    return PatientData((cells.identifier(values, ""),), **said)


def _can_be_reached(line: Line, values: dict[str, Any]) -> bool:
    if values["email"] and not is_address(values["email"]):
        line.wrong("email", "is no e-mail address", "write one like name@example.org, or nothing")
    if values["language"] and not is_language(values["language"]):
        line.wrong("language", "is no language", "write two small letters (ISO 639-1), such as es or de")
    return not line.is_wrong


PATIENTS = Kind(
    "patient",
    "Patients",
    "Who has the number is brought up to date, who is new is registered; who looks like somebody here is left out until you decide.",
    Permission.PATIENT_IMPORT,
    cells.columns(FIELDS),
    ("number", "authority", "type"),
    _begin,
    tells="Partners who are told of new and changed patients would be told of each.",
)
