"""Two people, or a person and the publisher, at one report in the same moment: one is first, the other is told."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
import sqlalchemy as sa

from ris.base.errors import NotAllowedNow, RisError, Stale
from ris.base.uow import Actor, retrying
from ris.bootstrap import Ris
from ris.outbox.model import StoredEvent
from ris.report import publication, review, service
from ris.report.model import ReportVersion
from ris.settings import Reports, Settings
from ris.staff import service as staff
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import MONDAY, completed

ROUNDS = 12


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"reports": Reports(publication_delay_seconds=180)})


def at_once(*works: Callable[[], object]) -> list[str]:
    """Does all in the same moment; for each the name of its refusal, or `done`."""
    barrier = Barrier(len(works))

    def one(work: Callable[[], object]) -> str:
        barrier.wait(10)
        try:
            retrying(work)
        except RisError as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(one, works))


def versions(ris: Ris) -> list[ReportVersion]:
    with ris.read() as session:
        return list(session.scalars(sa.select(ReportVersion).order_by(ReportVersion.number)))


def test_of_two_who_approve_one_reading_one_has_signed_it(ris: Ris, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    with ris.uow() as uow:
        second = staff.add_user(uow, login="second", family="Second", given="Sam", password="rain upon a tin roof").id
        staff.assign(uow, user_id=second, role_id=staff.seed_roles(uow)["radiologist"], site_id=hospital.sites["MAIN"])
    resident, first = hospital.actor("resident"), hospital.actor("radiologist")
    other = replace(first, id=second, name="Sam Second")

    def approve(actor: Actor) -> None:
        with ris.uow(actor) as uow:
            report = service.claim(uow, service.open_for(uow, exam.id).id)
            uow.session.flush()
            service.sign_final(uow, report_id=report.id, text="Normal.", row_version=report.row_version, password_checked=True)

    for number in range(ROUNDS):
        with ris.uow(resident) as uow:
            report = service.claim(uow, service.open_for(uow, exam.id).id)
            uow.session.flush()
            review.submit(uow, report_id=report.id, text="Normal.", row_version=report.row_version)
        outcomes = at_once(lambda: approve(first), lambda: approve(other))
        assert max(outcomes) == "done"
        assert min(outcomes) in (NotAllowedNow.__name__, Stale.__name__)
        assert [v.kind for v in versions(ris)].count("final") == number + 1
        with ris.uow(first if outcomes[0] == "done" else other) as uow:
            publication.take_back(uow, report_id=report.id)
        with ris.uow(resident) as uow:
            review.recall(uow, report_id=report.id)


def test_what_is_taken_back_while_it_is_published_is_one_of_both(ris: Ris, hospital: Hospital, clock: Clock) -> None:
    exam = completed(ris, hospital)
    radiologist = hospital.actor("radiologist")
    with ris.uow(radiologist) as uow:
        report = service.claim(uow, service.open_for(uow, exam.id).id)
        uow.session.flush()
        service.sign_final(uow, report_id=report.id, text="Normal.", row_version=report.row_version, password_checked=True)
    clock.advance(minutes=3)
    with ris.uow() as uow:
        assert publication.publish_due(uow) == 1

    def take_back() -> None:
        with ris.uow(radiologist) as uow:
            publication.take_back(uow, report_id=report.id)

    def publish() -> None:
        with ris.uow() as uow:
            publication.publish_due(uow)

    for number in range(ROUNDS):
        with ris.uow(radiologist) as uow:
            addendum = service.addend(uow, report_id=report.id, text=f"Number {number}.", password_checked=True).id
        clock.advance(minutes=3)
        taken_back, _ = at_once(take_back, publish)
        publish()
        with ris.read() as session:
            was_published = session.get_one(ReportVersion, addendum).published_at is not None
            told = session.scalars(sa.select(StoredEvent).where(StoredEvent.name == "report.published")).all()
        assert taken_back == ("NotAllowedNow" if was_published else "done")
        assert any(event.facts["version_id"] == addendum for event in told) == was_published
