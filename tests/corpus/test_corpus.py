"""The messages that others wrote: every one is answered, orders are applied, and what is refused is refused for a reason."""

from collections import Counter

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.hl7 import ack
from ris.hl7.intake import Intake
from ris.hl7.mllp import BETWEEN
from ris.order.model import Order
from ris.patient.model import Patient, PatientIdentifier
from tests.corpus.expectations import APPLIED, EXPLAINED, REFUSED, Asked, Expected
from tests.corpus.house import CODES, FOLDER, House, Sample, answered, outcome, states, table
from tests.hl7.listening import Peer, listening

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(300)]

LEAST_APPLIED = 42


def test_every_file_from_a_fresh_partner_is_answered_and_orders_are_applied(house: House, samples: list[Sample]) -> None:
    intake = Intake(house.ris)
    outcomes = []
    for sample in samples:
        house.new_partner()
        (answer,) = intake.take([(sample.raw, "corpus")])
        outcomes.append(outcome(answer))
    table("Each file from a partner of its own", samples, outcomes)
    assert {code for code, _, _ in outcomes} <= set(CODES)
    assert not [s.path for s, (_, error, _) in zip(samples, outcomes, strict=True) if error == "207"]
    orders = [(s, result) for s, result in zip(samples, outcomes, strict=True) if s.is_radiology_order]
    assert len(orders) == 68
    assert sum(code == "AA" for _, (code, _, _) in orders) >= LEAST_APPLIED
    assert {(error, place) for _, (code, error, place) in orders if code != "AA"} <= set(EXPLAINED)
    assert sum(states(house.ris).values()) == len(samples)


def test_the_whole_folder_into_one_partner_in_groups(house: House, samples: list[Sample]) -> None:
    answers = []
    intake = Intake(house.ris)
    for start in range(0, len(samples), 100):
        answers += intake.take([(sample.raw, "corpus") for sample in samples[start : start + 100]])
    outcomes = [outcome(answer) for answer in answers]
    table("The whole folder from one partner", samples, outcomes)
    assert len(answers) == len(samples)
    assert {code for code, _, _ in outcomes} <= set(CODES)
    assert sum(states(house.ris).values()) == len(samples)


def test_the_whole_folder_over_a_socket_is_answered_in_order(house: House, samples: list[Sample]) -> None:
    with listening(house.ris) as port, Peer(port) as peer:
        for sample in samples:
            control_id = ack.header(sample.raw).control_id
            assert answered(peer.exchange(sample.raw)) == control_id or not control_id.isascii(), sample.path
    assert sum(states(house.ris).values()) == len(samples)


def test_every_file_gets_the_answers_that_its_header_asks_for(house: House, samples: list[Sample]) -> None:
    house.new_partner("by_message")
    given = Counter()
    for sample, answer in zip(samples, Intake(house.ris).take([(sample.raw, "corpus") for sample in samples]), strict=True):
        header = ack.header(sample.raw)
        wants = (header.accept_acknowledgment_type, header.application_acknowledgment_type)
        codes = " ".join(outcome(part)[0] for part in answer.split(BETWEEN)) if answer else ""
        given[(*wants, codes)] += 1
        assert codes or set(wants) <= {"", "NE", "ER", "SU"}, sample.path
    assert {given[("NE", "NE", "")] > 0, given[("AL", "NE", "CA")] > 0, given[("AL", "AL", "CA AA")] > 0} == {True}


@pytest.mark.parametrize("path", APPLIED)
def test_a_message_is_read_as_its_sender_wrote_it(path: str, house: House) -> None:
    (answer,) = Intake(house.ris).take([((FOLDER / path).read_bytes(), "corpus")])
    assert outcome(answer)[0] == "AA"
    assert _as_stored(house.ris) == APPLIED[path]


@pytest.mark.parametrize("path", REFUSED)
def test_what_places_no_order_is_refused_at_its_place(path: str, house: House) -> None:
    (answer,) = Intake(house.ris).take([((FOLDER / path).read_bytes(), "corpus")])
    assert outcome(answer) == ("AE", *REFUSED[path])


def test_expectations_come_from_all_seven_repositories_that_have_radiology_orders(samples: list[Sample]) -> None:
    repositories = {sample.path.split("/")[0] for sample in samples if sample.is_radiology_order}
    assert len(repositories) == 7
    assert {path.split("/")[0] for path in APPLIED} == repositories
    assert len(APPLIED) >= 20


def _as_stored(ris: Ris) -> Expected:
    with ris.read() as session:
        patient = session.scalars(sa.select(Patient)).one()
        numbers = session.scalars(sa.select(PatientIdentifier).where(PatientIdentifier.type == "MR").order_by(PatientIdentifier.id))
        orders = session.scalars(sa.select(Order).order_by(Order.placer_number)).all()
        record = next(iter(numbers))
        return Expected(
            (record.value, record.authority),
            (patient.family, patient.given),
            patient.birth_date,
            patient.sex,
            tuple(_asked(order) for order in orders),
        )


def _asked(order: Order) -> Asked:
    (procedure,) = order.procedures
    return Asked(
        order.placer_number,
        order.placer_namespace,
        procedure.partner_code,
        order.priority,
        order.requested_at,
        (order.orderer_number, order.orderer_name),
    )
