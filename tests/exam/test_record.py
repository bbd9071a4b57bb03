"""What is written down in the room: what was given, dose, reactions; and what the numbers must be."""

from decimal import Decimal

import pytest

from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.bootstrap import Ris
from ris.catalog.model import Material, MaterialKind
from ris.exam import record, service
from ris.exam.model import Quantity
from ris.exam.performed import PerformedRow, performed_of
from ris.exam.record import Giving
from ris.order.model import RequestedProcedure
from ris.patient import clinical, queries
from tests.factories.hospital import Hospital
from tests.factories.orders import booked


def started(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    exam = booked(ris, hospital)
    with ris.uow(hospital.actor("technologist")) as uow:
        service.start(uow, procedure_id=exam.id)
    return exam


def iohexol(ris: Ris) -> int:
    with ris.uow() as uow:
        row = uow.add(Material(code="IOH", name="Iohexol 300", kind=MaterialKind.contrast, unit="ml"))
        uow.session.flush()
        return row.id


def give(ris: Ris, hospital: Hospital, exam: RequestedProcedure, giving: Giving) -> int:
    with ris.uow(hospital.actor("technologist")) as uow:
        return record.give(uow, procedure_id=exam.id, giving=giving).id


def done(ris: Ris, exam: RequestedProcedure) -> PerformedRow:
    with ris.read() as session:
        found = performed_of(session, exam.id)
    assert found is not None
    return found


def test_what_is_given_has_the_catalogues_name_and_unit_and_its_own_lot_and_amount(ris: Ris, hospital: Hospital) -> None:
    exam = started(ris, hospital)
    give(ris, hospital, exam, Giving(Decimal("82.5"), lot=" L7 ", material_id=iohexol(ris)))
    give(ris, hospital, exam, Giving(Decimal(1), kind=MaterialKind.medication, name="Butylscopolamine", unit="mg"))
    given = done(ris, exam).given
    assert [(row.name, row.amount, row.unit, row.lot) for row in given] == [
        ("Iohexol 300", Decimal("82.5"), "ml", "L7"), ("Butylscopolamine", Decimal(1), "mg", ""),
    ]  # fmt: skip
    assert given[0].given_by == hospital.actor("technologist").name


def test_what_is_given_without_name_unit_amount_or_lot_is_refused(ris: Ris, hospital: Hospital) -> None:
    exam = started(ris, hospital)
    for giving, reason in (
        (Giving(Decimal(0), name="Saline", unit="ml"), "more than 0"),
        (Giving(Decimal(1), name="Saline"), "a name and a unit"),
        (Giving(Decimal(1), kind=MaterialKind.contrast, name="Iohexol", unit="ml"), "number of its lot"),
    ):
        with pytest.raises(Invalid, match=reason):
            give(ris, hospital, exam, giving)
    with pytest.raises(NotAllowedNow, match="it has not begun"), ris.uow(hospital.actor("technologist")) as uow:
        record.note(uow, procedure_id=booked(ris, hospital).id, text="moved")


def test_a_wrong_entry_is_taken_back_once_stays_on_record_and_keeps_no_start_from_being_undone(ris: Ris, hospital: Hospital) -> None:
    exam, other = started(ris, hospital), started(ris, hospital)
    given_id = give(ris, hospital, exam, Giving(Decimal(5), name="Saline", unit="ml"))
    with pytest.raises(NotAllowedNow, match="something was given"), ris.uow(hospital.actor("technologist")) as uow:
        service.undo(uow, procedure_id=exam.id)
    with pytest.raises(NotFound), ris.uow(hospital.actor("technologist")) as uow:
        record.take_back(uow, procedure_id=other.id, given_id=given_id)
    with ris.uow(hospital.actor("technologist")) as uow:
        record.take_back(uow, procedure_id=exam.id, given_id=given_id)
    with pytest.raises(NotAllowedNow, match="taken back before"), ris.uow(hospital.actor("technologist")) as uow:
        record.take_back(uow, procedure_id=exam.id, given_id=given_id)
    assert [row.is_taken_back for row in done(ris, exam).given] == [True]
    with ris.uow(hospital.actor("technologist")) as uow:
        service.undo(uow, procedure_id=exam.id)


def test_a_dose_is_kept_exactly_and_corrected_also_after_the_end(ris: Ris, hospital: Hospital) -> None:
    exam = started(ris, hospital)
    with ris.uow(hospital.actor("technologist")) as uow:
        record.measure(uow, procedure_id=exam.id, values={Quantity.dlp: Decimal("412.10"), Quantity.ctdi_vol: Decimal("9.8")})
        service.complete(uow, procedure_id=exam.id)
    with ris.uow(hospital.actor("technologist")) as uow:
        record.measure(uow, procedure_id=exam.id, values={Quantity.dlp: Decimal("421.1")})
    with pytest.raises(Invalid, match="negative"), ris.uow(hospital.actor("technologist")) as uow:
        record.measure(uow, procedure_id=exam.id, values={Quantity.dlp: Decimal(-1)})
    assert [(row.quantity, str(row.value), row.unit) for row in done(ris, exam).doses] == [
        ("ctdi_vol", "9.8", "mGy"), ("dlp", "421.1", "mGy·cm"),
    ]  # fmt: skip


def test_a_reaction_is_an_allergy_that_no_list_of_a_sender_takes_away(ris: Ris, hospital: Hospital) -> None:
    exam = started(ris, hospital)
    with ris.uow(hospital.actor("technologist")) as uow:
        for _ in range(2):
            record.react(uow, procedure_id=exam.id, substance="Iohexol", severity="MO", reaction="hives, antihistamine given")
        patient_id = uow.session.get_one(RequestedProcedure, exam.id).order.patient_id
        clinical.replace_allergies(uow, patient_id, hospital.partner_id, [])
    with ris.read() as session:
        (known,) = queries.allergies(session, patient_id)
    assert (known.text, known.severity, known.reaction) == ("Iohexol", "MO", "hives, antihistamine given")
    with pytest.raises(Invalid, match="mild, moderate or severe"), ris.uow(hospital.actor("technologist")) as uow:
        record.react(uow, procedure_id=exam.id, substance="Iohexol", severity="U", reaction="hives")
