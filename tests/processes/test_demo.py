"""The demo hospital: quick, the same for the same seed, made by the services, alive on every page."""

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from ris.audit import seal
from ris.audit.model import AuditEntry
from ris.billing.model import Charge, ChargeStatus
from ris.bootstrap import Ris
from ris.catalog.model import Modality, Procedure, Room, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.status import ProcedureStatus
from ris.partner.model import Destination, Subscription
from ris.processes import database
from ris.processes.demo import catalog, seed
from ris.protocol.model import ExamProtocol
from ris.protocol.status import ProtocolStatus
from ris.report.model import Report, ReportVersion
from ris.scheduling.model import ScheduledProcedureStep
from ris.settings import Data, Database, PartnerSeed, Settings
from ris.staff import service as staff
from ris.staff.model import RoleAssignment, User
from tests.postgres import PostgresServer

NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)
"""A Tuesday; noon in New York, ten in Denver."""


PARTNER = PartnerSeed(name="EHR", application="EHR", facility="HOSP", site="MAIN", result_port=2576)


def filled(folder: Path, template: Path, url: str = "") -> Ris:
    if not url:
        shutil.copyfile(template, folder / "ris.db")
    ris = Ris(Settings(data=Data(dir=folder), database=Database(url=url), partner=(PARTNER,)), clock=lambda: NOON)
    seed.fill(ris)
    return ris


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, postgres: PostgresServer
) -> Iterator[Ris]:
    """Filled once for all tests of an engine: they only look."""
    url = ""
    if request.param == "postgresql":
        url = postgres.create_database("ris_demo")
        database.upgrade(Settings(database=Database(url=url)))
    begun = time.process_time()
    ris = filled(tmp_path_factory.mktemp("demo"), sqlite_template, url)
    assert time.process_time() - begun < 60
    yield ris
    ris.close()
    postgres.drop_database("ris_demo")


def count(ris: Ris, *where: sa.ColumnElement[bool], of: type) -> int:
    with ris.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(of).where(*where))


def test_the_demo_hospital_is_alive_on_every_page(demo: Ris) -> None:
    with demo.read() as session:
        assert len(set(session.scalars(sa.select(Site.zone)))) == 2
        assert set(session.scalars(sa.select(Room.modality))) == set(Modality)
        assert session.scalar(sa.select(sa.func.count(Room.id))) == 11
        codes = set(session.scalars(sa.select(Procedure.code)))
        states = dict(session.execute(sa.select(RequestedProcedure.status, sa.func.count()).group_by(RequestedProcedure.status)).all())
        roles = session.scalars(sa.select(RoleAssignment.role_id).distinct()).all()
        charges = set(session.scalars(sa.select(Charge.status)))
        reports = session.scalar(sa.select(sa.func.count(Report.id)))
        published = session.scalar(sa.select(sa.func.count(ReportVersion.published_at)))
        events = session.execute(sa.select(Subscription.event, Destination.port).join(Destination)).all()
    assert {"CTHEAD", "CTCHESTC", "MRBRAIN", "USABD", "XRCHEST2", "MGSCREEN", "NMBONE"} <= codes
    assert len(codes) >= 60
    assert states[ProcedureStatus.completed] > 200
    assert {ProcedureStatus.ordered, ProcedureStatus.scheduled, ProcedureStatus.cancelled, ProcedureStatus.discontinued} <= set(states)
    assert states[ProcedureStatus.completed] - reports > 10, "some exams wait to be read"
    assert published > 100
    assert charges == set(ChargeStatus) - {ChargeStatus.voided}, "no report of the past was retracted"
    assert len(roles) == 10
    assert ("report.published", 2576) in {tuple(e) for e in events}


def test_nothing_has_happened_later_than_now(demo: Ris) -> None:
    assert count(demo, AuditEntry.at > NOON, of=AuditEntry) == 0
    assert count(demo, ReportVersion.signed_at > NOON, of=ReportVersion) == 0


def test_today_and_tomorrow_have_appointments(demo: Ris) -> None:
    for days in (0, 1):
        day = NOON.replace(hour=0) + timedelta(days=days)
        booked = count(
            demo,
            ScheduledProcedureStep.starts_at >= day,
            ScheduledProcedureStep.starts_at < day + timedelta(days=1),
            of=ScheduledProcedureStep,
        )
        assert booked >= 20


def test_the_trail_of_the_past_is_sealed_and_fits(demo: Ris) -> None:
    with demo.read() as session:
        assert seal.verify(session, now=NOON) == []


def test_every_printed_password_is_right(demo: Ris) -> None:
    uow = demo.uow()
    with uow.session:
        for row in catalog.read("staff"):
            user = uow.session.scalars(sa.select(User).where(User.login == row["login"])).one()
            assert user.is_demo
            assert staff.check_password(uow, user.id, row["password"])
            assert row["password"] in seed.passwords_text()


def _story(ris: Ris) -> list[tuple[object, ...]]:
    with ris.read() as session:
        return [
            tuple(row)
            for row in session.execute(
                sa.select(RequestedProcedure.accession_number, Procedure.code, RequestedProcedure.status, Order.orderer_name)
                .join(Order)
                .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
                .order_by(RequestedProcedure.accession_number)
            )
        ]


@pytest.fixture(scope="module")
def twin_story(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> list[tuple[object, ...]]:
    """What another hospital of the same seed and clock tells; on either engine it is the same."""
    twin = filled(tmp_path_factory.mktemp("twin"), sqlite_template)
    story = _story(twin)
    twin.close()
    return story


def test_the_same_seed_and_clock_tell_the_same_story(demo: Ris, twin_story: list[tuple[object, ...]]) -> None:
    assert _story(demo) == twin_story
    assert len(twin_story) > 300


def test_a_database_that_somebody_uses_is_not_empty(ris: Ris) -> None:
    assert seed.is_empty(ris)
    with ris.uow() as uow:
        uow.add(Site(code="X", name="X", zone="UTC"))
    assert not seed.is_empty(ris)


def test_what_is_planned_has_a_protocol_in_every_state_of_the_work(demo: Ris) -> None:
    with demo.read() as session:
        states = set(session.scalars(sa.select(ExamProtocol.status).distinct()))
    assert {ProtocolStatus.approved, ProtocolStatus.proposed} <= states
