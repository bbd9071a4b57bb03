"""Registering patients at the desk: the duplicate guard, unknown patients and what becomes of them, on both engines."""

from collections.abc import Sequence
from datetime import date

import pytest
import sqlalchemy as sa

from ris.base.errors import Conflict, Duplicate, Invalid
from ris.bootstrap import Ris
from ris.patient import desk, merges
from ris.patient import service as patients
from ris.patient.desk import LooksAlike
from ris.patient.guard import Alike, Person, alike
from ris.patient.model import Patient, Sex
from ris.patient.queries import patient as patient_row
from ris.patient.search import search
from ris.patient.service import IdentifierData, PatientData
from ris.task.model import Task, TaskState
from tests.factories.orders import make_patient

KNOWN = PatientData(
    (), family="Meadow", given="Anna", birth_date=date(1970, 5, 17), sex=Sex.female, phone="217 555 0101", street="1 Main St", city="Lee"
)


def register(ris: Ris, data: PatientData, looked_at: Sequence[int] = ()) -> Patient:
    with ris.uow() as uow:
        return desk.register(uow, data, looked_at=looked_at)


def like(ris: Ris, **changes: object) -> list[Alike]:
    said = {"family": "Meadow", "given": "Anna", "birth_date": date(1970, 5, 17), "sex": Sex.female, **changes}
    with ris.read() as session:
        return alike(session, Person(**said))


def open_tasks(ris: Ris) -> list[tuple[str, int]]:
    with ris.read() as session:
        rows = session.execute(sa.select(Task.kind, Task.object_id).where(Task.state == TaskState.open))
        return [(kind, object_id) for kind, object_id in rows]


def test_a_registered_patient_has_a_number_of_ours_and_is_found(ris: Ris) -> None:
    first, second = register(ris, KNOWN), register(ris, PatientData((), family="Brook", given="Ben", birth_date=date(1990, 1, 1)))
    with ris.read() as session:
        row = patient_row(session, first.id)
        assert row is not None
        assert [(i.authority, i.type) for i in row.identifiers] == [("RIS", "MR")]
        assert [found.patient_id for found in search(session, row.mrn or "")] == [first.id]
        assert [found.patient_id for found in search(session, "5550101")] == [first.id]
        assert patient_row(session, second.id).mrn != row.mrn


def test_the_guard_names_what_agrees_and_what_differs(ris: Ris) -> None:
    known = register(ris, KNOWN)
    cases: dict[str, tuple[dict[str, object], tuple[str, ...], tuple[str, ...]]] = {
        "a letter": ({"family": "Medow"}, ("family name",), ()),
        "names exchanged": ({"family": "Anna", "given": "Meadow"}, ("family name", "given name"), ()),
        "day and month": ({"birth_date": date(1970, 5, 18)}, ("birth date",), ()),
        "another sex": ({"sex": Sex.male}, (), ("sex",)),
        "a sister": ({"given": "Berta"}, (), ("given name",)),
        "moved": ({"street": "2 Low Rd", "city": "Lee"}, (), ("address",)),
        "married": ({"family": "Rivers", "phone": "+1 217 555 0101"}, (), ("family name",)),
    }
    for case, (changes, similar, differs) in cases.items():
        found = like(ris, **changes)
        assert [(row.patient_id, row.similar, row.differs) for row in found] == [(known.id, similar, differs)], case
        assert not found[0].is_twin, case
        assert found[0].score >= 70, case
    assert like(ris)[0].is_twin
    assert like(ris, phone="2175550101")[0].score == 100


def test_the_guard_is_silent_about_others(ris: Ris) -> None:
    register(ris, KNOWN)
    for other in ({"given": "Berta", "birth_date": date(1980, 1, 1)}, {"family": "Rivers"}, {"birth_date": date(1950, 1, 2)}):
        assert like(ris, **other) == [], other


def test_somebody_alike_is_registered_only_after_a_look_at_all_of_them(ris: Ris) -> None:
    known = register(ris, KNOWN)
    sister = PatientData((), family="Meadow", given="Berta", birth_date=date(1970, 5, 17), sex=Sex.female)
    with pytest.raises(LooksAlike) as refused:
        register(ris, sister)
    assert [row.patient_id for row in refused.value.candidates] == [known.id]
    with pytest.raises(LooksAlike):
        register(ris, sister, looked_at=[known.id + 1])
    assert register(ris, sister, looked_at=[known.id]).given == "Berta"


def test_an_exact_twin_is_never_registered(ris: Ris) -> None:
    known = register(ris, KNOWN)
    twin = PatientData((), family="MEADOW", given="anna", birth_date=date(1970, 5, 17))
    with pytest.raises(LooksAlike, match="here already"):
        register(ris, twin, looked_at=[known.id])
    named = PatientData((), family="Meadow", given="Anna", middle="Rose", birth_date=date(1970, 5, 17), phone="312 555 9999")
    assert register(ris, named, looked_at=[known.id]).id != known.id


def test_a_number_of_somebody_else_and_a_missing_name_are_refused(ris: Ris) -> None:
    with ris.uow() as uow:
        make_patient(uow, "Ash", "Bo", "OLD-1")
    taken = IdentifierData("OLD-1", "HOSP", "MR")
    with pytest.raises(Duplicate):
        register(ris, PatientData((taken,), family="Brook", given="Ben"))
    with pytest.raises(Invalid):
        register(ris, PatientData((), family=" ", given="Ben"))


def unknown(ris: Ris) -> Patient:
    with ris.uow() as uow:
        return desk.register_unknown(uow, sex=Sex.male, found="ambulance 12")


def test_each_unknown_patient_has_a_name_of_its_own_and_a_task(ris: Ris) -> None:
    one, other = unknown(ris), unknown(ris)
    assert one.family == other.family == "Unknown"
    assert one.given != other.given
    assert open_tasks(ris) == [("unknown_patient", one.id), ("unknown_patient", other.id)]


def test_the_task_ends_when_the_name_is_known(ris: Ris) -> None:
    patient = unknown(ris)
    with ris.uow() as uow:
        desk.correct(uow, patient.id, PatientData((), family="Brook", given="Ben"), row_version=patient.row_version)
    assert open_tasks(ris) == []
    with ris.read() as session:
        assert not session.get_one(Patient, patient.id).temporary


def test_the_task_ends_with_the_merge_and_comes_back_with_its_undoing(ris: Ris) -> None:
    patient, known = unknown(ris), register(ris, KNOWN)
    with ris.read() as session, pytest.raises(Conflict, match="made-up name"):
        merges.preview(session, patient.id, known.id)
    with ris.uow() as uow:
        merge = patients.merge(uow, survivor_id=known.id, loser_id=patient.id)
    assert open_tasks(ris) == []
    with ris.uow() as uow:
        patients.unmerge(uow, merge.id)
    assert open_tasks(ris) == [("unknown_patient", patient.id)]


def test_a_correction_over_somebody_elses_is_refused(ris: Ris) -> None:
    patient = register(ris, KNOWN)
    with ris.uow() as uow:
        desk.correct(uow, patient.id, PatientData((), family="Meadow", given="Anne"), row_version=1)
    with ris.uow() as uow, pytest.raises(Conflict, match="in the meantime"):
        desk.correct(uow, patient.id, PatientData((), family="Meadow", given="Hanna"), row_version=1)
