"""Two people at one report in the same moment, each at a browser of their own: one wins, the other is told, no word is lost.

The pages are asked without a browser, in threads, over both engines. `make faults` does it fifty times, the everyday tests a few.
"""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from threading import Barrier

import pytest
import sqlalchemy as sa
from flask import Flask

from ris.bootstrap import Ris
from ris.order.model import Order
from ris.outbox.model import Delivery, StoredEvent
from ris.patient import merges
from ris.patient import service as patients
from ris.patient.model import Patient
from ris.report import versions
from ris.report.model import Report, ReportProcedure, ReportVersion
from ris.staff import service as staff
from ris.web.app import create_app
from tests.clock import Clock
from tests.factories.hospital import PASSWORD, Hospital
from tests.factories.orders import MONDAY, completed, make_patient
from tests.web.people import role_id
from tests.web.visitor import Visitor

pytestmark = pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=(pytest.mark.fault, pytest.mark.timeout(600)))])

HIDDEN = re.compile(r'name="(row_version|displayed)" value="([^"]*)"')
CHOICE = re.compile(r'name="report" value="([^"]+)"')
READING = "IMPRESSION:\nNormal."
DONE, REFUSED = 303, 409


@pytest.fixture
def clock() -> Clock:
    """Stands still: a password that was given goes on to hold."""
    return Clock(MONDAY)


@pytest.fixture
def app(ris: Ris) -> Flask:
    app = create_app(ris)
    app.testing = False
    return app


@dataclass(frozen=True, slots=True)
class Desk:
    """An exam that is read, and who is logged in at three workstations."""

    ris: Ris
    hospital: Hospital
    people: tuple[Visitor, ...]

    def begin(self) -> str:
        """The address of a report that the first one writes."""
        page = f"/exams/{completed(self.ris, self.hospital).id}/report"
        assert self.people[0].post(f"{page}/claim").status_code == DONE
        return page

    def seen(self, page: str, who: int = 0) -> dict[str, str]:
        """What stands in the form before somebody, and is sent back with it."""
        return dict(HIDDEN.findall(self.people[who].get(page).text))

    def sign(self, page: str, seen: dict[str, str], text: str = READING, who: int = 0) -> int:
        return self.people[who].post(f"{page}/sign", text=text, **{"as": "final"}, **seen).status_code

    def versions(self, page: str) -> list[ReportVersion]:
        with self.ris.read() as session:
            return list(session.scalars(sa.select(ReportVersion).where(_of(page)).order_by(ReportVersion.number)))

    def told(self, page: str) -> list[str]:
        """The kinds of versions of which messages go out, in their order."""
        ids = {version.id for version in self.versions(page)}
        published = sa.select(StoredEvent.facts).join(Delivery, Delivery.event_id == StoredEvent.id)
        with self.ris.read() as session:
            facts = session.scalars(published.where(StoredEvent.name == "report.published").order_by(Delivery.id)).all()
        return [fact["kind"] for fact in facts if fact["version_id"] in ids]

    def order(self, page: str) -> Order:
        with self.ris.read() as session:
            return session.scalars(sa.select(Order).join(Report, Report.order_id == Order.id).where(Report.id == _report(page))).one()


def _report(page: str) -> sa.ScalarSelect[int]:
    procedure_id = int(page.split("/")[2])
    return sa.select(ReportProcedure.report_id).where(ReportProcedure.procedure_id == procedure_id).scalar_subquery()


def _of(page: str) -> sa.ColumnElement[bool]:
    return ReportVersion.report_id == _report(page)


@pytest.fixture
def desk(ris: Ris, hospital: Hospital, app: Flask) -> Desk:
    """Two radiologists, the first of them at two workstations."""
    with ris.uow() as uow:
        second = staff.add_user(uow, login="second", family="Second", given="Sam", password="rain upon a tin roof").id
        staff.assign(uow, user_id=second, role_id=role_id(ris, "radiologist"), site_id=hospital.sites["MAIN"])
    people = tuple(Visitor(app, ris) for _ in range(3))
    for visitor, user_id in zip(people, (hospital.users["radiologist"], second, hospital.users["radiologist"]), strict=True):
        visitor.enter(user_id)
    return Desk(ris, hospital, people)


def at_once(*works: Callable[[], int]) -> list[int]:
    """Does all in the same moment, and gives what each was answered."""
    barrier = Barrier(len(works))

    def one(work: Callable[[], int]) -> int:
        barrier.wait(30)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(one, works))


