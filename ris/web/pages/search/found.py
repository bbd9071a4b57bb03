"""What a search finds: exams by their numbers, patients by theirs or by name."""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from flask import url_for
from sqlalchemy.orm import Session

from ris.order import queries as orders
from ris.order.model import Order, RequestedProcedure
from ris.patient.search import search


@dataclass(frozen=True, slots=True)
class Hit:
    kind: str
    text: str
    note: str
    address: str


def hits(session: Session, text: str, site_ids: Collection[int]) -> list[Hit]:
    """Exams of the given sites by accession, placer or filler number, then patients that are visible there."""
    return [*_exams(session, text.strip(), site_ids), *_patients(session, text, site_ids)]


def _exams(session: Session, number: str, site_ids: Collection[int]) -> list[Hit]:
    if len(number) < 2:
        return []
    ids = session.scalars(
        sa.select(RequestedProcedure.id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .where(
            RequestedProcedure.site_id.in_(site_ids),
            sa.or_(
                RequestedProcedure.accession_number == number.upper(), Order.placer_number == number, Order.filler_number == number
            ),
        )
        .order_by(RequestedProcedure.id.desc())
        .limit(10)
    )  # fmt: skip
    found = [exam for exam in (orders.exam(session, procedure_id) for procedure_id in ids) if exam]
    return [
        Hit(
            "Exam",
            f"{exam.accession_number}  {exam.procedure_name}",
            f"{exam.patient_name} · {exam.mrn or 'no number'} · {exam.status.replace('_', ' ')}",
            url_for("exam.show", procedure_id=exam.procedure_id),
        )
        for exam in found
    ]


def _patients(session: Session, text: str, site_ids: Collection[int]) -> list[Hit]:
    return [
        Hit(
            "Patient",
            row.patient_name,
            " · ".join(filter(None, (row.matched, str(row.birth_date or "birth date unknown"), row.sex, row.mrn or "no number"))),
            url_for("patient.show", patient_id=row.patient_id),
        )
        for row in search(session, text, orders.visible_at(site_ids))
    ]
