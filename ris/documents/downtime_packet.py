"""What a site needs on paper while the program is away: rooms, who waits, orders, patients, telephones, and forms to write on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.base.csv_text import csv_text
from ris.catalog.model import Site
from ris.documents import pdf
from ris.documents.day_sheet import PRIORITIES, Printed, RoomSheet, SheetRow, of_site
from ris.order.model import Order, RequestedProcedure
from ris.patient import alerts
from ris.patient.model import Patient, PatientIdentifier
from ris.referrer.queries import telephones
from ris.referrer.service import Named
from ris.scheduling.queries import UnscheduledRow, unscheduled
from ris.scheduling.status import StepStatus

MOST_ORDERS = 2_000


@dataclass(frozen=True, slots=True)
class Table:
    """A list of the packet, on paper and as a file. `notes`: whether paper has room to write beside it."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: bool = False

    def csv(self) -> bytes:
        """UTF-8 with a mark at its head, so that spreadsheets know it; no value begins a formula there."""
        return csv_text((self.columns, *self.rows)).encode("utf-8-sig")


@dataclass(frozen=True, slots=True)
class Blank:
    """A form to be filled in by hand: one line for each of many things, or one box for each field of one thing."""

    title: str
    fields: tuple[str, ...]
    lines: int = 0


@dataclass(frozen=True, slots=True)
class Packet:
    printed: Printed
    sheets: tuple[RoomSheet, ...]
    schedule: Table
    """The sheets once more, as a file only."""
    lists: tuple[Table, ...]


BLANKS = (
    Blank("Who came", ("Time", "Patient", "Birth date", "Number", "Exam", "Room", "Began", "Ended", "Done by"), lines=14),
    Blank(
        "New patient and order",
        ("Family name, given name", "Birth date, sex", "Telephone", "Address", "Number on the wristband or card",
         "Allergies, implants, pregnancy", "Exam", "Reason, question", "Ordered by, telephone", "Wanted by, how urgent",
         "Written by, date and time"),
    ),
    Blank(
        "Exam done",
        ("Patient, birth date, number", "Accession number (leave empty if there is none)", "Exam, as done", "Room, began, ended", "Done by",
         "Contrast and medicines: what, how much, lot", "Dose", "Images: how many, where", "Reaction, what was done otherwise",
         "First reading: by whom, told to whom, when"),
    ),
)  # fmt: skip


def gather(session: Session, site: Site, now: datetime) -> Packet:
    """The site as it is now: today and tomorrow by its wall clock."""
    today = local(now, site.zone).date()
    printed = Printed(site.name, site.zone, now, "the program")
    sheets = tuple(sheet for n in range(2) for sheet in of_site(session, site, today + timedelta(days=n), now))
    planned = [row for sheet in sheets for row in sheet.rows]
    waiting = sorted((row for row in planned if row.status is StepStatus.arrived), key=lambda row: row.starts_at)
    orders = unscheduled(session, [site.id], limit=MOST_ORDERS)
    named = {row.patient_id for row in planned} | {row.patient_id for row in orders}
    lists = (
        _waiting(waiting, printed), _orders(orders, printed), _patients(session, named, now), _referrers(session, planned, orders),
    )  # fmt: skip
    return Packet(printed, sheets, _schedule(planned, printed), lists)


def draw(packet: Packet) -> bytes:
    return pdf.draw("downtime.html", packet.printed.at, packet=packet, printed=packet.printed, forms=BLANKS)


def files(packet: Packet) -> Iterable[tuple[str, bytes]]:
    """Name and content of each file of a site."""
    yield "packet.pdf", draw(packet)
    for table in (packet.schedule, *packet.lists):
        yield f"{table.name}.csv", table.csv()


def _schedule(planned: Iterable[SheetRow], printed: Printed) -> Table:
    columns = ("room", "starts", "ends", "state", "patient", "number", "born", "age", "sex", "telephone", "alerts", "accession", "exam",
               "priority", "protocol", "preparation", "ordered by", "call back")  # fmt: skip
    rows = tuple(
        (
            row.room_name, printed.wall_clock(row.starts_at), printed.wall_clock(row.ends_at), row.status, row.patient, row.mrn,
            _text(row.birth_date), _text(row.age), row.sex, row.phone, "; ".join(row.alerts), row.accession_number, row.exam, row.priority,
            row.protocol, row.preparation, row.orderer_name, row.callback,
        )
        for row in planned
    )  # fmt: skip
    return Table("schedule", "Schedule", columns, rows)


def _waiting(waiting: Iterable[SheetRow], printed: Printed) -> Table:
    rows = tuple(
        (printed.time(row.starts_at), row.patient, _text(row.birth_date), row.mrn, row.exam, row.room_name, row.accession_number)
        for row in waiting
    )
    return Table("waiting", "Who waits here", ("Appointment", "Patient", "Born", "Number", "Exam", "Room", "Accession"), rows, notes=True)


def _orders(orders: Iterable[UnscheduledRow], printed: Printed) -> Table:
    rows = tuple(
        (
            PRIORITIES.get(row.priority, ""), printed.wall_clock(row.placed_at), row.patient_name, _text(row.birth_date),
            row.procedure_name, row.accession_number, printed.wall_clock(row.requested_at) if row.requested_at else "",
        )
        for row in orders
    )  # fmt: skip
    columns = ("Priority", "Ordered", "Patient", "Born", "Exam", "Accession", "Wanted for")
    return Table("orders", "Orders without an appointment", columns, rows, notes=True)


def _patients(session: Session, patient_ids: set[int], now: datetime) -> Table:
    known = alerts.of_patients(session, patient_ids, now)
    numbers: dict[int, list[str]] = {}
    for identifier in session.scalars(
        sa.select(PatientIdentifier).where(PatientIdentifier.patient_id.in_(patient_ids)).order_by(PatientIdentifier.id)
    ):
        numbers.setdefault(identifier.patient_id, []).append(f"{identifier.value} ({identifier.authority})")
    own = sa.select(Patient).where(Patient.id.in_(patient_ids)).order_by(Patient.family_key, Patient.given_key, Patient.id)
    rows = tuple(
        (
            patient.name, _text(patient.birth_date), patient.sex.value, "; ".join(numbers.get(patient.id, [])), patient.phone,
            "; ".join(f"{alert.label}: {alert.text}" if alert.text else alert.label for alert in known.get(patient.id, ())),
        )
        for patient in session.scalars(own)
    )  # fmt: skip
    return Table("patients", "Patients of these lists", ("Patient", "Born", "Sex", "Numbers", "Telephone", "Alerts"), rows)


def _referrers(session: Session, planned: Iterable[SheetRow], orders: Iterable[UnscheduledRow]) -> Table:
    """Whom to ring: by the referrer's own record where it has a number, and by what the order says."""
    accession_numbers = {row.accession_number for row in planned} | {row.accession_number for row in orders}
    said = session.execute(
        sa.select(Order.partner_id, Order.orderer_number, Order.orderer_name, Order.callback)
        .join(RequestedProcedure, RequestedProcedure.order_id == Order.id)
        .where(RequestedProcedure.accession_number.in_(accession_numbers), Order.orderer_name != "")
        .distinct()
    )
    named = [(Named(partner_id, number, name), callback) for partner_id, number, name, callback in said]
    known = telephones(session, [who for who, _ in named])
    found = {(who.name, phone) for who, callback in named for phone in {known.get(who.key, ""), callback} - {""} or {"not known"}}
    return Table("referrers", "Who ordered, and their telephones", ("Name", "Telephone"), tuple(sorted(found)))


def _text(value: object) -> str:
    return "" if value is None else str(value)
