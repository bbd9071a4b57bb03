"""A critical result is noted, told and read back before its report is signed; and what becomes of it when the report changes."""

from datetime import timedelta

import pytest

from ris.base.errors import Invalid, NotAllowedNow
from ris.bootstrap import Ris
from ris.critical import queries, service
from ris.critical.queries import CriticalRow
from ris.critical.service import Call
from ris.critical.status import Outcome, Way
from ris.patient import service as patients
from ris.report import publication
from ris.report import service as reports
from ris.settings import Reports, Settings
from ris.task import queries as tasks
from tests.clock import Clock
from tests.factories.critical import critical_class
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, completed, make_patient


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"reports": Reports(publication_delay_seconds=180)})


class Desk:
    """A radiologist with an exam on the desk."""

    def __init__(self, ris: Ris, hospital: Hospital) -> None:
        self.ris, self.actor, self.hospital = ris, hospital.actor("radiologist"), hospital
        self.exam = completed(ris, hospital)
        with ris.uow(self.actor) as uow:
            self.report_id = reports.claim(uow, reports.open_for(uow, self.exam.id).id).id

    def flag(self, code: str = "RED", detail: str = "Tension pneumothorax", **said: str) -> int:
        with self.ris.uow() as uow:
            kind = critical_class(uow, code, **said)
        with self.ris.uow(self.actor) as uow:
            return service.flag(uow, procedure_id=self.exam.id, class_id=kind, detail=detail).id

    def tell(self, result_id: int, outcome: Outcome, **said: str) -> str:
        with self.ris.uow(self.actor) as uow:
            call = {"teller": "Test Radiologist", "receiver": "Dr Grove", **said}
            return service.tell(uow, result_id, Call(at=uow.now, way=Way.telephone, outcome=outcome, **call)).status

    def sign(self, text: str = "Pneumothorax.") -> None:
        with self.ris.uow(self.actor) as uow:
            report = reports.claim(uow, self.report_id)
            uow.session.flush()
            reports.sign_final(uow, report_id=self.report_id, text=text, row_version=report.row_version, password_checked=True)

    def addend(self) -> None:
        with self.ris.uow(self.actor) as uow:
            reports.addend(uow, report_id=self.report_id, text="Seen again.", password_checked=True)

    def row(self, result_id: int) -> CriticalRow:
        with self.ris.read() as session:
            found = queries.one(session, result_id)
        assert found is not None
        return found

    def open_tasks(self) -> list[str]:
        with self.ris.read() as session:
            return [task.kind for task in tasks.open_tasks(session, self.hospital.sites.values())]


@pytest.fixture
def desk(ris: Ris, hospital: Hospital) -> Desk:
    return Desk(ris, hospital)


def test_a_report_is_signed_only_when_everybody_who_must_know_was_told_and_has_read_it_back(desk: Desk, clock: Clock) -> None:
    red = desk.flag()
    later = desk.flag("BLUE", within="3", unit="days", before_signing="no", needs_read_back="no", name="Blue: act within days")
    assert (desk.row(red).minutes_left(clock.now), desk.row(later).minutes_left(clock.now)) == (10, 3 * 24 * 60)
    with pytest.raises(
        NotAllowedNow, match="Red: life in danger: write down who was told, by whom, when, how and whether it was read back"
    ):
        desk.sign()
    assert desk.tell(red, Outcome.not_reached) == "open"
    assert desk.tell(red, Outcome.told) == "told"
    with pytest.raises(NotAllowedNow, match="the read-back is missing"):
        desk.sign()
    assert desk.tell(red, Outcome.read_back) == "closed"
    desk.sign()
    row = desk.row(red)
    assert [call.outcome for call in row.calls] == ["read_back", "told", "not_reached"]
    assert (row.is_signed, row.ended_by, desk.row(later).is_signed) == (True, "Test Radiologist", True)
    with desk.ris.read() as session:
        assert [row.id for row in queries.of_sites(session, [desk.exam.site_id])] == [later]
        assert {row.id for row in queries.of_sites(session, [desk.exam.site_id], since=clock.now)} == {red, later}
    assert desk.tell(later, Outcome.told) == "closed"


def test_what_a_class_asks_for_must_be_there(desk: Desk, clock: Clock) -> None:
    with pytest.raises(Invalid, match="say what was found"):
        desk.flag(detail=" ")
    red = desk.flag("WARD", needs_number="yes")
    with pytest.raises(Invalid, match="write down who was told, the number or place"):
        desk.tell(red, Outcome.read_back, receiver=" ")
    with pytest.raises(Invalid, match="lies ahead"), desk.ris.uow(desk.actor) as uow:
        service.tell(uow, red, Call(clock.now + timedelta(minutes=3), "A", "B", Way.telephone, Outcome.read_back, "4711"))
    with pytest.raises(NotAllowedNow, match="a reason must be given"), desk.ris.uow(desk.actor) as uow:
        service.withdraw(uow, red, " ")
    with desk.ris.uow(desk.actor) as uow:
        service.withdraw(uow, red, "the other side")
    with pytest.raises(NotAllowedNow, match="it is withdrawn"):
        desk.tell(red, Outcome.told, number="4711")
    desk.sign()
    assert desk.open_tasks() == []


def test_an_addendum_carries_results_on_and_a_retraction_ends_them_and_tells_who_was_told(desk: Desk, clock: Clock) -> None:
    red, blue = desk.flag(), desk.flag("BLUE", before_signing="no")
    desk.tell(red, Outcome.read_back)
    desk.sign()
    with desk.ris.uow(desk.actor) as uow:
        publication.take_back(uow, report_id=desk.report_id)
    assert (desk.row(red).is_signed, desk.row(red).status) == (False, "closed")
    desk.sign()
    clock.advance(minutes=3)
    with desk.ris.uow() as uow:
        publication.publish_due(uow)
    late = desk.flag("RED", detail="A second one")
    with pytest.raises(NotAllowedNow, match="somebody must be told first"):
        desk.addend()
    desk.tell(late, Outcome.read_back)
    desk.addend()
    with desk.ris.uow(desk.actor) as uow:
        reports.retract(uow, report_id=desk.report_id, reason="wrong patient", password_checked=True)
    assert {desk.row(each).status for each in (red, blue, late)} == {"withdrawn"}
    assert desk.row(blue).end_reason == "its report was retracted: wrong patient"
    assert desk.open_tasks() == ["critical_taken_back", "critical_taken_back"]


def test_a_result_follows_its_patient_through_a_merge_and_back(desk: Desk) -> None:
    red = desk.flag()
    loser = desk.row(red).patient_id
    with desk.ris.uow() as uow:
        survivor = make_patient(uow, "Brook").id
        merge = patients.merge(uow, survivor_id=survivor, loser_id=loser)
    assert desk.row(red).patient_id == survivor
    with desk.ris.uow() as uow:
        patients.unmerge(uow, merge.id)
    assert desk.row(red).patient_id == loser