def approve_at_once(desk: Desk, resident: Visitor) -> None:
    page = f"/exams/{completed(desk.ris, desk.hospital).id}/report"
    resident.post(f"{page}/claim")
    seen = dict(HIDDEN.findall(resident.get(page).text))
    assert resident.post(f"{page}/submit", text=READING, **seen).status_code == DONE
    chosen = CHOICE.findall(desk.people[1].get("/my-reports").text)
    answers = at_once(*(lambda one=one: one.post("/my-reports/approve", report=chosen).status_code for one in desk.people[:2]))
    assert sorted(answers) == [200, REFUSED]
    assert [version.kind for version in desk.versions(page)] == ["preliminary", "final"]
    assert desk.told(page) == ["preliminary", "final"]


def test_of_two_who_sign_one_report_one_has_signed_and_one_message_goes_out(desk: Desk, app: Flask, rounds: int) -> None:
    resident = Visitor(app, desk.ris)
    resident.enter(desk.hospital.users["resident"])
    for _ in range(rounds):
        approve_at_once(desk, resident)


def sign_and_save_at_once(desk: Desk) -> None:
    page = desk.begin()
    seen = desk.seen(page)
    changed = {"text": f"{READING}\nNo effusion.", "row_version": seen["row_version"]}
    signed, saved = at_once(lambda: desk.sign(page, seen), lambda: desk.people[2].post(f"{page}/draft", **changed).status_code)
    assert (signed, saved) in ((DONE, REFUSED), (REFUSED, 200))
    found = desk.versions(page)
    assert [(version.text, versions.verify(version)) for version in found] == ([(READING, True)] if signed == DONE else [])
    assert desk.told(page) == ["final"] * len(found)
    if signed == REFUSED:
        assert desk.sign(page, desk.seen(page), changed["text"]) == DONE


def test_what_is_signed_while_its_text_is_changed_is_what_was_displayed(desk: Desk, rounds: int) -> None:
    for _ in range(rounds):
        sign_and_save_at_once(desk)


def addend_and_retract_at_once(desk: Desk) -> None:
    page = desk.begin()
    assert desk.sign(page, desk.seen(page)) == DONE
    seen = [desk.seen(page, who)["displayed"] for who in (0, 1)]

    def addend(who: int) -> int:
        return desk.people[who].post(f"{page}/addendum", text=f"Addendum {who}.", displayed=seen[who]).status_code

    def retract() -> int:
        return desk.people[2].post(f"{page}/retract", reason="wrong patient", password=PASSWORD).status_code

    first, second, retracted = at_once(lambda: addend(0), lambda: addend(1), retract)
    assert {first, second} <= {DONE, REFUSED}
    assert (first, second) != (DONE, DONE), "the second was written over a text that its writer did not see"
    assert retracted == DONE
    found = desk.versions(page)
    kinds = [version.kind.value for version in found]
    assert [version.number for version in found] == list(range(1, len(found) + 1))
    assert kinds == ["final", *["addendum"] * (DONE in (first, second)), "retraction"]
    assert all(after.text.endswith(before.text) and versions.verify(after) for before, after in pairwise(found))
    assert desk.told(page) == kinds


def test_addenda_and_a_retraction_at_once_leave_one_line_of_versions_each_over_the_last(desk: Desk, rounds: int) -> None:
    for _ in range(rounds):
        addend_and_retract_at_once(desk)


def merge_and_sign_at_once(desk: Desk) -> None:
    page = desk.begin()
    seen = desk.seen(page)
    loser = desk.order(page).patient_id
    with desk.ris.read() as session:
        displayed = versions.identifiers(session, session.scalars(sa.select(Report).where(Report.id == _report(page))).one())
    with desk.ris.uow() as uow:
        survivor = make_patient(uow, "Brook", "Ida").id

    def merge() -> int:
        with desk.ris.uow() as uow:
            patients.merge(uow, survivor_id=survivor, loser_id=loser)
        return DONE

    signed, _ = at_once(lambda: desk.sign(page, seen), merge)
    assert signed in (DONE, REFUSED)
    assert [version.identifiers for version in desk.versions(page)] == [displayed] * (signed == DONE)
    if signed == REFUSED:
        assert desk.sign(page, desk.seen(page)) == DONE
    assert desk.order(page).patient_id == survivor
    with desk.ris.read() as session:
        assert merges.rows_of(session, loser) == {}
        assert session.get_one(Patient, loser).merged_into_id == survivor
    assert [versions.verify(version) for version in desk.versions(page)] == [True]
    assert desk.told(page) == ["final"]


def test_a_patient_who_is_merged_while_somebody_signs_is_signed_for_as_displayed_or_not_at_all(desk: Desk, rounds: int) -> None:
    for _ in range(rounds):
        merge_and_sign_at_once(desk)
