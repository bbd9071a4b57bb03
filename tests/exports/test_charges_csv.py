import csv
import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from ris.base.errors import NotAllowedNow
from ris.billing.model import Charge, ChargeStatus, ExportBatch, ExportLine
from ris.bootstrap import Ris
from ris.exports import charges_csv
from ris.outbox import hold
from ris.outbox.model import StoredEvent
from ris.patient.model import PatientIdentifier
from tests.factories.hospital import Hospital
from tests.factories.orders import completed, reported

DAY = date(2026, 12, 1)
FAR = datetime(2100, 1, 1, tzinfo=UTC)


class Crash(Exception):
    """The power goes."""


def crash_after(step: str) -> Callable[[str], None]:
    def hook(done: str) -> None:
        if done == step:
            raise Crash(step)

    return hook


def lines_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def statuses(ris: Ris) -> list[ChargeStatus]:
    with ris.read() as session:
        return list(session.scalars(sa.select(Charge.status)))


def test_each_ready_charge_has_one_line_and_the_trailer_adds_them_up(ris: Ris, hospital: Hospital) -> None:
    procedure = reported(ris, hospital)
    header, *lines, trailer = lines_of(charges_csv.write(ris, DAY, FAR))
    assert tuple(header) == charges_csv.COLUMNS
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    assert [(r["component"], r["code"], r["amount"], r["currency"]) for r in rows] == [
        ("technical", "CTHEAD-T", "120.00", "USD"),
        ("professional", "CTHEAD-P", "45.00", "USD"),
    ]
    assert {(r["accession"], r["authority"], r["site"], r["orderer_name"]) for r in rows} == {
        (procedure.accession_number, "HOSP", "MAIN", "Grove, Oscar")
    }
    assert trailer == ["TRAILER", "1", "2026-12-01", "2", "165.00 USD"]


def test_exported_charges_say_so_and_emit_an_event_each(ris: Ris, hospital: Hospital) -> None:
    reported(ris, hospital)
    charges_csv.write(ris, DAY, FAR)
    assert statuses(ris) == [ChargeStatus.exported] * 2
    with ris.read() as session:
        count = session.scalar(sa.select(sa.func.count()).where(StoredEvent.name == "charge.exported"))
        batch = session.scalars(sa.select(ExportBatch)).one()
    assert count == batch.lines == 2
    assert batch.written_at is not None


def test_the_checksum_beside_the_file_is_its_own_and_the_batch_knows_it(ris: Ris, hospital: Hospital) -> None:
    completed(ris, hospital)
    path = charges_csv.write(ris, DAY, FAR)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.with_name(path.name + ".sha256").read_text() == f"{digest}  {path.name}\n"
    with ris.read() as session:
        assert session.scalars(sa.select(ExportBatch.sha256)).one() == digest


def test_the_same_date_again_gives_the_same_bytes_even_after_the_patient_has_changed(ris: Ris, hospital: Hospital) -> None:
    completed(ris, hospital)
    path = charges_csv.write(ris, DAY, FAR)
    before = path.read_bytes()
    completed(ris, hospital)
    with ris.uow() as uow:
        uow.session.execute(sa.update(PatientIdentifier).values(value=PatientIdentifier.value + "X"))
    path.unlink()
    assert charges_csv.write(ris, DAY, FAR) == path
    assert path.read_bytes() == before


def test_a_charge_goes_out_in_one_batch_only(ris: Ris, hospital: Hospital) -> None:
    completed(ris, hospital)
    charges_csv.write(ris, DAY, FAR)
    completed(ris, hospital)
    second = charges_csv.write(ris, date(2026, 12, 2), FAR)
    assert len(lines_of(second)) == 3
    with ris.read() as session:
        assert sorted(session.scalars(sa.select(ExportLine.charge_id))) == sorted(session.scalars(sa.select(Charge.id)))


@pytest.mark.parametrize("step", charges_csv.STEPS)
def test_a_crash_after_any_step_loses_and_doubles_nothing(ris: Ris, hospital: Hospital, step: str) -> None:
    completed(ris, hospital)
    with pytest.raises(Crash):
        charges_csv.write(ris, DAY, FAR, crash_after(step))
    path = charges_csv.write(ris, DAY, FAR)
    _, *lines, trailer = lines_of(path)
    assert len(lines) == 1
    assert trailer[3:] == ["1", "120.00 USD"]
    assert statuses(ris) == [ChargeStatus.exported]
    assert [p.name for p in sorted(path.parent.iterdir())] == [path.name, path.name + ".sha256"]


def test_a_crash_before_the_commit_leaves_the_charge_ready(ris: Ris, hospital: Hospital) -> None:
    completed(ris, hospital)
    with pytest.raises(Crash):
        charges_csv.write(ris, DAY, FAR, crash_after("claimed"))
    assert statuses(ris) == [ChargeStatus.ready]


def test_a_damaged_file_is_written_again(ris: Ris, hospital: Hospital) -> None:
    completed(ris, hospital)
    path = charges_csv.write(ris, DAY, FAR)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    charges_csv.write(ris, DAY, FAR)
    assert path.read_bytes() == whole


def test_a_night_without_charges_writes_a_file_that_says_so(ris: Ris, hospital: Hospital) -> None:
    header, trailer = lines_of(charges_csv.write(ris, DAY, FAR))
    assert tuple(header) == charges_csv.COLUMNS
    assert trailer == ["TRAILER", "1", "2026-12-01", "0", "no charges"]
    with ris.read() as session:
        assert session.scalars(sa.select(ExportBatch.lines)).one() == 0


def test_a_charge_captured_after_the_cut_waits_for_the_next_night(ris: Ris, hospital: Hospital) -> None:
    completed(ris, hospital)
    charges_csv.write(ris, DAY, datetime(2026, 1, 1, tzinfo=UTC))
    assert statuses(ris) == [ChargeStatus.ready]


def test_nothing_is_exported_while_everything_outbound_is_held(ris: Ris, hospital: Hospital) -> None:
    completed(ris, hospital)
    with ris.uow() as uow:
        hold.hold_all(uow, "restored")
    with pytest.raises(NotAllowedNow):
        charges_csv.write(ris, DAY, FAR)
    assert statuses(ris) == [ChargeStatus.ready]
    with ris.uow() as uow:
        hold.release_all(uow)
    assert len(lines_of(charges_csv.write(ris, DAY, FAR))) == 3


def test_no_cell_is_a_formula_to_a_spreadsheet(ris: Ris, hospital: Hospital) -> None:
    completed(ris, hospital)
    with ris.uow() as uow:
        uow.session.execute(sa.update(PatientIdentifier).values(value="=1+1"))
    assert lines_of(charges_csv.write(ris, DAY, FAR))[1][3] == "'=1+1"
