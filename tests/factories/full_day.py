"""A day of a large department, written as rows: every room booked from morning to evening, and orders that wait."""

import itertools
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from ris.base.orm import Base
from ris.bootstrap import Ris
from ris.catalog.model import Modality, OpeningHours, Room, RoomProcedure
from ris.order.model import Order, RequestedProcedure
from ris.order.status import OrderStatus, Priority, ProcedureStatus
from ris.patient.keys import search_keys
from ris.patient.model import Patient, PatientIdentifier
from ris.scheduling.model import Occupancy, ScheduledProcedureStep
from ris.scheduling.status import StepStatus
from tests.factories.hospital import PROCEDURES, Hospital

MINUTES = 30
"""Each booking takes so long, and its place is one of a grid of as many minutes."""
FAMILIES = ("Abernathy", "Bellweather", "Castellano", "Dunne", "Eriksson", "Featherstone-Haugh", "Grimaldi", "Hoshino", "Ito", "Jankowski")
GIVEN = ("Ada", "Bo", "Clementine", "Dev", "Eleonora", "Felix", "Gwendolyn", "Hugo")
WISHED = (Priority.routine, Priority.routine, Priority.asap, Priority.routine, Priority.stat)
Rows = dict[type[Base], list[dict[str, Any]]]


def build_rooms(ris: Ris, hospital: Hospital, count: int) -> list[int]:
    """Rooms of MAIN for everything its modality does, open every day from 07:00 to 19:00; their keys."""
    modalities = (Modality.CT, Modality.MR, Modality.XR)
    ids = []
    with ris.uow() as uow:
        for number in range(count):
            modality = modalities[number % len(modalities)]
            code = f"{modality}{number + 11}"
            name = f"{modality} {number + 11}"
            room = uow.add(Room(site_id=hospital.sites["MAIN"], code=code, name=name, modality=modality))
            uow.session.flush()
            ids.append(room.id)
            for weekday in range(7):
                uow.add(OpeningHours(room_id=room.id, weekday=weekday, opens=time(7), closes=time(19)))
            for procedure, _, of, minutes in PROCEDURES:
                if of is modality:
                    uow.add(RoomProcedure(room_id=room.id, procedure_id=hospital.procedures[procedure], minutes=minutes))
    return ids


def fill_day(ris: Ris, hospital: Hospital, rooms: list[int], opens_at: datetime, *, bookings: int, waiting: int) -> None:
    """Bookings spread evenly over rooms and hours from the moment that the rooms open; then exams that wait."""
    rows: Rows = {}
    with ris.read() as session:
        of_rooms = dict(session.execute(sa.select(Room.id, Room.modality)).all())
    places = itertools.islice(((slot, room) for slot in range(24) for room in rooms), bookings)
    for number, (slot, room) in enumerate(places, 1):
        _add_booking(rows, hospital, number, room, of_rooms[room], opens_at + timedelta(minutes=MINUTES * slot))
    for number in range(bookings + 1, bookings + waiting + 1):
        _add_exam(rows, hospital, number, PROCEDURES[number % 5][0], ProcedureStatus.ordered, opens_at)
    with ris.uow() as uow:
        for model, its_rows in rows.items():
            uow.session.execute(sa.insert(model), its_rows)


def _add_exam(rows: Rows, hospital: Hospital, number: int, code: str, status: ProcedureStatus, at: datetime) -> None:
    """Patient, order and exam all have the same key."""
    family, given = FAMILIES[number % len(FAMILIES)], GIVEN[number % len(GIVEN)]
    site_id = hospital.sites["MAIN"]
    _add(rows, Patient, id=number, family=family, given=given, birth_date=date(1940 + number % 60, 1 + number % 12, 3),
         **search_keys(family, given, ""))  # fmt: skip
    _add(rows, PatientIdentifier, patient_id=number, key=f"MR|{number}", value=f"M{number:05}", authority="HOSP", type="MR")
    _add(rows, Order, id=number, patient_id=number, site_id=site_id, filler_number=f"F{number}", status=OrderStatus.scheduled,
         priority=WISHED[number % len(WISHED)], placed_at=at)  # fmt: skip
    _add(rows, RequestedProcedure, id=number, order_id=number, sequence=1, site_id=site_id, accession_number=f"A{number:06}",
         study_instance_uid=f"2.25.{number}", procedure_id=hospital.procedures[code], status=status)  # fmt: skip


def _add_booking(rows: Rows, hospital: Hospital, number: int, room: int, modality: Modality, starts_at: datetime) -> None:
    code = next(code for code, _, of, _ in PROCEDURES if of is modality)
    _add_exam(rows, hospital, number, code, ProcedureStatus.scheduled, starts_at)
    span = {"starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=MINUTES)}
    _add(rows, ScheduledProcedureStep, id=number, procedure_id=number, site_id=hospital.sites["MAIN"], room_id=room, **span,
         status=StepStatus.booked, booked_by="Clerk", booked_at=starts_at)  # fmt: skip
    for place, (resource, patient_id) in enumerate(((f"room:{room}", None), (f"patient:{number}", number))):
        _add(rows, Occupancy, id=2 * number + place, resource=resource, lane=0, **span, step_id=number, hold_id=None, patient_id=patient_id)


def _add(rows: Rows, model: type[Base], **columns: Any) -> None:
    rows.setdefault(model, []).append(columns)
