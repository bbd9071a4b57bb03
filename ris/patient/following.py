"""What follows a patient into another record when two are merged, and comes back when that is undone."""

from collections.abc import Mapping
from typing import Any, get_args

import sqlalchemy as sa

from ris.base.uow import UnitOfWork
from ris.patient import heard, naming
from ris.patient.model import (
    Allergy,
    Authorization,
    Coverage,
    Merge,
    Observation,
    OutsideReport,
    Patient,
    PatientAlert,
    PatientContact,
    ScreeningAnswer,
    Visit,
)
from ris.patient.naming import PatientName

_Following = (
    Visit | Allergy | Authorization | Coverage | Observation | OutsideReport | PatientAlert | PatientContact | PatientName | ScreeningAnswer
)
_FOLLOWING: tuple[type[_Following], ...] = get_args(_Following)
"""What a merge moves as it is, identifiers apart."""


def rows_of(uow: UnitOfWork, patient_id: int) -> dict[str, list[int]]:
    """The keys of a patient's rows by table."""
    return {
        model.__tablename__: list(uow.session.scalars(sa.select(model.id).where(model.patient_id == patient_id).order_by(model.id)))
        for model in _FOLLOWING
    }


def give(uow: UnitOfWork, moved: Mapping[str, Any], patient_id: int) -> None:
    for model in _FOLLOWING:
        ids = moved.get(model.__tablename__, [])
        rows: sa.ScalarResult[_Following] = uow.session.scalars(sa.select(model).where(model.id.in_(ids)))
        for row in rows:
            row.patient_id = patient_id


def join_words(uow: UnitOfWork, survivor: Patient, loser: Patient, moved: dict[str, Any]) -> None:
    """The loser's name becomes one of the survivor's other names, and of what a sender said of both in one field the survivor's holds."""
    moved["own_name"] = naming.keep_merged(uow, survivor, loser)
    moved["ended_alert"] = heard.join(uow, survivor, loser, moved[PatientAlert.__tablename__])


def part_words(uow: UnitOfWork, survivor: Patient, loser: Patient, record: Merge) -> None:
    naming.forget(uow, record.moved.get("own_name", []))
    heard.part(uow, survivor, loser, record.moved, record.at)
