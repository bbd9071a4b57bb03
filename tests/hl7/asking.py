"""Sends messages to the intake without a socket, and reads its answers."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.bootstrap import Ris
from ris.hl7.intake import Intake
from ris.journal.model import Message
from ris.order.model import Order
from ris.partner.model import Partner
from ris.patient.model import Patient, PatientIdentifier
from ris.task.model import Task, TaskState
from tests.factories.hospital import Hospital

PLACE = "192.0.2.1:40000"

Outcome = tuple[str, str, str]
"""MSA-1, table 0357 code and place of ERR; the last two empty for AA."""
AA = ("AA", "", "")


def outcome(answer: bytes) -> Outcome:
    segments = {line.split("|")[0]: line.split("|") for line in answer.decode().split("\r") if line}
    error = segments.get("ERR")
    return (segments["MSA"][1], error[3].split("^")[0], error[2]) if error else (segments["MSA"][1], "", "")


def ask(ris: Ris, *messages: bytes) -> list[Outcome]:
    """Each alone, one after the other."""
    intake = Intake(ris)
    return [outcome(answer) for one in messages for answer in intake.take([(one, PLACE)])]


def accept(ris: Ris, *messages: bytes) -> None:
    """What the test needs to have happened before."""
    assert ask(ris, *messages) == [AA] * len(messages)


def agree(ris: Ris, hospital: Hospital, **policies: object) -> None:
    """What is agreed with the partner EHR/HOSP."""
    with ris.uow() as uow:
        uow.session.get_one(Partner, hospital.partner_id).policies = policies


def patient_of(session: Session, mrn: str) -> Patient:
    """The patient that the record number of HOSP leads to now."""
    key = f"HOSP|MR|{mrn}"
    return session.scalars(
        sa.select(Patient).join(PatientIdentifier, PatientIdentifier.patient_id == Patient.id).where(PatientIdentifier.key == key)
    ).one()


def order_of(session: Session, placer: str = "P1") -> Order:
    return session.scalars(sa.select(Order).where(Order.placer_number == placer)).one()


def tasks(ris: Ris) -> list[tuple[str, str]]:
    """Kind and state of every task."""
    with ris.read() as session:
        return [(task.kind, TaskState(task.state).value) for task in session.scalars(sa.select(Task).order_by(Task.id))]


def journal(ris: Ris) -> list[tuple[str, str]]:
    """State and answer of every message, in the order of arrival."""
    with ris.read() as session:
        return [(row.state.value, row.ack_code) for row in session.scalars(sa.select(Message).order_by(Message.id))]


def counts(ris: Ris, *without: str) -> Mapping[str, int]:
    """Rows of every table, but for those named."""
    tables = [table for table in sa.inspect(ris.engine).get_table_names() if table not in without]
    with ris.read() as session:
        return {table: session.scalar(sa.text(f'SELECT count(*) FROM "{table}"')) for table in tables}


def rows(ris: Ris, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    with ris.read() as session:
        return [tuple(row) for row in session.execute(sa.text(statement), values)]
