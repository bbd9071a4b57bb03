"""A small hospital, written as rows: what the catalogue, the staff and the partners of a test are."""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, time

from ris.base.uow import Actor, UnitOfWork
from ris.bootstrap import Ris
from ris.catalog.model import CodeMap, Modality, OpeningHours, Procedure, Room, RoomProcedure, Site
from ris.partner.model import Destination, Partner, Subscription
from ris.staff import service as staff
from ris.staff.model import RoleAssignment, User
from ris.staff.permission import ROLES

SUBSCRIPTIONS = (
    "order.placed",
    "order.changed",
    "order.cancelled",
    "exam.started",
    "exam.completed",
    "exam.discontinued",
    "report.published",
)


@dataclass(frozen=True, slots=True)
class Hospital:
    """Keys by code: sites MAIN (New York) and WEST (Los Angeles), rooms CT1, MR1, XR1 at MAIN and US1 at WEST."""

    sites: dict[str, int]
    rooms: dict[str, int]
    procedures: dict[str, int]
    users: dict[str, int]
    """By role code of `ris.staff.permission`; the login is the role."""
    partner_id: int
    destination_id: int

    def actor(self, role: str) -> Actor:
        return Actor("user", self.users[role], f"Test {role.capitalize()}", "127.0.0.1")


PROCEDURES = (
    ("CTHEAD", "CT head without contrast", Modality.CT, 20),
    ("CTCHESTC", "CT chest with contrast", Modality.CT, 30),
    ("MRBRAIN", "MR brain", Modality.MR, 45),
    ("XRCHEST2", "X-ray chest, two views", Modality.XR, 10),
    ("XRHAND", "X-ray hand", Modality.XR, 10),
    ("USABD", "Ultrasound abdomen", Modality.US, 30),
)
ROOMS = (("CT1", "MAIN", Modality.CT), ("MR1", "MAIN", Modality.MR), ("XR1", "MAIN", Modality.XR), ("US1", "WEST", Modality.US))
PASSWORD = "a quiet corridor at noon"
"""Of every user of the test hospital."""
CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def build_hospital(ris: Ris) -> Hospital:
    with ris.uow() as uow:
        sites = _sites(uow)
        procedures = _procedures(uow)
        rooms = _rooms(uow, sites, procedures)
        users = _users(uow, sites)
        partner = _partner(uow, sites["MAIN"])
        destination = _destination(uow, partner.id)
        return Hospital(sites, rooms, procedures, users, partner.id, destination.id)


def _sites(uow: UnitOfWork) -> dict[str, int]:
    rows = [
        uow.add(Site(code="MAIN", name="Main hospital", zone="America/New_York", currency="USD")),
        uow.add(Site(code="WEST", name="West clinic", zone="America/Los_Angeles", currency="USD")),
    ]
    uow.session.flush()
    return {row.code: row.id for row in rows}


def _procedures(uow: UnitOfWork) -> dict[str, int]:
    rows = [
        uow.add(
            Procedure(
                code=code, name=name, modality=modality, minutes=minutes, preparation="None.",
                template="FINDINGS:\n[findings]\n\nIMPRESSION:\n[impression]",
                technical_code=f"{code}-T", technical_amount=12_000, professional_code=f"{code}-P", professional_amount=4_500,
            )
        )
        for code, name, modality, minutes in PROCEDURES
    ]  # fmt: skip
    uow.session.flush()
    return {row.code: row.id for row in rows}


def _rooms(uow: UnitOfWork, sites: dict[str, int], procedures: dict[str, int]) -> dict[str, int]:
    """Open every day from 07:00 to 19:00 by the wall clock of the site."""
    rooms = {}
    for code, site, modality in ROOMS:
        room = uow.add(Room(site_id=sites[site], code=code, name=f"Room {code}", modality=modality, station_ae_title=f"{code}_AE"))
        uow.session.flush()
        rooms[code] = room.id
        for weekday in range(7):
            uow.add(OpeningHours(room_id=room.id, weekday=weekday, opens=time(7), closes=time(19)))
        for procedure_code, _, of, minutes in PROCEDURES:
            if of is modality:
                uow.add(RoomProcedure(room_id=room.id, procedure_id=procedures[procedure_code], minutes=minutes))
    uow.session.flush()
    return rooms


def _users(uow: UnitOfWork, sites: dict[str, int]) -> dict[str, int]:
    """One password for all, hashed once: hashing is slow on purpose."""
    roles = staff.seed_roles(uow)
    password_hash = _password_hash()
    users = {}
    for code in ROLES:
        user = uow.add(User(login=code, family=code.capitalize(), given="Test", password_hash=password_hash, created_at=CREATED))
        uow.session.flush()
        users[code] = user.id
        for site_id in sites.values():
            uow.add(RoleAssignment(user_id=user.id, role_id=roles[code], site_id=site_id))
    uow.session.flush()
    return users


@functools.cache
def _password_hash() -> str:
    return staff.hash_password(PASSWORD)


def _partner(uow: UnitOfWork, site_id: int) -> Partner:
    partner = uow.add(
        Partner(name="EHR", application="EHR", facility="HOSP", zone="America/New_York", authority="HOSP", site_id=site_id, policies={})
    )
    uow.session.flush()
    for code, *_ in PROCEDURES:
        uow.add(CodeMap(partner_id=partner.id, kind="procedure", their_code=code, our_code=code))
    return partner


def _destination(uow: UnitOfWork, partner_id: int) -> Destination:
    """Its port is one that nobody listens on; a test that wants to receive sets its own."""
    destination = uow.add(Destination(partner_id=partner_id, name="EHR results", host="127.0.0.1", port=1))
    uow.session.flush()
    for event in SUBSCRIPTIONS:
        message = "oru_r01" if event == "report.published" else "orm_o01"
        uow.add(Subscription(destination_id=destination.id, event=event, message=message))
    return destination
