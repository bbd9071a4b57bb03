"""`make pictures`: the pages of the demo hospital on a standing clock, as README and role pages show them."""

import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from ris.base.uow import Actor
from ris.bootstrap import Ris
from ris.exam import service as exams
from ris.hl7.intake import Intake
from ris.order.model import Order
from ris.outbox.model import Delivery, DeliveryState
from ris.processes.database import upgrade
from ris.processes.demo import catalog, seed
from ris.report import service as reports
from ris.scheduling import offering as schedule
from ris.scheduling import service as scheduling
from ris.settings import Data, PartnerSeed, Reports, Settings
from ris.simulator.mllp import Receiver
from ris.staff.model import User
from tests.browser.desk import log_in, served
from tests.chromium import chromium
from tests.clock import Clock
from tests.messages.samples import obr, orc, orm, pid, pv1
from tests.outbox.outgoing import sending
from tests.waiting import until

FOLDER = Path(__file__).parents[2] / "docs/start/pictures"
LARGEST = 120_000
"""Bytes of a picture: the repository is cloned by everybody."""
MORNING = datetime(2026, 11, 24, 15, tzinfo=UTC)
"""A Tuesday, 10:00 in New York."""
REPORT = "FINDINGS\nNo haemorrhage, no mass. Ventricles of normal width.\n\nIMPRESSION\nNormal CT of the head."
ORDER = orm(
    pid("MRN7001", "Marlow^Iris", "19610308"),
    pv1("V7001^^^HOSP^VN", "E", "EMERGENCY^3"),
    orc("NW", "P7001^EHR", f7="^^^202611241010^^S", f12="1001^Baker^Ada"),
    obr("P7001^EHR", "CTHEAD^CT head without contrast^L", f16="1001^Baker^Ada", f27="^^^202611241010^^S", f31="^Fall from a ladder"),
)


@dataclass(frozen=True, slots=True)
class House:
    ris: Ris
    clock: Clock
    address: str
    procedure_id: int
    """The exam whose whole day is told."""

    def actor(self, login: str) -> Actor:
        return _actor(self.ris, login)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, house(Path(folder)) as hospital, chromium() as browser:
        _take(browser, hospital)


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """The demo hospital, and one order from its message to its result, acknowledged by the EHR."""
    clock = Clock(MORNING)
    with Receiver() as ehr:
        partner = PartnerSeed(name="EHR", application="EHR", facility="HOSP", site="MAIN", result_port=ehr.port)
        settings = Settings(mode="demo", data=Data(dir=folder), partner=(partner,), reports=Reports(publication_delay_seconds=0))
        upgrade(settings)
        ris = Ris(settings, clock=clock)
        seed.fill(ris)
        with sending(ris), served(ris) as address:
            yield House(ris, clock, address, _live_a_day(ris, clock))
        ris.close()


def _live_a_day(ris: Ris, clock: Clock) -> int:
    """From the order to the acknowledged result; the requested procedure's key."""
    (answer,) = Intake(ris).take([(ORDER, "192.0.2.7:40112")])
    assert b"MSA|AA|" in answer
    with ris.read() as session:
        procedure_id = session.scalars(sa.select(Order).where(Order.placer_number == "P7001")).one().procedures[0].id
        slot = schedule.free_slots(session, procedure_id=procedure_id, after=clock())[0]
    clock.advance(minutes=2)
    with ris.uow(_actor(ris, "scheduler")) as uow:
        step_id = scheduling.book(uow, procedure_id=procedure_id, room_id=slot.room_id, starts_at=slot.starts_at).id
    clock.advance(minutes=4)
    with ris.uow(_actor(ris, "frontdesk")) as uow:
        exams.arrive(uow, step_id=step_id)
    clock.advance(minutes=5)
    with ris.uow(_actor(ris, "tech1")) as uow:
        exams.start(uow, procedure_id=procedure_id)
    until(lambda: _all_delivered(ris))
    clock.advance(minutes=9)
    with ris.uow(_actor(ris, "tech1")) as uow:
        exams.complete(uow, procedure_id=procedure_id, note="Moved a little in the last series.")
    until(lambda: _all_delivered(ris))
    clock.advance(minutes=3)
    with ris.uow(_actor(ris, "rad1")) as uow:
        report = reports.claim(uow, reports.open_for(uow, procedure_id).id)
    clock.advance(minutes=6)
    with ris.uow(_actor(ris, "rad1")) as uow:
        reports.sign_final(uow, report_id=report.id, text=REPORT, row_version=report.row_version, password_checked=True)
    until(lambda: _all_delivered(ris))
    return procedure_id


