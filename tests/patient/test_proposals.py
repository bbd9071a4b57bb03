"""Likely duplicates among all patients: who is proposed and who is not, told apart, merged elsewhere; on both engines."""

from datetime import UTC, date, datetime

import pytest

from ris.base.errors import NotFound
from ris.bootstrap import Ris
from ris.patient import duplicates, proposals
from ris.patient import service as patients
from ris.patient.model import Patient
from ris.patient.service import PatientData
from ris.processes import jobs
from tests.factories.orders import make_patient

D = date
PAIRS = {
    "a typing error": (("Meadow", "Anna", D(1970, 5, 17), ""), ("Meadwo", "Anna", D(1970, 5, 17), "")),
    "an accent and a nickname's spelling": (("Müller", "Jörg", D(1961, 1, 2), ""), ("Muller", "Jorge", D(1961, 1, 2), "")),
    "names exchanged": (("Brook", "Ida", D(1980, 2, 3), ""), ("Ida", "Brook", D(1980, 2, 3), "")),
    "day and month": (("Field", "Owen", D(1990, 4, 7), ""), ("Field", "Owen", D(1990, 7, 4), "")),
    "the wrong year": (("Hill", "Vera", D(1955, 9, 9), ""), ("Hill", "Vera", D(1985, 9, 9), "")),
    "no birth date and one telephone": (("Reed", "Max", D(1944, 3, 3), "217 555 0199"), ("Reed", "Max", None, "+1 (217) 555-0199")),
}
OTHERS = {
    "twins": (("Lake", "Tom", D(2001, 6, 6), "217 555 0111"), ("Lake", "Eli", D(2001, 6, 6), "217 555 0111")),
    "mother and daughter": (("Moor", "Eva", D(1960, 1, 1), "217 555 0122"), ("Moor", "Eva", D(1993, 8, 20), "217 555 0122")),
    "one name and nothing else": (("Stone", "Karl", None, ""), ("Stone", "Karl", None, "")),
}


def build(ris: Ris) -> dict[str, tuple[int, int]]:
    with ris.uow() as uow:
        return {
            what: tuple(make_patient(uow, family, given, born=born, phone=phone).id for family, given, born, phone in pair)
            for what, pair in (PAIRS | OTHERS).items()
        }


def proposed(ris: Ris) -> set[tuple[int, int]]:
    with ris.read() as session:
        return {(row.one.patient_id, row.other.patient_id) for row in proposals.proposed(session)}


def test_pairs_are_proposed_by_night_and_on_demand_until_they_are_decided(ris: Ris) -> None:
    made = build(ris)
    jobs.propose_merges(ris, datetime(2026, 11, 24, 4, tzinfo=UTC))
    likely = {what: made[what] for what in PAIRS}
    assert {what for what, pair in made.items() if pair in proposed(ris)} == set(PAIRS)
    assert len(proposed(ris)) == len(PAIRS)

    with ris.read() as session:
        keys = {(row.one.patient_id, row.other.patient_id): row.proposal_id for row in proposals.proposed(session)}
        exchanged = next(row for row in proposals.proposed(session) if row.one.patient_id == made["names exchanged"][0])
        assert exchanged.one.similar == ("family name", "given name")
    apart = keys[likely["the wrong year"]]
    with ris.uow() as uow:
        proposals.tell_apart(uow, apart)
        one, other = likely["a typing error"]
        merge = patients.merge(uow, survivor_id=other, loser_id=one)
        corrected = uow.session.get_one(Patient, likely["day and month"][1])
        patients.amend(uow, corrected, PatientData((), given="Roderick", family="Quist"), keeps_former=False)
    left = set(PAIRS) - {"the wrong year", "a typing error", "day and month"}
    assert proposed(ris) == {likely[what] for what in left}, "told apart, merged elsewhere and corrected drop out at once"

    assert jobs.propose_merges_asked(ris) == "nobody has asked"
    with ris.uow() as uow:
        proposals.ask(uow)
        proposals.ask(uow)
    assert jobs.propose_merges_asked(ris) == f"{len(left)} proposed"
    with ris.read() as session:
        assert not proposals.looked(session).is_asked
        assert [row.proposal_id for row in proposals.told_apart(session)] == [apart], "no look proposes again who was told apart"
    with ris.uow() as uow:
        proposals.propose_again(uow, apart)
        patients.unmerge(uow, merge.id)
    jobs.propose_merges(ris, datetime(2026, 11, 25, 4, tzinfo=UTC))
    assert proposed(ris) == {pair for what, pair in likely.items() if what != "day and month"}
    with ris.uow() as uow, pytest.raises(NotFound):
        proposals.tell_apart(uow, 10**15)


def test_a_key_that_many_share_is_passed_over(ris: Ris) -> None:
    with ris.uow() as uow:
        keys = [make_patient(uow, "Common", "Jo", born=D(1970, 1, 1)).id for _ in range(4)]
    with ris.read() as session:
        assert duplicates.find(session, 3) == []
    with ris.uow() as uow:
        patients.merge(uow, survivor_id=keys[0], loser_id=keys[1])
    with ris.read() as session:
        assert {(pair.one_id, pair.other_id) for pair in duplicates.find(session, 3)} == {
            (keys[0], keys[2]), (keys[0], keys[3]), (keys[2], keys[3])
        }  # fmt: skip
