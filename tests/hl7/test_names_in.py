"""Names that senders say beside the one of the record, and what becomes of a name that changes; on both engines."""

from datetime import UTC, datetime

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.patient import guard, naming
from ris.patient import service as patients
from ris.patient.guard import Person
from ris.patient.model import Merge
from ris.patient.naming import NameKind, OtherName
from ris.patient.search import search
from tests.factories.hospital import Hospital
from tests.hl7.asking import accept, agree, counts, order_of, patient_of
from tests.messages.samples import adt, merge, obr, orc, orm, pid
from tests.statements import sent

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def also(ris: Ris, mrn: str = "M1", *, ended: bool = False) -> list[str]:
    """What the page says."""
    with ris.read() as session:
        rows = naming.names(session, patient_of(session, mrn).id, LONG_AGO)
        return [f"{row.label} {row.patient_name}" for row in rows if bool(row.ended_at) is ended]


def found(ris: Ris, text: str) -> list[tuple[str | None, str]]:
    """Number, and which name was meant."""
    with ris.read() as session:
        return [(row.mrn, row.matched) for row in search(session, text)]


def test_maiden_alias_and_former_names_find_the_patient_however_they_are_written(ris: Ris, hospital: Hospital) -> None:
    accept(
        ris,
        adt("A04", pid("M1", "Meadow^Anna~Thistlewood^^^^^^M~Rowan^Ben^^^^^P", alias="Anna-Lena Quill^^^^^^A~Quill^Lena^^^^^N")),
        adt("A31", pid("M1", "Harbour^Anna")),
        adt("A04", pid("M2", "Thistlewood^Carla", born="19800101")),
    )
    assert also(ris) == [
        "also known as Anna-Lena Quill, Anna", "called Quill, Lena", "maiden name Thistlewood, Anna", "formerly Meadow, Anna",
    ]  # fmt: skip
    maiden = ("M1", "maiden name Thistlewood, Anna")
    asked = {
        "thistlewood anna": [maiden],
        "anna thistlewood": [maiden],
        "thistelwood anna": [maiden],
        "tistlewood": [("M2", ""), maiden],
        "thistlewood": [("M2", ""), maiden],
        "thistlewood 1970-05-17": [maiden],
        "thistlewood M1": [maiden],
        "meadow anna": [("M1", "formerly Meadow, Anna")],
        "medow": [("M1", "formerly Meadow, Anna")],
        "quill": [("M1", "called Quill, Lena")],
        "lena": [("M1", "called Quill, Lena")],
        "harbour anna": [("M1", "")],
        "rowan ben": [],
    }
    assert {text: found(ris, text) for text in asked} == asked
    with ris.read() as session:
        (twin,) = guard.alike(session, Person("Thistlewood", "Anna", birth_date=datetime(1970, 5, 17, tzinfo=UTC).date()))
        assert (twin.score >= guard.LEAST, twin.is_twin, twin.similar) == (True, False, ("family name",))
        assert "maiden name Thistlewood, Anna" in twin.also
        (meadow,) = guard.alike(session, Person("Moor", "Anna", birth_date=twin.birth_date, also=[OtherName(NameKind.former, "Meadow")]))
        assert meadow.score >= guard.LEAST


def test_a_list_of_a_sender_replaces_its_last_and_the_same_again_asks_nothing(ris: Ris, hospital: Hospital) -> None:
    def said() -> bytes:
        return adt("A08", pid(alias="Lake^Ida^^^^^M~Meadow^Anna"))

    accept(ris, adt("A04", pid(alias="Lake^Ida^^^^^M~Brook^Ida")), adt("A08", pid()), adt("A08", pid(alias="Lake^Ida^^^^^M~Brook^Ida")))
    assert also(ris) == ["maiden name Lake, Ida", "also known as Brook, Ida"], "an empty PID-9 makes no statement"
    accept(ris, said())
    assert (also(ris), also(ris, ended=True)) == (["maiden name Lake, Ida"], ["also known as Brook, Ida"])
    with ris.uow() as uow:
        patient_id = patient_of(uow.session, "M1").id
        naming.end(uow, patient_id, naming.names(uow.session, patient_id, LONG_AGO)[0].name_id)
    before = counts(ris, "message", "message_link")
    with sent(ris.engine) as queries:
        accept(ris, said())
    assert also(ris) == [], "what a person took off stays off"
    assert counts(ris, "message", "message_link") == before
    assert not [text for text, _ in queries if "patient_name" in text]
    accept(ris, adt("A08", pid(alias='""')), said())
    assert also(ris) == ["maiden name Lake, Ida"]


def test_a_name_that_only_grows_or_was_made_up_is_no_former_one(ris: Ris, hospital: Hospital) -> None:
    accept(ris, adt("A04", pid(name="Meadow^Anna")), adt("A08", pid(name="MEADOW^Anna Maria")), adt("A08", pid(name="Meadow^Anna Maria")))
    assert also(ris) == []
    for name in ("Harbour^Anna", "Meadow^Anna Maria", "Harbour^Anna"):
        accept(ris, adt("A08", pid(name=name)))
    assert also(ris) == ["formerly Meadow, Anna Maria"], "back and forth it is one name each"
    assert counts(ris)["patient_name"] == 2
    agree(ris, hospital, order_owns_demographics=False)
    accept(ris, orm(pid(name="Moor^Anna~Fen^Anna^^^^^B"), orc("NW", "P1^EHR"), obr("P1^EHR")))
    assert "name at birth Fen, Anna" in also(ris), "a name beside that of the record contradicts nothing"
    with ris.read() as session:
        assert order_of(session, "P1").patient_id == patient_of(session, "M1").id


def test_names_go_with_a_merge_and_come_back(ris: Ris, hospital: Hospital) -> None:
    accept(ris, adt("A04", pid("M1", "Meadow^Anna")), adt("A04", pid("M2", "Brook^Ida", alias="Lake^Ida^^^^^M")), merge("M1", "M2"))
    assert also(ris, "M2") == ["maiden name Lake, Ida", "of a merged record Brook, Ida"]
    assert found(ris, "brook ida") == [("M1", "of a merged record Brook, Ida")]
    assert found(ris, "lake ida") == [("M1", "maiden name Lake, Ida")]
    with ris.uow(hospital.actor("integration")) as uow:
        patients.unmerge(uow, uow.session.scalars(sa.select(Merge.id)).one())
    assert (also(ris, "M1"), also(ris, "M2")) == ([], ["maiden name Lake, Ida"])
    assert found(ris, "brook ida") == [("M2", "")]
