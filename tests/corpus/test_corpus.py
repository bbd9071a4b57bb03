"""The messages that others wrote: every one is answered, orders are applied, and what is refused is refused for a reason."""

import csv
import itertools
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.hl7 import ack
from ris.hl7.intake import Intake
from ris.hl7.mllp import BETWEEN
from ris.order.model import Order
from ris.partner.model import Partner
from ris.patient.model import Patient, PatientIdentifier
from ris.processes.database import ROOT
from ris.settings import Data, Mllp, Settings
from tests.corpus.expectations import APPLIED, EXPLAINED, REFUSED, Asked, Expected
from tests.factories.hospital import build_hospital
from tests.hl7.listening import Peer, listening

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(300)]

FOLDER = ROOT.parent / "shared/corpus"
PARTNER = "corpus"
LEAST_APPLIED = 42
CODES = ("AA", "AE", "AR")


@dataclass(frozen=True, slots=True)
class Sample:
    path: str
    type: str
    is_radiology_order: bool
    raw: bytes

    @property
    def code(self) -> str:
        """ADT, ORM or `other`, by the manifest."""
        return self.type[:3] if self.type[:3] in ("ADT", "ORM") else "other"


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    assert FOLDER.is_dir(), f"the corpus is not there: {FOLDER}"
    with (FOLDER / "MANIFEST.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return [Sample(r["path"], r["type"], r["radiology_order"] == "Y", (FOLDER / r["path"]).read_bytes()) for r in rows]


class House:
    """A hospital with one partner at a time that everybody unknown is taken for."""

    def __init__(self, folder: Path, template: Path) -> None:
        folder.mkdir()
        shutil.copyfile(template, folder / "ris.db")
        self.ris = Ris(Settings(data=Data(dir=folder), mllp=Mllp(port=0, unknown_partner=PARTNER)))
        self.site_id = build_hospital(self.ris).sites["MAIN"]
        self._numbers = itertools.count(1)
        self.new_partner()

    def new_partner(self, acknowledgement_mode: str = "original") -> None:
        """Who came before is no longer the one; nothing of theirs is known to the new one. Each message gets one answer by default."""
        number = next(self._numbers)
        with self.ris.uow() as uow:
            uow.session.execute(sa.update(Partner).where(Partner.name == PARTNER).values(name=f"{PARTNER} {number - 1}", active=False))
            uow.add(
                Partner(
                    name=PARTNER, application=f"CORPUS{number}", facility="", zone="America/New_York", authority=f"CORPUS{number}",
                    site_id=self.site_id, policies={"acknowledgement_mode": acknowledgement_mode},
                )
            )  # fmt: skip


@pytest.fixture
def house(tmp_path: Path, sqlite_template: Path) -> Iterator[House]:
    house = House(tmp_path / "house", sqlite_template)
    yield house
    house.ris.close()


Outcome = tuple[str, str, str]
"""MSA-1, table 0357 code and place; the last two empty for AA."""


def outcome(answer: bytes) -> Outcome:
    """Reads ERR of 2.5 (ERR-2, ERR-3) and of versions before it (ERR-1), with whatever delimiters the sender has."""
    text = answer.decode("latin-1")
    bar, (hat, _, _, amp) = text[3], text[4:8]
    segments = {line[:3]: line.split(bar) for line in text.split("\r") if line}
    error = segments.get("ERR", [])
    if len(error) > 3:
        return segments["MSA"][1], error[3].split(hat)[0], error[2].replace(hat, "^")
    if len(error) == 2:
        *place, code = error[1].split(hat)
        return segments["MSA"][1], code.split(amp)[0], "^".join(place).rstrip("^")
    return segments["MSA"][1], "", ""


def table(title: str, samples: Sequence[Sample], outcomes: Sequence[Outcome]) -> None:
    print(f"\n{title}\n{'kind':20} {'MSA-1':6} {'0357':5} {'place':10} count")
    counted = Counter(
        ("radiology order" if sample.is_radiology_order else sample.code, *result) for sample, result in zip(samples, outcomes, strict=True)
    )
    for (kind, code, error, place), count in sorted(counted.items()):
        print(f"{kind:20} {code:6} {error:5} {place:10} {count}")


def states(ris: Ris) -> Mapping[str, int]:
    with ris.read() as session:
        return dict(session.execute(sa.text("SELECT state, count(*) FROM message GROUP BY state")).all())


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
            answered = _answered(peer.exchange(sample.raw))
            assert answered == control_id or not control_id.isascii(), sample.path
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


def _answered(answer: bytes) -> str:
    bar = answer[3:4]
    msa = next(line for line in answer.split(b"\r") if line.startswith(b"MSA"))
    return msa.split(bar)[2].decode("latin-1")


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
