"""A site that writes to its patients, and patients who want that."""

from datetime import datetime, time
from typing import Any

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.notice import consent
from ris.notice.model import Notice
from ris.notice.policy import NEW, PolicyData, set_policy
from ris.patient.model import Patient
from ris.scheduling import service as scheduling
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, make_patient

POLICY: dict[str, Any] = {
    "active": True, "sender": "radiology@main.example", "sender_name": "Main hospital, Radiology", "reply_to": "desk@main.example",
    "phone": "217 555 0100", "place": "1 Main Street, door 3", "reminder_hours": (24,), "quiet_from": time(20), "quiet_until": time(8),
}  # fmt: skip


def write_to_patients(ris: Ris, hospital: Hospital, site: str = "MAIN", **other: Any) -> None:
    values = {name: getattr(NEW, name) for name in PolicyData.__slots__} | POLICY | other
    with ris.uow(hospital.actor("administrator")) as uow:
        set_policy(uow, hospital.sites[site], PolicyData(**values))


def patient_with_mail(ris: Ris, hospital: Hospital, address: str = "anna@example.org", given: str = "Anna", **columns: Any) -> int:
    """Who agrees to e-mails."""
    with ris.uow(hospital.actor("front_desk")) as uow:
        patient = make_patient(uow, given=given)
        patient.email = address
        for name, value in columns.items():
            setattr(patient, name, value)
        consent.say(uow, patient.id, given=True)
        return patient.id


def book(ris: Ris, hospital: Hospital, patient_id: int, at: datetime, code: str = "CTCHESTC", room: str = "CT1") -> tuple[int, int]:
    """The exam and its appointment."""
    with ris.uow(hospital.actor("scheduler")) as uow:
        order = make_order(uow, hospital, code, patient=uow.session.get_one(Patient, patient_id))
        uow.session.flush()
        exam_id = order.procedures[0].id
        return exam_id, scheduling.book(uow, procedure_id=exam_id, room_id=hospital.rooms[room], starts_at=at).id


def notices(ris: Ris, **where: Any) -> list[Notice]:
    with ris.read() as session:
        return list(session.scalars(sa.select(Notice).filter_by(**where).order_by(Notice.created_at, Notice.id)))


def said(ris: Ris) -> list[tuple[str, str]]:
    """Kind and state of every message, the oldest first."""
    return [(notice.kind.value, notice.state.value) for notice in notices(ris)]
