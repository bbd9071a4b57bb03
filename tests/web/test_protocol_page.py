"""The protocol page: who sees which deed, what is typed stays, and where an approved protocol is shown."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.catalog.model import Modality
from ris.order.model import RequestedProcedure
from ris.protocol.model import ProtocolCode
from ris.scheduling import service as scheduling
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.service import RuleData
from tests.factories.hospital import Hospital
from tests.factories.orders import new_exam
from tests.web.visitor import NOW, Visitor

PLAN = {"codes": ["MRMETA"], "instructions": "Dark <room>", "urgency": "urgent"}


@pytest.fixture
def exam(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    with ris.uow() as uow:
        uow.session.execute(sa.text("UPDATE procedure SET needs_protocol = true WHERE code = 'MRBRAIN'"))
        uow.add(ProtocolCode(code="MRMETA", name="Search for metastases", modality=Modality.MR))
        rules.add(uow, RuleData("Protocol first", "protocol", "warn", "", {}))
        rules.add(uow, RuleData("In time", "target", "warn", "", {}))
    return new_exam(ris, hospital, "MRBRAIN")


def come(hospital: Hospital, visitor: Callable[[], Visitor], role: str) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users[role])
    return someone


def test_from_the_list_to_the_approval_and_into_every_page_that_needs_it(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure
) -> None:
    path = f"/exams/{exam.id}/protocol"
    resident, attending, clerk = (come(hospital, visitor, role) for role in ("resident", "radiologist", "scheduler"))
    assert resident.post(f"/worklists/protocol/{exam.id}/open").location == path
    assert "Test Resident" in attending.get("/worklists/protocol").text
    assert ">Approve</button>" not in resident.get(path).text
    assert resident.post(f"{path}/propose", **PLAN, row_version="1").status_code == 303
    assert "Proposed by Test Resident" in attending.get(path).text
    place = {"date": "2026-12-03", "time": "09:00", "room_id": hospital.rooms["MR1"]}
    early = clerk.post(f"/schedule/exams/{exam.id}/book", **place)
    assert "Protocol first" in early.text
    assert f'href="{path}"' in early.text
    assert attending.post(f"{path}/approve", **PLAN).status_code == 303
    assert "Every exam that needs a protocol has one" in attending.get("/worklists/protocol").text
    for page in ("/schedule", f"/schedule/exams/{exam.id}", f"/exams/{exam.id}", path):
        assert "Search for metastases" in clerk.get(page).text
    late = clerk.post(f"/schedule/exams/{exam.id}/book", **place)
    assert "A radiologist wants it to have begun by 02 Dec 2026 10:00" in late.text
    with ris.uow(hospital.actor("scheduler")) as uow:
        scheduling.book(uow, procedure_id=exam.id, room_id=hospital.rooms["MR1"], starts_at=NOW)
    listed = come(hospital, visitor, "technologist").get("/worklists/technologist").text
    assert "Search for metastases; Dark &lt;room&gt;" in listed


def test_who_proposed_sees_why_the_approval_is_closed_and_what_was_typed_stays(
    hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure
) -> None:
    path, attending = f"/exams/{exam.id}/protocol", come(hospital, visitor, "radiologist")
    refused = attending.post(f"{path}/propose", **PLAN | {"urgency": "whenever"})
    assert refused.status_code == 422
    assert "choose how urgent it is" in refused.text
    assert "Dark &lt;room&gt;</textarea>" in refused.text
    attending.post(f"{path}/propose", **PLAN)
    assert "Not yet: you proposed it yourself" in attending.get(path).text
    assert attending.post(f"{path}/approve", **PLAN).status_code == 409


def test_the_desk_hands_in_again_what_was_rejected(hospital: Hospital, visitor: Callable[[], Visitor], exam: RequestedProcedure) -> None:
    path = f"/exams/{exam.id}/protocol"
    attending, clerk = (come(hospital, visitor, role) for role in ("radiologist", "scheduler"))
    assert attending.post(f"{path}/reject", said="Which side?").status_code == 303
    assert "protocol rejected" in clerk.get("/schedule").text
    page = clerk.get(path).text
    assert "Test Radiologist: Which side?" in page
    assert "Hand in again" in page
    assert ">Propose</button>" not in page
    assert clerk.post(f"{path}/resubmit", said="Left").status_code == 303
    assert "Test Scheduler: Left" in attending.get(path).text
