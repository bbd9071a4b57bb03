"""The catalogue in the browser: each value is checked, each change is kept with what was before, what is booked ahead is shown first."""

import io
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.catalog.model import Material, Procedure, RoomProcedure
from ris.imports.model import ImportFile
from ris.scheduling import service as scheduling
from tests.factories.hospital import Hospital
from tests.factories.orders import new_exam
from tests.web.visitor import NOW, Visitor, trail


@pytest.fixture
def administrator(hospital: Hospital, visitor: Callable[[], Visitor]) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["administrator"])
    return someone


def duration_of(ris: Ris, procedure_id: int) -> RoomProcedure:
    with ris.read() as session:
        return session.scalars(sa.select(RoomProcedure).where(RoomProcedure.procedure_id == procedure_id)).one()


def test_a_procedure_is_added_changed_taken_back_and_retired(ris: Ris, administrator: Visitor) -> None:
    assert "Procedures" in administrator.get("/catalog").text
    form = {"code": "CTKNEE", "name": "CT knee", "modality": "CT", "minutes": "20", "sided": "yes"}
    wrong = administrator.post("/catalog/procedure/new", **form | {"code": "CT KNEE", "minutes": "none", "technical_amount": "12"})
    assert wrong.status_code == 422
    assert "Code holds something else than capital letters, digits, - _ or ." in wrong.text
    assert "Minutes is not a whole number from 1 to 720" in wrong.text
    assert administrator.post("/catalog/procedure/new", **form).status_code == 303
    assert "This procedure is there already: search for CTKNEE" in administrator.post("/catalog/procedure/new", **form).text
    with ris.read() as session:
        row = session.scalars(sa.select(Procedure).where(Procedure.code == "CTKNEE")).one()
    path = f"/catalog/procedure/{row.id}"
    assert "In no room yet: it cannot be booked" in administrator.get(path).text
    assert administrator.post(path, row_version="1", name="CT knee, plain", code="OTHER").status_code == 303
    assert administrator.post(path, row_version="1", name="CT knee again").status_code == 409
    page = administrator.get(path).text
    history = page[page.index('id="history"') :]
    assert "CT knee, plain" in history
    assert administrator.post(f"{path}/undo", row_version="2").status_code == 303
    assert administrator.post(path, row_version="3", active="no").status_code == 303
    with ris.read() as session:
        kept = session.get_one(Procedure, row.id)
        assert (kept.code, kept.name, kept.sided, kept.active, kept.row_version) == ("CTKNEE", "CT knee", True, False, 4)
    assert "CTKNEE" not in administrator.get("/catalog/procedure").text
    assert "CTKNEE" in administrator.get("/catalog/procedure?retired=yes&q=knee").text
    assert "CTHEAD" not in administrator.get("/catalog/procedure?q=knee").text
    whats = [entry.what for entry in trail(ris, object_kind="procedure", object_id=row.id)]
    assert whats == ["catalog.procedure_added", *["catalog.procedure_changed"] * 3]
    assert b"CTKNEE,CT knee,CT,,yes,20" in administrator.get("/catalog/procedure.csv").data


def test_a_change_that_appointments_ahead_may_feel_is_asked_about_and_holds_from_the_next_booking_on(
    ris: Ris, hospital: Hospital, administrator: Visitor
) -> None:
    booked, later = new_exam(ris, hospital, "CTHEAD"), new_exam(ris, hospital, "CTHEAD")
    at = NOW + timedelta(days=1)
    with ris.uow(hospital.actor("scheduler")) as uow:
        step = scheduling.book(uow, procedure_id=booked.id, room_id=hospital.rooms["CT1"], starts_at=at)
        assert step.ends_at - step.starts_at == timedelta(minutes=20)
    duration = duration_of(ris, hospital.procedures["CTHEAD"])
    path = f"/catalog/duration/{duration.id}"
    form = {"row_version": "1", "set_up_minutes": "5", "minutes": "20", "clean_up_minutes": "10"}
    asked = administrator.post(path, **form)
    assert asked.status_code == 409
    assert "1 appointment stands ahead" in asked.text
    assert "2026-12-01 10:00" in asked.text
    assert duration_of(ris, hospital.procedures["CTHEAD"]).set_up_minutes == 0
    assert administrator.post(path, **form, confirmed="yes").status_code == 303
    with ris.uow(hospital.actor("scheduler")) as uow:
        step = scheduling.book(uow, procedure_id=later.id, room_id=hospital.rooms["CT1"], starts_at=at + timedelta(hours=1))
        assert step.ends_at - step.starts_at == timedelta(minutes=35)


def test_a_file_is_brought_looked_at_taken_in_once_and_not_kept(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    someone = visitor()
    someone.enter(hospital.users["administrator"])

    def brought(text: str) -> str:
        answer = someone.post("/imports/new/material", file=(io.BytesIO(text.encode()), "materials.csv"))
        assert answer.status_code == 303
        return answer.location

    assert someone.post("/imports/new/material", file=(io.BytesIO(b""), "x.csv")).status_code == 422
    assert "There is no column colour" in someone.get(brought("code,colour\n")).text
    wrong = brought("code,name,kind,unit\nA,,supply,ml\n")
    page = someone.get(wrong).text
    assert "One value is wrong." in page
    assert "Take it in" not in page
    assert b"2,wrong,A,name,is empty,write at most 120 characters" in someone.get(f"{wrong}/findings.csv").data
    assert someone.post(f"{wrong}/throw-away").status_code == 303
    assert someone.get(wrong).status_code == 404

    right = brought("code,name,kind,unit\nA,Saline,supply,ml\n")
    page = someone.get(right).text
    assert "Nothing is changed yet." in page
    assert re.search(r"<dt>new</dt><dd>1</dd>", page)
    done = someone.post(f"{right}/apply").text
    assert "The file is taken in." in done
    assert someone.post(f"{right}/apply").status_code == 303
    assert "Taken in</strong> by Test Administrator" in someone.get(right).text
    with ris.read() as session:
        assert session.scalars(sa.select(Material.name)).all() == ["Saline"]
        assert session.scalars(sa.select(ImportFile.content).where(ImportFile.applied_at.is_not(None))).all() == [b""]
    assert [entry.actor_name for entry in trail(ris, what="import.applied")] == ["Test Administrator"]

    other = visitor()
    other.enter(hospital.users["integration"])
    assert other.get(right).status_code == 404
    assert "Materials" not in other.get("/imports").text
