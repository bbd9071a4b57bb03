"""Coverage from senders and the desk, and exams under authorisations, on both engines."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ris.base.errors import Invalid, NotAllowedNow, NotFound, Stale
from ris.bootstrap import Ris
from ris.order import authorized
from ris.order import service as orders
from ris.patient import coverage
from ris.patient import service as patients
from ris.patient.coverage import AuthorizationData, CoverageData
from ris.patient.model import Patient
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, make_patient
from tests.hl7.asking import accept, patient_of
from tests.messages.samples import adt, pid

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = NOON.date()


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def patient(ris: Ris) -> Patient:
    with ris.uow() as uow:
        return make_patient(uow)


def payers(ris: Ris, patient_id: int) -> list[str]:
    with ris.read() as session:
        return [row.payer for row in coverage.coverages(session, patient_id)]


def test_a_senders_insurance_is_taken_replaced_and_emptied(ris: Ris, hospital: Hospital) -> None:
    first = "IN1|1|GOLD^Gold plan|77^^^PAYERS|First Mutual||||G1||||20260101|20261231" + "|" * 23 + "M-123"
    accept(ris, adt("A08", pid("M1", "Meadow^Anna"), first, "IN1|2|BASIC|88|Second Trust"))
    with ris.read() as session:
        patient_id = patient_of(session, "M1").id
        rows = coverage.coverages(session, patient_id)
    row = rows[0]
    assert (row.payer, row.payer_code, row.plan, row.member_number, row.group_number) == ("First Mutual", "77", "Gold plan", "M-123", "G1")
    assert (row.valid_from, row.valid_to, row.rank) == (date(2026, 1, 1), date(2026, 12, 31), 1)
    with ris.uow() as uow:
        coverage.save_coverage(uow, patient_id, CoverageData("Own money", rank=3))
    accept(ris, adt("A08", pid("M1", "Meadow^Anna"), first))
    assert payers(ris, patient_id) == ["First Mutual", "Own money"]
    with ris.read() as session:
        assert coverage.coverages(session, patient_id)[0].id == row.id, "what is said again stays the same row"
    accept(ris, adt("A08", pid("M1", "Meadow^Anna")))
    assert payers(ris, patient_id) == ["First Mutual", "Own money"], "a message without IN1 says nothing of it"
    accept(ris, adt("A08", pid("M1", "Meadow^Anna"), 'IN1|1|""|""|""'))
    assert payers(ris, patient_id) == ["Own money"]


def test_the_desk_corrects_and_ends_its_own_coverage_only(ris: Ris, hospital: Hospital, patient: Patient) -> None:
    with ris.uow() as uow:
        own = coverage.save_coverage(uow, patient.id, CoverageData("First Mutual")).id
        coverage.replace_coverage(uow, patient.id, hospital.partner_id, [CoverageData("Second Trust", rank=2)])
    with ris.uow() as uow:
        coverage.save_coverage(uow, patient.id, CoverageData("First Mutual", member_number="7"), coverage_id=own, row_version=1)
    with ris.uow() as uow, pytest.raises(Stale):
        coverage.save_coverage(uow, patient.id, CoverageData("Third"), coverage_id=own, row_version=1)
    with ris.read() as session:
        theirs = coverage.coverages(session, patient.id)[1].id
    with ris.uow() as uow, pytest.raises(NotFound):
        coverage.save_coverage(uow, patient.id, CoverageData("Third"), coverage_id=theirs, row_version=1)
    for wrong in (CoverageData(" "), CoverageData("X", valid_from=TODAY, valid_to=TODAY - timedelta(days=1))):
        with ris.uow() as uow, pytest.raises(Invalid):
            coverage.save_coverage(uow, patient.id, wrong)
    with ris.uow() as uow:
        coverage.end_coverage(uow, patient.id, own)
    assert payers(ris, patient.id) == ["Second Trust"]


def agree(ris: Ris, patient: Patient, **said: object) -> int:
    with ris.uow() as uow:
        return coverage.authorize(uow, patient.id, AuthorizationData(**{"number": "A-1", "units": 1, **said})).id


def exam(ris: Ris, hospital: Hospital, patient: Patient, code: str = "CTHEAD") -> int:
    with ris.uow(hospital.actor("scheduler")) as uow:
        return make_order(uow, hospital, code, patient=patient).procedures[0].id


def put_under(ris: Ris, procedure_id: int, authorization_id: int | None) -> None:
    with ris.uow() as uow:
        authorized.put_under(uow, procedure_id, authorization_id)


def test_an_exam_uses_a_unit_until_it_is_cancelled_or_taken_out(ris: Ris, hospital: Hospital, patient: Patient) -> None:
    agreed = agree(ris, patient, codes=("CTHEAD",), valid_from=TODAY, valid_to=TODAY)
    first, second = exam(ris, hospital, patient), exam(ris, hospital, patient)
    put_under(ris, first, agreed)
    put_under(ris, first, agreed)
    with pytest.raises(NotAllowedNow, match="no exam is left of it"):
        put_under(ris, second, agreed)
    put_under(ris, first, None)
    put_under(ris, second, agreed)
    with ris.uow() as uow:
        orders.cancel_procedure(uow, second, "not needed")
    put_under(ris, first, agreed)
    with ris.read() as session:
        assert authorized.of_procedures(session, [first, second]) == {first: "A-1", second: "A-1"}
        assert authorized.used(session, [agreed]) == {agreed: 1}


def test_a_refusal_names_every_reason(ris: Ris, hospital: Hospital, patient: Patient) -> None:
    agreed = agree(ris, patient, codes=("MRBRAIN",), valid_to=TODAY - timedelta(days=1))
    with pytest.raises(NotAllowedNow) as refused:
        put_under(ris, exam(ris, hospital, patient), agreed)
    assert refused.value.missing == ("it is for MRBRAIN", f"it ended on {TODAY - timedelta(days=1)}")
    later = agree(ris, patient, number="A-2", valid_from=TODAY + timedelta(days=1))
    with ris.read() as session:
        shown = authorized.choices(session, patient_id=patient.id, code="MRBRAIN", on=TODAY - timedelta(days=1))
    assert [(choice.authorization_id, bool(choice.reasons)) for choice in shown] == [(agreed, False), (later, True)]


def test_an_authorisation_of_somebody_else_or_that_was_ended_covers_nothing(ris: Ris, hospital: Hospital, patient: Patient) -> None:
    agreed = agree(ris, patient)
    with ris.uow() as uow:
        stranger = make_patient(uow)
    with pytest.raises(NotFound):
        put_under(ris, exam(ris, hospital, stranger), agreed)
    with ris.uow() as uow:
        coverage.end_authorization(uow, patient.id, agreed)
    with pytest.raises(NotAllowedNow, match="it was ended"):
        put_under(ris, exam(ris, hospital, patient), agreed)
    for wrong in ({"number": " "}, {"units": 0}, {"units": 1000}, {"valid_from": TODAY, "valid_to": date(2020, 1, 1)}):
        with pytest.raises(Invalid):
            agree(ris, patient, **wrong)


def test_a_merge_brings_coverage_and_authorisations_along(ris: Ris, hospital: Hospital, patient: Patient) -> None:
    with ris.uow() as uow:
        survivor = make_patient(uow)
        coverage.save_coverage(uow, patient.id, CoverageData("First Mutual"))
    agreed = agree(ris, patient)
    with ris.uow() as uow:
        merge = patients.merge(uow, survivor_id=survivor.id, loser_id=patient.id)
    assert payers(ris, survivor.id) == ["First Mutual"]
    put_under(ris, exam(ris, hospital, survivor), agreed)
    with ris.uow() as uow:
        patients.unmerge(uow, merge.id)
    assert payers(ris, patient.id) == ["First Mutual"]