def _all_delivered(ris: Ris) -> bool:
    with ris.read() as session:
        return session.scalars(sa.select(Delivery.id).where(Delivery.state != DeliveryState.delivered).limit(1)).first() is None


def _actor(ris: Ris, login: str) -> Actor:
    with ris.read() as session:
        user = session.scalars(sa.select(User).where(User.login == login)).one()
        return Actor("user", user.id, user.name, "127.0.0.1")


def _take(browser: Browser, hospital: House) -> None:
    _of_the_desks(browser, hospital)
    _of_the_rooms(browser, hospital)
    _of_the_offices(browser, hospital)


def _of_the_desks(browser: Browser, hospital: House) -> None:
    page = _person(browser, hospital, "scheduler", "/schedule")
    page.set_viewport_size({"width": 1140, "height": 550})
    expect(page.locator(".ec-event").first).to_be_visible()
    _keep(page, "schedule")
    page.set_viewport_size({"width": 1140, "height": 480})
    page.locator("#waiting a.card-name").first.click()
    expect(page.locator("#panel")).to_contain_text("Next free slots")
    _keep(page, "book")
    page = _person(browser, hospital, "frontdesk", "/worklists/arrivals")
    _keep(page, "arrivals")
    page.goto(f"{hospital.address}/patients/new")
    _keep(page, "register")


def _of_the_rooms(browser: Browser, hospital: House) -> None:
    page = _person(browser, hospital, "tech1", "/worklists/technologist")
    _keep(page, "exams")
    page = _person(browser, hospital, "rad2", "/worklists/reading?state=unread")
    _keep(page, "reading")
    page.keyboard.press("r")
    expect(page.get_by_label("Report text")).to_be_visible()
    page.keyboard.press("F3")
    _keep(page, "report")


def _of_the_offices(browser: Browser, hospital: House) -> None:
    page = _person(browser, hospital, "interfaces", f"/exams/{hospital.procedure_id}")
    page.set_viewport_size({"width": 1140, "height": 520})
    page.locator("tbody tr").last.scroll_into_view_if_needed()
    _keep(page, "trail")
    page.goto(f"{hospital.address}/interfaces")
    _keep(page, "interfaces")
    page = _person(browser, hospital, "billing", "/charges")
    _keep(page, "charges")
    page = _person(browser, hospital, "admin", "/rules")
    _keep(page, "rules")


def _person(browser: Browser, hospital: House, login: str, path: str) -> Page:
    passwords = {row["login"]: row["password"] for row in catalog.read("staff")}
    context = browser.new_context(viewport={"width": 1140, "height": 480}, timezone_id="America/New_York", color_scheme="light")
    page = context.new_page()
    page.clock.set_fixed_time(hospital.clock())
    log_in(page, hospital.address, login, password=passwords[login])
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
    page.goto(hospital.address + path)
    page.wait_for_load_state("networkidle")
    return page


def _keep(page: Page, name: str) -> None:
    picture = _squeezed(page.screenshot())
    if len(picture) > LARGEST:
        raise SystemExit(f"{name}.png has {len(picture)} bytes, more than {LARGEST}: show less on it")
    (FOLDER / f"{name}.png").write_bytes(picture)
    print(f"{FOLDER.name}/{name}.png  {len(picture) // 1000} kB")


def _squeezed(png: bytes) -> bytes:
    """The same picture with its pixels packed as tightly as PNG can; Chromium packs them for speed (PNG ch. 5.3, 10)."""
    head, chunks = png[:8], list(_chunks(png))
    pixels = zlib.compress(zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT")), 9)
    kept = [(kind, body) for kind, body in chunks if kind == b"IHDR"] + [(b"IDAT", pixels), (b"IEND", b"")]
    return head + b"".join(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in kept)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


if __name__ == "__main__":
    main()
