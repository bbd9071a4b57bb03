"""The panel beside the report, the live list, and who may write down what, through the pages."""

import re
from collections.abc import Callable

import pytest

from ris.bootstrap import Ris
from ris.critical import duty
from tests.clock import Clock
from tests.factories.critical import critical_class
from tests.factories.hospital import PASSWORD, Hospital
from tests.factories.orders import completed
from tests.web.visitor import Visitor, trail

HIDDEN = re.compile(r'name="(row_version|displayed)" value="([^"]*)"')
TELL = re.compile(r'action="(/critical/\d+/tell)"')
PANEL = {"Origin": "http://localhost", "X-Panel": "1"}


@pytest.fixture
def radiologist(hospital: Hospital, visitor: Callable[[], Visitor]) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["radiologist"])
    return someone


def test_signing_waits_until_the_call_is_written_down_and_the_list_counts_the_time(
    ris: Ris, hospital: Hospital, radiologist: Visitor, visitor: Callable[[], Visitor], clock: Clock
) -> None:
    exam = completed(ris, hospital)
    with ris.uow() as uow:
        kind = critical_class(uow)
    page = f"/exams/{exam.id}/report"
    radiologist.post(f"{page}/claim")
    assert "Note a critical result" in radiologist.get(page).text
    empty = radiologist.post(f"/exams/{exam.id}/critical", headers=PANEL, class_id=kind, detail="")
    assert (empty.status_code, "Red: life in danger: say what was found" in empty.text, "<main" in empty.text) == (422, True, False)
    noted = radiologist.post(f"/exams/{exam.id}/critical", headers=PANEL, class_id=kind, detail="Aortic rupture")
    assert (noted.status_code, "10 min left" in noted.text) == (200, True)
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    listed = clerk.get("/critical")
    assert "Aortic rupture" in listed.text
    known = re.search(r'data-version="(\w+)" data-count', listed.text)
    assert known is not None
    assert clerk.get(f"/critical?v={known[1]}").status_code == 204
    clock.advance(minutes=12)
    assert "2 min overdue" in radiologist.get(f"/critical?v={known[1]}").text
    seen = dict(HIDDEN.findall(radiologist.get(page).text))
    refused = radiologist.post(f"{page}/sign", text="Rupture.", password=PASSWORD, **{"as": "final"}, **seen)
    assert (refused.status_code, "somebody must be told first" in refused.text, "Rupture.</textarea>" in refused.text) == (409, True, True)

    address = TELL.findall(clerk.get(f"/exams/{exam.id}/critical").text)[0]
    said = {"receiver": "Dr Grove", "way": "telephone", "outcome": "read_back"}
    wrong = clerk.post(address, **{**said, "at": "2026-03-08T02:30", "number": "4711"})
    assert (wrong.status_code, 'value="4711"' in wrong.text, "a time that there was" in wrong.text) == (422, True, True)
    assert clerk.post(address, **{**said, "at": "2026-11-30T10:05", "teller": "Test Radiologist"}).status_code == 303
    assert clerk.post(address, **said).status_code == 409
    assert (
        "2026-11-30 10:05: <strong>Dr Grove</strong> told, and read back, by telephone, by Test Radiologist"
        in clerk.get(f"/exams/{exam.id}/critical").text
    )
    assert radiologist.post(f"{page}/sign", text="Rupture.", password=PASSWORD, **{"as": "final"}, **seen).status_code == 303
    assert "Aortic rupture" not in clerk.get("/critical").text
    assert "Aortic rupture" in clerk.get("/critical?ended=1").text
    assert clerk.post(f"/exams/{exam.id}/critical", class_id=kind, detail="x").status_code == 404
    (told,) = trail(ris, what="critical.told")
    assert (told.patient_id, told.actor_id) == (exam.order.patient_id, hospital.users["front_desk"])


def test_a_result_that_does_not_hold_is_taken_back_with_a_reason(ris: Ris, hospital: Hospital, radiologist: Visitor) -> None:
    exam = completed(ris, hospital)
    with ris.uow() as uow:
        kind = critical_class(uow)
    radiologist.post(f"/exams/{exam.id}/report/claim")
    radiologist.post(f"/exams/{exam.id}/critical", class_id=kind, detail="Bleeding")
    address = TELL.findall(radiologist.get(f"/exams/{exam.id}/critical").text)[0].replace("tell", "withdraw")
    assert radiologist.get(address.removesuffix("/withdraw")).location.startswith(f"/exams/{exam.id}/critical#critical-")
    assert radiologist.post(address, reason=" ").status_code == 409
    assert radiologist.post(address, reason="an artefact").status_code == 303
    assert "an artefact" in radiologist.get(f"/exams/{exam.id}/critical").text


def test_who_is_on_call_is_kept_by_who_keeps_the_places_and_seen_by_everybody(
    ris: Ris, hospital: Hospital, radiologist: Visitor, visitor: Callable[[], Visitor]
) -> None:
    lead, administrator = visitor(), visitor()
    lead.enter(hospital.users["lead_scheduler"])
    administrator.enter(hospital.users["administrator"])
    assert administrator.post("/catalog/on_call_list/new", code="HEAD", name="Head of the day").status_code == 303
    with ris.read() as session:
        (of,) = duty.lists(session)
    user = f"/users/{hospital.users['resident']}"
    assert administrator.post(f"{user}/email", email="nonsense").status_code == 422
    assert administrator.post(f"{user}/email", email="resident@main.example").status_code == 303
    assert 'value="resident@main.example"' in administrator.get(user).text
    site = hospital.sites["MAIN"]
    said = {"list_id": of.id, "site_id": site, "user_id": hospital.users["resident"], "starts_at": "2026-11-30T08:00", "reach": "4711"}
    without = lead.post("/on-call", **said)
    assert (without.status_code, "Say from when until when." in without.text, 'value="4711"' in without.text) == (422, True, True)
    assert lead.post("/on-call", **said, ends_at="2026-12-01T08:00").status_code == 303
    seen = radiologist.get("/on-call").text
    assert re.search(r"Head of the day</strong> <span[^>]*>now</span></td><td>Main hospital</td>\s*<td>Test Resident</td><td>4711", seen)
    assert "Take away" not in seen
    assert radiologist.post("/on-call", **said, ends_at="2026-12-01T08:00").status_code == 404
    remove = re.findall(r'action="(/on-call/\d+/remove)"', lead.get("/on-call").text)[0]
    assert lead.post(remove).status_code == 303
    assert "Nobody is on call" in lead.get("/on-call").text
