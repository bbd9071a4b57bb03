"""Rows that go past the ORM's bookkeeping are what the ORM would have written."""

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from ris.base.ids import new_id
from ris.bootstrap import Ris
from ris.journal.model import Direction, Message, MessageState
from ris.patient.model import Patient, PatientIdentifier, Sex

HOSTILE = 'O\'Brien "x" \\n % %s %(a)s {0} ?1 :b é 漢 𝄞\t\n'


def test_what_was_created_is_there_with_its_defaults_after_the_commit(ris: Ris) -> None:
    with ris.uow() as uow:
        patient = uow.create(Patient, family=HOSTILE, birth_date=date(1980, 2, 29), sex=Sex.other, deceased=True)
    with ris.read() as session:
        stored = session.get_one(Patient, patient.id)
        assert (stored.family, stored.birth_date, stored.sex, stored.deceased) == (HOSTILE, date(1980, 2, 29), Sex.other, True)
        assert (stored.given, stored.merged_into_id, stored.row_version) == ("", None, 1)


def test_an_appended_row_keeps_bytes_moments_and_nothing_at_all(ris: Ris) -> None:
    raw = bytes(range(256))
    at = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
    values = {
        "id": new_id(), "direction": Direction.inbound, "protocol": "HL7v2", "partner_id": None, "at": at, "kind": HOSTILE,
        "control_id": "1", "digest": "d", "raw": raw, "charset": "ascii", "state": MessageState.refused, "ack_code": "AE",
        "answer": b"", "error": "", "place": "",
    }  # fmt: skip
    with ris.uow() as uow:
        uow.append(Message, values)
    with ris.read() as session:
        stored = session.get_one(Message, values["id"])
        assert {name: getattr(stored, name) for name in values} == values


def test_a_created_row_can_be_changed_on_after_a_flush(ris: Ris) -> None:
    with ris.uow() as uow:
        patient = uow.create(Patient, family="Before")
        patient.given = "still before it is written"
        uow.session.flush()
        assert uow.session.get(Patient, patient.id) is patient
        patient.family = "After"
    with ris.read() as session:
        stored = session.get_one(Patient, patient.id)
        assert (stored.family, stored.given, stored.row_version) == ("After", "still before it is written", 2)


def test_nothing_that_was_created_outlives_a_rollback(ris: Ris) -> None:
    with pytest.raises(RuntimeError), ris.uow() as uow:  # noqa: PT012 (both are to be gone)
        uow.create(Patient, family="Gone")
        uow.session.flush()
        uow.create(Patient, family="Gone too")
        raise RuntimeError
    with ris.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Patient)) == 0


def test_a_name_that_is_no_column_is_refused_at_once(ris: Ris) -> None:
    with ris.uow() as uow, pytest.raises(TypeError, match="Patient has no famliy"):
        uow.create(Patient, famliy="Doe")


def test_a_moment_without_a_zone_is_refused(ris: Ris) -> None:
    with pytest.raises(Exception, match="without a time zone"), ris.uow() as uow:
        uow.append(Message, {c.name: None for c in Message.__table__.columns} | {"at": datetime(2026, 1, 1)})  # noqa: DTZ001 (what is refused)


def test_look_ups_know_what_is_there_and_what_is_not(ris: Ris) -> None:
    with ris.uow() as uow:
        patient = uow.create(Patient)
        uow.create(PatientIdentifier, patient_id=patient.id, key=HOSTILE, value="1", authority="", type="MR")
    with ris.uow() as uow:
        uow.load({PatientIdentifier.key: {HOSTILE, "unknown"}})
        found = uow.find(PatientIdentifier.key, HOSTILE)
        assert found is not None
        assert found.patient_id == patient.id
        assert uow.find(PatientIdentifier.key, "unknown") is None


def test_numbers_that_were_reserved_are_given_in_order_and_once(ris: Ris) -> None:
    with ris.uow() as uow:
        uow.reserve(3, "filler", "accession")
        given = [uow.number("filler") for _ in range(5)] + [uow.number("accession") for _ in range(3)]
    with ris.uow() as uow:
        following = uow.number("filler")
    assert given == [1, 2, 3, 4, 5, 1, 2, 3]
    assert following == 6
