"""Reads config/catalog and writes it as rows: sites, rooms with their hours, procedures, staff, code maps."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time

from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Actor, Event, UnitOfWork
from ris.catalog.model import CodeMap, Modality, OpeningHours, Procedure, Room, RoomProcedure, Site
from ris.processes.database import ROOT
from ris.processes.partners import seed_partners
from ris.settings import PartnerSeed
from ris.staff import service as staff

FOLDER = ROOT / "config/catalog"


@dataclass(frozen=True, slots=True)
class Hospital:
    """What the past of the demo is made of."""

    sites: dict[str, Site]
    rooms: list[Room]
    procedures: dict[str, Procedure]
    minutes: dict[tuple[int, int], int]
    """Room and procedure to what it takes there."""
    people: dict[str, list[Actor]]
    """By role."""
    partner_id: int | None


def read(name: str) -> Iterator[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def write(uow: UnitOfWork, partners: tuple[PartnerSeed, ...]) -> Hospital:
    """The whole hospital without a patient; `partners` are those of the settings."""
    sites = {row["code"]: uow.add(Site(id=new_id(), **row)) for row in read("sites")}
    uow.session.flush()
    procedures = _procedures(uow)
    rooms, minutes = _rooms(uow, sites, procedures)
    people = _staff(uow, sites)
    first = next(iter(seed_partners(uow, partners)), None)
    if first:
        _code_maps(uow, first.id, procedures)
    uow.emit(Event("catalog.seeded", Ref("system", 0)))
    uow.flush()
    return Hospital(sites, rooms, procedures, minutes, people, first.id if first else None)


def _procedures(uow: UnitOfWork) -> dict[str, Procedure]:
    preparations = {row["name"]: row["text"] for row in read("preparations")}
    templates = {path.stem: path.read_text(encoding="utf-8").strip() for path in (FOLDER / "templates").glob("*.txt")}
    procedures = {row["code"]: uow.add(_procedure(row, preparations, templates)) for row in read("procedures")}
    uow.session.flush()
    return procedures


def _procedure(row: dict[str, str], preparations: dict[str, str], templates: dict[str, str]) -> Procedure:
    return Procedure(
        id=new_id(), code=row["code"], name=row["name"], modality=Modality(row["modality"]), region=row["region"],
        minutes=int(row["minutes"]), contrast=row["contrast"] == "yes", preparation=preparations[row["preparation"]],
        template=templates[row["template"]], technical_code=f"T-{row['code']}", technical_amount=_amount(row["technical_amount"]),
        professional_code=f"P-{row['code']}", professional_amount=_amount(row["professional_amount"]),
    )  # fmt: skip


def _amount(text: str) -> int | None:
    return int(text) if text else None


def _rooms(uow: UnitOfWork, sites: dict[str, Site], procedures: dict[str, Procedure]) -> tuple[list[Room], dict[tuple[int, int], int]]:
    rooms, minutes = [], {}
    for row in read("rooms"):
        room = uow.add(
            Room(
                id=new_id(), site_id=sites[row["site"]].id, code=row["code"], name=row["name"], modality=Modality(row["modality"]),
                station_ae_title=row["ae_title"],
            )
        )  # fmt: skip
        uow.session.flush()
        rooms.append(room)
        for weekday in range(int(row["days"])):
            opens, closes = time.fromisoformat(row["opens"]), time.fromisoformat(row["closes"])
            uow.add(OpeningHours(room_id=room.id, weekday=weekday, opens=opens, closes=closes))
        for procedure in procedures.values():
            if procedure.modality is room.modality:
                taken = _on_grid(procedure.minutes * int(row["percent_of_time"]) / 100)
                minutes[room.id, procedure.id] = taken
                uow.add(RoomProcedure(room_id=room.id, procedure_id=procedure.id, minutes=taken))
    uow.session.flush()
    return rooms, minutes


def _on_grid(minutes: float) -> int:
    return max(5, 5 * round(minutes / 5))


def _staff(uow: UnitOfWork, sites: dict[str, Site]) -> dict[str, list[Actor]]:
    roles = staff.seed_roles(uow)
    people: dict[str, list[Actor]] = {}
    for row in read("staff"):
        user = staff.add_user(
            uow, login=row["login"], family=row["family"], given=row["given"], password=row["password"],
            practitioner_number=row["practitioner_number"], is_demo=True,
        )  # fmt: skip
        uow.session.flush()
        for site in sites.values():
            staff.assign(uow, user_id=user.id, role_id=roles[row["role"]], site_id=site.id)
        people.setdefault(row["role"], []).append(Actor("user", user.id, user.name, "demo"))
    return people


def _code_maps(uow: UnitOfWork, partner_id: int, procedures: dict[str, Procedure]) -> None:
    """Our own codes mean themselves; config/catalog/codes.csv has what the partner calls otherwise."""
    pairs = {code: code for code in procedures} | {row["their_code"]: row["our_code"] for row in read("codes")}
    for theirs, ours in pairs.items():
        uow.add(CodeMap(id=new_id(), partner_id=partner_id, kind="procedure", their_code=theirs, our_code=ours))
