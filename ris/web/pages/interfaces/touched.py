"""What a message touched, as a person names it, with the page that shows it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import url_for
from sqlalchemy.orm import Session

from ris.base.ref import Ref
from ris.order.model import Order, RequestedProcedure
from ris.patient.search import names


@dataclass(frozen=True, slots=True)
class Thing:
    label: str
    address: str
    """Empty where there is no page."""


def things(session: Session, refs: Collection[Ref]) -> list[Thing]:
    """In the order of their kinds."""
    patients = names(session, _ids(refs, "patient"))
    exams = _numbers(session, RequestedProcedure.id, RequestedProcedure.accession_number, _ids(refs, "procedure"))
    orders = _numbers(session, Order.id, Order.filler_number, _ids(refs, "order"))
    return [_thing(ref, patients, exams, orders) for ref in refs]


def _thing(ref: Ref, patients: Mapping[int, str], exams: Mapping[int, str], orders: Mapping[int, str]) -> Thing:
    match ref.kind:
        case "patient" if ref.id in patients:
            return Thing(patients[ref.id], url_for("patient.show", patient_id=ref.id))
        case "procedure" if ref.id in exams:
            return Thing(f"exam {exams[ref.id]}", url_for("exam.show", procedure_id=ref.id))
        case "order" if ref.id in orders:
            return Thing(f"order {orders[ref.id]}", "")
    return Thing(f"{ref.kind.replace('_', ' ')} no. {ref.id}", "")


def _ids(refs: Collection[Ref], kind: str) -> list[int]:
    return [ref.id for ref in refs if ref.kind == kind]


def _numbers(session: Session, key: Any, number: Any, ids: Collection[int]) -> dict[int, str]:
    return {row_id: text for row_id, text in session.execute(sa.select(key, number).where(key.in_(ids)))}  # noqa: C416 (rows have types)
