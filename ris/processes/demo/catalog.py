"""Reads config/catalog and writes it as rows: sites, rooms with their hours, procedures, materials, staff, code maps."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import sqlalchemy as sa

from ris.base.clock import from_wall_clock, local
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Actor, Event, UnitOfWork
from ris.catalog.model import (
    Closure,
    CodeMap,
    HolidayChoice,
    Material,
    MaterialKind,
    Modality,
    OpeningHours,
    OrderSet,
    Procedure,
    ProcedureNeed,
    Reason,
    ReasonKind,
    ReservedBlock,
    ReservedFor,
    Resource,
    ResourceHours,
    ResourceKind,
    Room,
    RoomProcedure,
    Site,
    SiteHoliday,
    StepPlan,
)
from ris.processes.database import ROOT
from ris.processes.partners import seed_partners
from ris.protocol.model import ProtocolCode
from ris.questionnaire import service as questionnaires
from ris.report.writing.macros import SHARED
from ris.report.writing.model import FindingCode, Macro, ProcedureScheme
from ris.scheduling.model import BookingPolicy
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
    sites = {row["code"]: uow.add(_site(row)) for row in read("sites")}
    uow.session.flush()
    _holidays(uow, sites)
    procedures = _procedures(uow)
    _materials(uow)
    rooms, minutes = _rooms(uow, sites, procedures)
    by_code = {room.code: room for room in rooms}
    _plans(uow, by_code, procedures)
    _resources(uow, sites)
    _protocols(uow)
    _offered(uow)
    people = _staff(uow, sites)
    first = next(iter(seed_partners(uow, partners)), None)
    if first:
        _code_maps(uow, first.id, procedures)
    uow.emit(Event("catalog.seeded", Ref("system", 0)))
    uow.flush()
    return Hospital(sites, rooms, procedures, minutes, people, first.id if first else None)


def publish_questionnaires(uow: UnitOfWork) -> None:
    """What is planned asks for them from now on."""
    for path in sorted((FOLDER / "questionnaires").glob("*.json")):
        draft = questionnaires.take_in(uow, json.loads(path.read_text(encoding="utf-8")))
        questionnaires.publish(uow, draft.questionnaire_id)


def _site(row: dict[str, str]) -> Site:
    return Site(id=new_id(), **row | {"other_holidays": HolidayChoice(row["other_holidays"])})


def _holidays(uow: UnitOfWork, sites: dict[str, Site]) -> None:
    """Every site makes the same of them."""
    for row in read("holidays"):
        hours = {name: time.fromisoformat(row[name]) if row[name] else None for name in ("opens", "closes")}
        for site in sites.values():
            uow.add(SiteHoliday(site_id=site.id, name=row["holiday"], choice=HolidayChoice(row["choice"]), **hours))


def _closures(uow: UnitOfWork, hospital: Hospital, rooms: dict[str, Room]) -> None:
    """After the days for which anything is booked."""
    resources = {resource.code: resource for resource in uow.session.scalars(sa.select(Resource))}
    for row in read("closures"):
        site = hospital.sites[row["site"]]
        day = local(uow.now, site.zone).date() + timedelta(days=int(row["in_days"]))
        starts_at, ends_at = (
            from_wall_clock(datetime.combine(day, time.fromisoformat(row[name])), site.zone) for name in ("from", "until")
        )
        room, resource = rooms.get(row["room"]), resources.get(row["resource"])
        uow.add(
            Closure(
                site_id=site.id, room_id=room and room.id, resource_id=resource and resource.id, starts_at=starts_at, ends_at=ends_at,
                reason=row["reason"],
            )
        )  # fmt: skip


def begin_to_keep(uow: UnitOfWork, hospital: Hospital) -> None:
    """From now on parts of the week are kept for some patients, some days are closed, and each site books in its own way."""
    rooms = {room.code: room for room in hospital.rooms}
    _closures(uow, hospital, rooms)
    for row in read("reserved"):
        for weekday in range(int(row["days"])):
            uow.add(
                ReservedBlock(
                    room_id=rooms[row["room"]].id, weekday=weekday, begins=time.fromisoformat(row["begins"]),
                    ends=time.fromisoformat(row["ends"]), reserved_for=ReservedFor(row["reserved_for"]),
                    release_minutes=_amount(row["release_minutes"]),
                )
            )  # fmt: skip
    for row in read("policies"):
        counts = {name: int(value) for name, value in row.items() if name not in ("site", "hides_useless_gaps")}
        uow.add(BookingPolicy(site_id=hospital.sites[row["site"]].id, hides_useless_gaps=row["hides_useless_gaps"] == "yes", **counts))


def _procedures(uow: UnitOfWork) -> dict[str, Procedure]:
    preparations = {row["name"]: row["text"] for row in read("preparations")}
    templates = {path.stem: path.read_text(encoding="utf-8").strip() for path in (FOLDER / "templates").glob("*.txt")}
    procedures = {row["code"]: uow.add(_procedure(row, preparations, templates)) for row in read("procedures")}
    uow.session.flush()
    return procedures


def _procedure(row: dict[str, str], preparations: dict[str, str], templates: dict[str, str]) -> Procedure:
    return Procedure(
        id=new_id(), code=row["code"], name=row["name"], modality=Modality(row["modality"]), region=row["region"],
        minutes=int(row["minutes"]), contrast=row["contrast"] == "yes",
        needs_consent=row["consent"] == "yes", needs_protocol=row["protocol"] == "yes",
        preparation=preparations[row["preparation"]],
        template=templates[row["template"]], technical_code=f"T-{row['code']}", technical_amount=_amount(row["technical_amount"]),
        professional_code=f"P-{row['code']}", professional_amount=_amount(row["professional_amount"]),
    )  # fmt: skip


def _materials(uow: UnitOfWork) -> None:
    for row in read("materials"):
        uow.add(
            Material(
                id=new_id(), code=row["code"], name=row["name"], kind=MaterialKind(row["kind"]), unit=row["unit"],
                charge_code=row["charge_code"], charge_amount=_amount(row["charge_amount"]),
            )
        )  # fmt: skip


def _protocols(uow: UnitOfWork) -> None:
    for row in read("protocols"):
        uow.add(ProtocolCode(id=new_id(), **row | {"modality": Modality(row["modality"])}))


def _amount(text: str) -> int | None:
    return int(text) if text else None


def _rooms(uow: UnitOfWork, sites: dict[str, Site], procedures: dict[str, Procedure]) -> tuple[list[Room], dict[tuple[int, int], int]]:
    rooms, minutes = [], {}
    planned = {row["procedure"] for row in read("steps")}
    for row in read("rooms"):
        room = uow.add(_room(row, sites[row["site"]].id))
        uow.session.flush()
        rooms.append(room)
        for weekday, opens, closes in _hours(row):
            uow.add(OpeningHours(room_id=room.id, weekday=weekday, opens=opens, closes=closes))
        for code, procedure in procedures.items():
            if procedure.modality is room.modality and code not in planned and room.station_ae_title:
                taken = _on_grid(procedure.minutes * int(row["percent_of_time"]) / 100)
                minutes[room.id, procedure.id] = taken
                uow.add(RoomProcedure(room_id=room.id, procedure_id=procedure.id, minutes=taken))
    uow.session.flush()
    return rooms, minutes


def _room(row: dict[str, str], site_id: int) -> Room:
    return Room(
        id=new_id(), site_id=site_id, code=row["code"], name=row["name"], modality=Modality(row["modality"]),
        station_ae_title=row["ae_title"], weight_limit_kg=_amount(row["weight_limit_kg"]), gives_contrast=row["contrast"] == "yes",
        has_anaesthesia=row["anaesthesia"] == "yes", keeps_holidays=row["holidays"] == "yes",
    )  # fmt: skip


def _hours(row: dict[str, str]) -> list[tuple[int, time, time]]:
    """Weekday, from and to; empty for who and what is always there."""
    return [(weekday, time.fromisoformat(row["opens"]), time.fromisoformat(row["closes"])) for weekday in range(int(row["days"] or 0))]


def _plans(uow: UnitOfWork, rooms: dict[str, Room], procedures: dict[str, Procedure]) -> None:
    """Procedures of several steps, and what procedures need besides a room."""
    for row in read("steps"):
        procedure_id, step = procedures[row["procedure"]].id, int(row["step"])
        gaps = {name: int(row[name]) for name in ("gap_min_minutes", "gap_max_minutes")}
        uow.add(StepPlan(procedure_id=procedure_id, step=step, name=row["name"], **gaps))
        for code in row["rooms"].split():
            uow.add(RoomProcedure(room_id=rooms[code].id, procedure_id=procedure_id, step=step, minutes=int(row["minutes"])))
    for row in read("needs"):
        uow.add(ProcedureNeed(procedure_id=procedures[row["procedure"]].id, step=int(row["step"]), capability=row["capability"]))


def _resources(uow: UnitOfWork, sites: dict[str, Site]) -> None:
    for row in read("resources"):
        resource = uow.add(
            Resource(
                id=new_id(), site_id=sites[row["site"]].id, code=row["code"], name=row["name"], kind=ResourceKind(row["kind"]),
                sex=row["sex"], capabilities=row["capabilities"].split(),
            )
        )  # fmt: skip
        for weekday, opens, closes in _hours(row):
            uow.add(ResourceHours(resource_id=resource.id, weekday=weekday, opens=opens, closes=closes))


def _offered(uow: UnitOfWork) -> None:
    """Reasons to choose from, and exams that are ordered together."""
    for row in read("reasons"):
        kind, is_short = ReasonKind(row["kind"]), row["needs_text"] == "yes"
        uow.add(Reason(kind=kind, code=row["code"], text=row["text"], position=int(row["position"]), needs_text=is_short))
    for row in read("order_sets"):
        uow.add(OrderSet(code=row["code"], name=row["name"], procedures=row["procedures"].split()))


def help_to_write(uow: UnitOfWork, hospital: Hospital) -> None:
    """Codes and macros for reports: from now on a mammogram is not signed without a category."""
    for position, row in enumerate(read("finding_codes")):
        uow.add(FindingCode(position=position, **row))
    for row in read("coded"):
        procedure_id = hospital.procedures[row["procedure"]].id
        uow.add(ProcedureScheme(procedure_id=procedure_id, scheme=row["scheme"], required=row["required"] == "yes"))
    for row in read("macros"):
        uow.add(Macro(shelf=SHARED, **row))


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
