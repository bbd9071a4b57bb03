"""The reading list through the pages: views and filters with their counts, whose an exam is, own columns, the next exam."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.catalog.model import Procedure
from ris.critical import service as critical
from ris.exam import service as exams
from ris.order import service as orders
from ris.order.status import Priority
from ris.patient.model import Visit, VisitState
from ris.report import review, service
from ris.report.model import UnreadExam
from ris.scheduling import service as scheduling
from ris.staff import reads
from ris.staff.reads import Reads
from tests.clock import Clock
from tests.factories.critical import critical_class
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, make_patient
from tests.web.people import somebody
from tests.web.visitor import NOW, Visitor, trail

LIST = "/worklists/reading"
NAMES = re.compile(r'class="row-name" href="[^"]+">([^,<]+)')
TABS = re.compile(r'>([A-Z][^<]*) <span class="count">(\d+\+?)</span>')
TITLES = re.compile(r'<th scope="col">([^<]+)</th>')


@dataclass
class House:
    ris: Ris
    hospital: Hospital
    clock: Clock
    exams: dict[str, int]

    def done(self, family: str, code: str, minutes_ago: int, priority: Priority = Priority.routine, patient_class: str = "") -> int:
        """An exam whose images are made."""
        room = self.hospital.rooms[{"CT": "CT1", "MR": "MR1", "XR": "XR1"}[code[:2]]]
        self.clock.now = NOW - timedelta(minutes=minutes_ago)
        with self.ris.uow(self.hospital.actor("technologist")) as uow:
            order = make_order(uow, self.hospital, code, patient=make_patient(uow, family), priority=priority)
            if patient_class:
                visit = Visit(patient_id=order.patient_id, key=family, visit_number="1", patient_class=patient_class, state=VisitState.open)
                uow.add(visit)
                uow.session.flush()
                order.visit_id = visit.id
            procedure_id = order.procedures[0].id
            uow.session.flush()
            scheduling.book(uow, procedure_id=procedure_id, room_id=room, starts_at=uow.now)
            uow.session.flush()
            exams.start(uow, procedure_id=procedure_id)
            uow.session.flush()
            exams.complete(uow, procedure_id=procedure_id)
        self.clock.now = NOW
        self.exams[family] = procedure_id
        return procedure_id

    def submit(self, family: str) -> None:
        with self.ris.uow(self.hospital.actor("resident")) as uow:
            report = service.claim(uow, service.open_for(uow, self.exams[family]).id)
            uow.session.flush()
            review.submit(uow, report_id=report.id, text="Normal.", row_version=report.row_version)


@pytest.fixture
def house(ris: Ris, hospital: Hospital, clock: Clock) -> House:
    house = House(ris, hospital, clock, {})
    with ris.uow() as uow:
        uow.session.execute(sa.update(Procedure).where(Procedure.code.in_(("CTHEAD", "MRBRAIN"))).values(subspecialty="neuro"))
    house.done("Alder", "XRHAND", 90)
    house.done("Birch", "CTHEAD", 20, Priority.stat, "E")
    house.done("Cedar", "MRBRAIN", 170)
    house.done("Dogwood", "XRCHEST2", 1500, patient_class="I")
    house.done("Elm", "CTHEAD", 45, Priority.asap)
    return house


@pytest.fixture
def enter(house: House, visitor: Callable[[], Visitor]) -> Callable[[str], Visitor]:
    def as_role(role: str) -> Visitor:
        someone = visitor()
        someone.enter(house.hospital.users[role])
        return someone

    return as_role


def names(someone: Visitor, **filters: str) -> list[str]:
    return NAMES.findall(someone.client.get(LIST, query_string=filters).text)


@pytest.mark.parametrize("engine_name", ["sqlite", "postgresql"])
def test_views_and_filters_show_what_they_say_and_how_many(house: House, enter: Callable[[str], Visitor]) -> None:
    radiologist, resident = enter("radiologist"), enter("resident")
    assert names(radiologist) == ["Birch", "Elm", "Dogwood", "Cedar", "Alder"]
    shown = {
        ("modality", "CT"): ["Birch", "Elm"],
        ("subspecialty", "neuro"): ["Birch", "Elm", "Cedar"],
        ("class", "I"): ["Dogwood"],
        ("priority", "S"): ["Birch"],
        ("q", "ced brain"): ["Cedar"],
        ("q", "100%"): [],
        ("site", str(house.hospital.sites["WEST"])): [],
        ("site", "nowhere"): ["Birch", "Elm", "Dogwood", "Cedar", "Alder"],
    }
    assert {filters: names(radiologist, **dict([filters])) for filters in shown} == shown
    house.submit("Cedar")
    work = {"Birch": "reserve", "Alder": "read"}
    for family, deed in work.items():
        assert radiologist.post(f"{LIST}/{house.exams[family]}/{deed}").status_code == 303
    assert radiologist.post(f"{LIST}/{house.exams['Elm']}/assign", answer="resident").status_code == 303
    views = {
        "all": ["Birch", "Elm", "Dogwood", "Cedar", "Alder"],
        "unread": ["Birch", "Elm", "Dogwood", "Alder"],
        "mine": ["Birch", "Alder"],
        "assigned": ["Elm"],
        "reserved": ["Birch"],
        "cosign": ["Cedar"],
        "preliminary": [],
    }
    assert {view: names(radiologist, view=view) for view in views} == views
    assert (names(resident, view="mine"), names(resident, view="cosign")) == (["Elm"], [])
    page = radiologist.get(f"{LIST}?view=unread").text
    counts = dict(TABS.findall(page))
    assert counts == {"All": "5", "Unread": "4", "Mine": "2", "Assigned": "1", "Reserved": "1", "Drafts": "0", "To co-sign": "1",
                      "Sent back": "0", "Preliminary": "0", "Critical open": "0"}  # fmt: skip
    assert "Test Radiologist has given it to Test Resident" in page
    assert re.search(r"data-live-urgent>1 STAT", page)
    with house.ris.uow(house.hospital.actor("radiologist")) as uow:
        critical.flag(uow, procedure_id=house.exams["Alder"], class_id=critical_class(uow), detail="Fracture")
    assert names(radiologist, view="critical") == ["Alder"]
    with house.ris.uow(house.hospital.actor("scheduler")) as uow:
        order = orders.get_procedure(uow, house.exams["Dogwood"]).order
        said = orders.OrderRequest(order.patient_id, order.site_id, (), priority=Priority.stat)
        orders.change(uow, order, said)
    assert names(radiologist)[0] == "Dogwood"


def test_pages_follow_one_another_without_a_gap(house: House, enter: Callable[[str], Visitor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("ris.web.pages.worklist.reading"), "PAGE", 2)
    radiologist = enter("radiologist")
    seen, address = [], f"{LIST}?view=unread"
    while address:
        page = radiologist.get(address).text
        seen += NAMES.findall(page)
        further = re.search(r'href="([^"]+)" rel="next"', page)
        address = further[1].replace("&amp;", "&") if further else ""
    assert seen == ["Birch", "Elm", "Dogwood", "Cedar", "Alder"]
    assert names(radiologist, after="nonsense") == ["Birch", "Elm"]


def test_credentials_decide_what_is_seen_and_read(house: House, enter: Callable[[str], Visitor], visitor: Callable[[], Visitor]) -> None:
    radiologist, administrator = enter("radiologist"), enter("administrator")
    own = house.hospital.users["radiologist"]
    answer = administrator.post(f"/users/{own}/reads", modality=["CT", "MR", "none"], subspecialty="neuro")
    assert answer.status_code == 303
    assert names(radiologist) == ["Birch", "Elm", "Cedar"]
    hand = house.exams["Alder"]
    assert radiologist.post(f"{LIST}/{hand}/read").status_code == 403
    assert radiologist.post(f"/exams/{hand}/report/claim").status_code == 403
    assert "Your credentials do not cover DX" in radiologist.post(f"{LIST}/{hand}/read").text
    assert radiologist.post(f"{LIST}/{hand}/reserve").status_code == 409
    with house.ris.read() as session:
        assert reads.of(session, own) == Reads(frozenset(("CT", "MR")), frozenset(("neuro",)))
    assert [entry.what for entry in trail(house.ris, what="staff.credentials_changed")] == ["staff.credentials_changed"]
    west = visitor()
    west.enter(somebody(house.ris, house.hospital, "west", radiologist="WEST"))
    assert names(west) == []
    assert west.post(f"{LIST}/{hand}/read").status_code == 404


def test_an_exam_is_given_taken_and_let_go(house: House, enter: Callable[[str], Visitor]) -> None:
    radiologist, resident = enter("radiologist"), enter("resident")
    exam = house.exams["Cedar"]
    resident.post(f"{LIST}/{exam}/reserve")
    taken = radiologist.post(f"{LIST}/{exam}/reserve")
    assert (taken.status_code, "Test Resident has it already" in taken.text) == (409, True)
    assert resident.post(f"{LIST}/{exam}/assign", answer="radiologist").status_code == 403
    assert radiologist.post(f"{LIST}/{exam}/assign", answer="nobody").status_code == 422
    assert radiologist.post(f"{LIST}/{exam}/assign", answer="front_desk").status_code == 422
    assert radiologist.post(f"{LIST}/{exam}/let_go").status_code == 303
    assert radiologist.post(f"{LIST}/{exam}/assign", answer="radiologist").status_code == 303
    assert resident.post(f"{LIST}/{exam}/let_go").status_code == 403
    with house.ris.read() as session:
        assert session.get_one(UnreadExam, exam).held_by_id == house.hospital.users["radiologist"]
    told = [(entry.what, entry.actor_name) for entry in trail(house.ris) if entry.what.startswith(("report.re", "report.as", "report.l"))]
    assert told == [("report.reserved", "Test Resident"), ("report.let_go", "Test Radiologist"), ("report.assigned", "Test Radiologist")]


def test_the_next_exam_is_the_first_that_nobody_else_has(house: House, enter: Callable[[str], Visitor]) -> None:
    radiologist, resident = enter("radiologist"), enter("resident")
    resident.post(f"{LIST}/{house.exams['Birch']}/read")
    resident.post(f"{LIST}/{house.exams['Elm']}/reserve")
    first = radiologist.post(f"{LIST}/next", view="unread")
    assert first.location == f"/exams/{house.exams['Dogwood']}/report?list=view%3Dunread&go_on=yes"
    page = radiologist.get(first.location).text
    assert "5 in the list" in page
    fields = dict(re.findall(r'name="(row_version|displayed|list)" value="([^"]*)"', page))
    signed = radiologist.post(
        f"/exams/{house.exams['Dogwood']}/report/sign", text="Normal.", go_on="yes", **{"as": "final"}, **fields
    )  # fmt: skip
    assert signed.location.startswith(f"/exams/{house.exams['Cedar']}/report?")
    assert "4 in the list" in radiologist.get(signed.location).text
    fields = dict(re.findall(r'name="(row_version|displayed|list)" value="([^"]*)"', radiologist.get(signed.location).text))
    left = radiologist.post(f"/exams/{house.exams['Cedar']}/report/release", text="Normal.", **fields)
    assert left.location == f"{LIST}?view=unread"
    assert radiologist.post(f"{LIST}/next", priority="S").location == f"{LIST}?priority=S"


def test_a_reading_is_taken_over_with_a_warning_and_the_loser_is_told(house: House, enter: Callable[[str], Visitor]) -> None:
    resident, radiologist = enter("resident"), enter("radiologist")
    page = f"/exams/{house.exams['Cedar']}/report"
    resident.post(f"{page}/claim")
    fields = dict(re.findall(r'name="(row_version|displayed)" value="([^"]*)"', resident.get(page).text))
    saved = resident.post(f"{page}/draft", text="Begun.", row_version=fields["row_version"]).json
    assert "Test Resident reads this exam since 2026-11-30 10:00." in radiologist.get(page).text
    assert radiologist.post(f"{page}/claim").status_code == 409
    assert radiologist.post(f"{page}/claim", take_over="yes").status_code == 303
    assert "Begun.</textarea>" in radiologist.get(page).text
    lost = resident.post(f"{page}/draft", text="Begun, and more.", row_version=saved["row_version"])
    assert (lost.status_code, lost.json["message"]) == (409, "Test Radiologist has taken over this report: your text has not been saved")
    left = resident.post(f"{page}/submit", text="Begun, and more.", row_version=saved["row_version"], displayed=fields["displayed"])
    assert (left.status_code, "Begun, and more.</pre>" in left.text) == (409, True)
    (entry,) = trail(house.ris, what="report.taken_over")
    assert (entry.actor_name, entry.detail["from_user_id"]) == ("Test Radiologist", house.hospital.users["resident"])


def test_filters_are_saved_shared_and_opened_with(house: House, enter: Callable[[str], Visitor]) -> None:
    radiologist, resident, lead = enter("radiologist"), enter("resident"), enter("administrator")
    radiologist.post(f"{LIST}/filters", name="Heads", whose="everybody", first="yes", modality="CT", view="unread")
    radiologist.post(f"{LIST}/filters", name="Alone", view="mine")
    assert radiologist.post(f"{LIST}/filters", name=" ", view="mine").status_code == 422
    assert radiologist.get(LIST).location == f"{LIST}?view=unread&modality=CT"
    other = resident.get(LIST).text
    assert (">Heads</a>" in other, "of Test Radiologist" in other, ">Alone</a>" in other) == (True, True, False)
    filter_id = re.search(r'name="filter_id" value="(\d+)"', other)
    assert filter_id is not None
    assert resident.post(f"{LIST}/filters/{filter_id[1]}/remove").status_code == 404
    assert resident.post(f"{LIST}/first", filter_id=filter_id[1]).status_code == 303
    assert resident.get(LIST).location == f"{LIST}?view=unread&modality=CT"
    assert radiologist.post(f"{LIST}/filters/{filter_id[1]}/remove").status_code == 303
    assert resident.get(LIST).status_code == 200
    assert lead.get(LIST).status_code == 404


def test_columns_are_everybodys_own(house: House, enter: Callable[[str], Visitor]) -> None:
    radiologist, resident = enter("radiologist"), enter("resident")
    wanted = {"column": ["patient", "class", "waiting", "nonsense"], "place-class": "1", "place-patient": "2", "place-waiting": "3"}
    radiologist.post(f"{LIST}/columns", **wanted)
    own = TITLES.findall(enter("radiologist").get(LIST).text.split('class="table table-sm table-hover')[1])
    assert own == ["Class", "Patient", "Waiting", "Do"]
    assert "Reader" in TITLES.findall(resident.get(LIST).text)
    radiologist.post(f"{LIST}/columns", usual="yes")
    assert "Reader" in TITLES.findall(radiologist.get(LIST).text)


def test_how_long_a_reading_may_wait_is_administered(house: House, enter: Callable[[str], Visitor]) -> None:
    radiologist, administrator = enter("radiologist"), enter("administrator")
    assert "overdue" not in _row(radiologist, "Cedar")
    versions = dict(re.findall(r'name="(version-\w)" value="(\d+)"', administrator.get("/reading-rules").text))
    wrong = administrator.post("/reading-rules/levels", priority="R", **{"soon-R": "300", "late-R": "60"}, **versions)
    assert (wrong.status_code, 'value="300"' in wrong.text) == (422, True)
    changed = {"soon-R": "60", "late-R": "150"}
    assert administrator.post("/reading-rules/levels", priority="R", **changed, **versions).status_code == 303
    assert "overdue" in _row(radiologist, "Cedar")
    assert "due soon" in _row(radiologist, "Alder")
    assert administrator.post("/reading-rules/levels", priority="R", **changed, **versions).status_code == 409


def _row(someone: Visitor, family: str) -> str:
    return next(row for row in someone.get(LIST).text.split("<tr id=") if f">{family}," in row)
