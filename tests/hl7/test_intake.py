"""The intake: headers, repetitions, groups, and a database that is away or full."""

import random
import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.bootstrap import Ris
from ris.hl7.incoming import ALONE_BYTES
from ris.hl7.intake import PARTNERS_S, Intake
from ris.journal.model import Message, MessageState
from ris.partner.model import Partner
from ris.settings import Data, Database, Mllp, Settings
from tests.factories.hospital import Hospital, build_hospital
from tests.hl7.asking import AA, PLACE, accept, agree, ask, counts, journal, outcome, patient_of, rows
from tests.messages.samples import adt, cancel, merge, message, msh, obr, orc, order, orm, pid, pv1

pytestmark = pytest.mark.usefixtures("hospital")


def take(ris: Ris, *messages: bytes) -> list[bytes]:
    return Intake(ris).take([(one, PLACE) for one in messages])


# ── the header ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_answer_names_the_message_and_swaps_sender_and_receiver(ris: Ris) -> None:
    (answer,) = take(ris, order(control_id="X1"))
    header, msa = (line.split("|") for line in answer.decode().split("\r")[:2])
    assert header[2:6] == ["RIS", "RAD", "EHR", "HOSP"]
    assert header[8].split("^")[0] == "ACK"
    assert msa[:3] == ["MSA", "AA", "X1"]


def test_a_message_without_control_id_is_rejected(ris: Ris) -> None:
    assert ask(ris, message(msh("ADT^A04^ADT_A01", "-"), pid())) == [("AR", "101", "MSH^1^10")]


def test_an_unknown_sender_is_rejected(ris: Ris) -> None:
    assert ask(ris, message(msh("ADT^A04^ADT_A01", sender="NOBODY|HOSP"), pid())) == [("AR", "103", "MSH^1^3")]
    assert counts(ris)["patient"] == 0
    assert journal(ris) == [("refused", "AR")]


def test_a_partner_that_is_added_is_known_at_once(ris: Ris, hospital: Hospital) -> None:
    intake = Intake(ris)
    one = message(msh("ADT^A04^ADT_A01", sender="NEW|HOSP"), pid())
    assert outcome(*intake.take([(one, PLACE)]))[0] == "AR"
    with ris.uow() as uow:
        uow.add(Partner(name="NEW", application="NEW", facility="HOSP", zone="UTC", site_id=hospital.sites["MAIN"], policies={}))
    assert outcome(*intake.take([(one, PLACE)])) == AA


def test_what_is_agreed_with_a_known_partner_is_taken_up_while_running(ris: Ris, hospital: Hospital) -> None:
    intake = Intake(ris)
    one = message(msh("ADT^A04", version="7"), pid())
    assert outcome(*intake.take([(one, PLACE)])) == AA
    agree(ris, hospital, unknown_version="refuse")
    deadline = time.monotonic() + 5 * PARTNERS_S
    while outcome(*intake.take([(message(msh("ADT^A04", version="7"), pid()), PLACE)])) == AA:
        assert time.monotonic() < deadline


def test_a_kind_of_message_that_is_not_read_is_rejected(ris: Ris) -> None:
    assert ask(ris, message(msh("SIU^S12^SIU_S12"), pid())) == [("AR", "200", "MSH^1^9")]


@pytest.mark.parametrize("processing", ["T", "D"])
def test_test_messages_are_taken_in_demo_and_rejected_in_production(processing: str, ris: Ris, hospital: Hospital) -> None:
    one = message(msh("ADT^A04^ADT_A01", "X1", processing=processing), pid())
    accept(ris, one)
    production = Ris(ris.settings.model_copy(update={"mode": "production"}))
    other = message(msh("ADT^A04^ADT_A01", "X2", processing=processing), pid())
    try:
        assert ask(production, other) == [("AR", "202", "MSH^1^11")]
        with ris.uow() as uow:
            uow.session.get_one(Partner, hospital.partner_id).policies = {"accept_test_messages": True}
        assert ask(production, other) == [AA]
    finally:
        production.close()


def test_unknown_senders_are_taken_for_the_partner_that_the_settings_name(ris: Ris) -> None:
    lenient = Ris(ris.settings.model_copy(update={"mllp": Mllp(unknown_partner="EHR")}))
    try:
        assert ask(lenient, message(msh("ADT^A04^ADT_A01", sender="NOBODY|HOSP"), pid())) == [AA]
    finally:
        lenient.close()


@pytest.mark.parametrize("raw", [b"", b"hello", b"MSH", b"\x00\xff\xfe", b"MSH|^~\\&", b"PID|1\r"])
def test_what_is_no_message_is_answered_with_a_rejection_and_kept(raw: bytes, ris: Ris) -> None:
    (answer,) = take(ris, raw)
    assert outcome(answer)[0] == "AR"
    assert rows(ris, "SELECT state FROM message") == [("refused",)]


def test_the_partner_says_how_its_bytes_are_read_when_the_message_does_not(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        uow.session.get_one(Partner, hospital.partner_id).charset = "8859/5"
    accept(ris, message(msh("ADT^A04^ADT_A01"), pid("M1", "Бродский^Иван")).decode().encode("iso8859-5"))
    accept(ris, message(msh("ADT^A04^ADT_A01", charset="UNICODE UTF-8"), pid("M2", "Łąka^Żaneta")))
    with ris.read() as session:
        assert patient_of(session, "M1").family == "Бродский"
        assert patient_of(session, "M2").family == "Łąka"
        assert session.scalars(sa.select(Message.charset).order_by(Message.id)).all()[0].startswith("iso8859")


def test_a_byte_that_no_charset_explains_does_not_stop_the_message(ris: Ris) -> None:
    raw = message(msh("ADT^A04^ADT_A01", charset="UNICODE UTF-8"), pid("M1", "Mead@w^Anna")).replace(b"@", b"\x9d")
    accept(ris, raw)
    with ris.read() as session:
        assert session.scalars(sa.select(Message.raw)).one() == raw


# ── repetitions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_bytes_again_get_the_stored_answer_and_change_nothing(ris: Ris) -> None:
    one = order(control_id="X1")
    first = take(ris, one)
    before = counts(ris, "message")
    assert take(ris, one) == first
    assert Intake(ris).take([(one, PLACE), (one, PLACE)]) == first * 2
    assert counts(ris, "message") == before
    assert [state for state, _ in journal(ris)] == ["applied", "repeated", "repeated", "repeated"]


def test_a_repetition_inside_a_group_is_answered_with_the_same_bytes(ris: Ris) -> None:
    one = order(control_id="X1")
    first, second = take(ris, one, one)
    assert first == second
    assert counts(ris)["imaging_order"] == 1


def test_the_same_bytes_into_two_intakes_at_once_are_applied_once(ris: Ris) -> None:
    messages = [order(f"P{n}^EHR", control_id=f"X{n}") for n in range(20)]
    start = threading.Barrier(2)
    answers: list[list[bytes]] = []

    def work() -> None:
        intake = Intake(ris)
        start.wait(10)
        answers.append([answer for one in messages for answer in intake.take([(one, PLACE)])])

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers[0] == answers[1]
    assert {outcome(answer) for answer in answers[0]} == {AA}
    assert counts(ris)["imaging_order"] == len(messages)
    assert sorted(state for state, _ in journal(ris)) == ["applied"] * 20 + ["repeated"] * 20


def test_the_same_control_id_with_other_bytes_is_another_message(ris: Ris) -> None:
    accept(ris, order("P1^EHR", control_id="X1"), order("P2^EHR", control_id="X1"))
    assert counts(ris)["imaging_order"] == 2


def test_a_partner_may_agree_that_a_control_id_is_used_once(ris: Ris, hospital: Hospital) -> None:
    agree(ris, hospital, control_id_reuse="refuse")
    accept(ris, order("P1^EHR", control_id="X1"))
    assert ask(ris, order("P2^EHR", control_id="X1"), order("P1^EHR", control_id="X2")) == [("AR", "205", "MSH^1^10"), AA]
    assert ask(ris, order("P3^EHR", control_id="X3")) == [AA]


def test_a_control_id_used_twice_in_one_group_is_refused_where_agreed(ris: Ris, hospital: Hospital) -> None:
    agree(ris, hospital, control_id_reuse="refuse")
    answers = take(ris, order("P1^EHR", control_id="X1"), order("P2^EHR", control_id="X1"))
    assert [outcome(answer) for answer in answers] == [AA, ("AR", "205", "MSH^1^10")]


@pytest.mark.parametrize("version", ["", "P", "1.9", "3.0", "2.10"])
def test_an_unknown_version_is_taken_unless_agreed(version: str, ris: Ris, hospital: Hospital) -> None:
    one = message(msh("ADT^A04", version=version), pid())
    accept(ris, one)
    agree(ris, hospital, unknown_version="refuse")
    (answer,) = take(ris, one.replace(b"Meadow", b"Brook"))
    assert answer.split(b"\r")[1].startswith(b"MSA|AR|")
    accept(ris, *(message(msh("ADT^A04", version=known), pid()) for known in ("2.1", "2.3.1", "2.5.1", "2.9")))


def test_the_same_control_id_of_another_sender_is_another_message(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        uow.add(Partner(name="B", application="B", facility="HOSP", zone="UTC", site_id=hospital.sites["MAIN"], policies={}))
    accept(ris, order("P1^EHR", control_id="X1"))
    accept(ris, message(msh("ORM^O01^ORM_O01", "X1", sender="B|HOSP"), pid("M5^^^B^MR"), orc("NW", "P1^EHR"), obr("P1^EHR")))
    assert counts(ris)["imaging_order"] == 2


def test_after_a_refusal_the_same_bytes_are_tried_anew(ris: Ris) -> None:
    late = cancel("P1^EHR", control_id="X1")
    assert ask(ris, late) == [("AE", "204", "ORC^1^2")]
    accept(ris, order("P1^EHR"), late)
    assert journal(ris) == [("refused", "AE"), ("applied", "AA"), ("applied", "AA")]


# ── groups ───────────────────────────────────────────────────────────────────────────────────────────────────────────

SAMPLES: tuple[Callable[[random.Random], bytes], ...] = (
    lambda r: adt("A04", pid(f"M{r.randint(1, 4)}", r.choice(("Meadow^Anna", "Brook^Ida"))), pv1(f"V{r.randint(1, 4)}")),
    lambda r: adt("A08", pid(f"M{r.randint(1, 4)}", r.choice(("Grove^Oscar", "", '""')))),
    lambda r: adt("A08", pid(f"M{r.randint(1, 2)}~M{r.randint(3, 4)}")),
    lambda r: order(
        f"P{r.randint(1, 4)}^EHR", r.choice(("CTHEAD^CT^L", "HEAD7^Skull^L")), f"M{r.randint(1, 4)}", r.choice(("NW", "XO", ""))
    ),
    lambda r: orm(
        pid(f"M{r.randint(1, 4)}"), pv1(f"V{r.randint(1, 4)}"), orc("NW", f"P{r.randint(1, 4)}^EHR"), obr("", "MRBRAIN"), obr("", "CTHEAD")
    ),
    lambda r: cancel(f"P{r.randint(1, 4)}^EHR", f"M{r.randint(1, 4)}"),
    lambda r: merge(f"M{r.randint(1, 4)}", f"M{r.randint(1, 4)}"),
    lambda r: orm(pid(f"M{r.randint(1, 4)}"), orc("NW", f"P{r.randint(1, 4)}^EHR"), obr("", "")),
    lambda r: message(msh("ADT^A04^ADT_A01", "-"), pid()),
    lambda r: adt("A08", pid(f"M{r.randint(1, 2)}"), f"AL1|1|DA|C{r.randint(1, 2)}^Contrast", f"IN1|1|PLAN{r.randint(1, 2)}|77|Mutual"),
    lambda r: message(msh("ORU^R01^ORU_R01"), pid(f"M{r.randint(1, 2)}"), obr("", "24323-8^Panel^LN"), creatinine(r.randint(1, 2))),
)


def creatinine(value: int) -> str:
    return f"OBX|1|NM|2160-0^Creatinine^LN||{value}|mg/dL|||||F|||20261120081500"


def mixture(seed: int, length: int = 25) -> list[bytes]:
    """Messages about few patients and orders, some twice, so that each meets what others left."""
    chance = random.Random(seed)
    messages = [chance.choice(SAMPLES)(chance) for _ in range(length)]
    return [one for one in messages for _ in range(1 + (chance.random() < 0.15))]


class OneByOne(Intake):
    """Every group fails when it is whole, as the fallback sees it."""

    def _in_transaction(self, incoming: object) -> None:
        if len(incoming) > 1:  # type: ignore[arg-type]
            raise sa.exc.InvalidRequestError("the group shall fail")
        super()._in_transaction(incoming)  # type: ignore[arg-type]


@pytest.fixture
def houses(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[Ris]]:
    """Three equal hospitals, each in a database of its own."""
    houses = [Ris(_settings(engine_name, tmp_path / name, request)) for name in ("whole", "single", "fallback")]
    for house in houses:
        build_hospital(house)
    yield houses
    for house in houses:
        house.close()


def _settings(engine_name: str, folder: Path, request: pytest.FixtureRequest) -> Settings:
    folder.mkdir()
    if engine_name == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_template"), folder / "ris.db")
        return Settings(data=Data(dir=folder))
    server = request.getfixturevalue("postgres")
    name = f"house_{uuid.uuid4().hex}"
    url = server.create_database(name, request.getfixturevalue("postgres_template"))
    return Settings(data=Data(dir=folder), database=Database(url=url))


@pytest.mark.parametrize("seed", range(4))
def test_a_group_equals_one_by_one_equals_the_fallback(seed: int, houses: list[Ris]) -> None:
    messages = mixture(seed)
    whole, single, fallback = houses
    answers = [
        [outcome(answer) for answer in take(whole, *messages)],
        [outcome(answer) for one in messages for answer in take(single, one)],
        [outcome(answer) for answer in OneByOne(fallback).take([(one, PLACE) for one in messages])],
    ]
    assert answers[0] == answers[1] == answers[2]
    assert contents(whole) == contents(single) == contents(fallback)


KEY = re.compile(r"\d{15,}")
MADE_HERE = {
    "id", "at", "answer", "created_at", "placed_at", "study_instance_uid", "accession_number", "filler_number", "due_at", "next_at",
    "started_at", "ended_at", "closed_at", "said_at", "facts", "moved", "resource", "row_version",
}  # fmt: skip
"""Columns with keys, times, numbers and counts of flushes, which differ from one run to the next."""
LEADS_TO = (
    "SELECT o.placer_number, i.key FROM imaging_order o JOIN patient_identifier i ON i.patient_id = o.patient_id",
    "SELECT v.key, i.key, i.merged FROM visit v JOIN patient_identifier i ON i.patient_id = v.patient_id",
    "SELECT o.placer_number, v.key FROM imaging_order o JOIN visit v ON v.id = o.visit_id",
    "SELECT o.placer_number, p.partner_code, p.status FROM imaging_order o JOIN requested_procedure p ON p.order_id = o.id",
    "SELECT p.partner_code, t.kind, t.state FROM requested_procedure p JOIN task t ON t.object_kind = 'procedure' AND t.object_id = p.id",
    "SELECT m.digest, l.object_kind FROM message m JOIN message_link l ON l.message_id = m.id",
    "SELECT a.family, b.family FROM patient a JOIN patient b ON a.merged_into_id = b.id",
)
"""What the keys lead to, in words."""


def contents(ris: Ris) -> dict[str, list[str]]:
    """Every row of every table without what the run made, and what the keys lead to."""
    found = {}
    with ris.read() as session:
        for name in sa.inspect(ris.engine).get_table_names():
            columns = [c["name"] for c in sa.inspect(ris.engine).get_columns(name)]
            kept = ", ".join(f'"{c}"' for c in columns if c not in MADE_HERE and not c.endswith("_id"))
            if kept and name != "sequence_value":
                found[name] = _sorted(session, f'SELECT {kept} FROM "{name}"')
        return found | {statement: _sorted(session, statement) for statement in LEADS_TO}


def _sorted(session: Session, statement: str) -> list[str]:
    return sorted(KEY.sub("#", repr(tuple(row))) for row in session.execute(sa.text(statement)))


def test_a_long_message_is_applied_alone_and_in_its_place(ris: Ris) -> None:
    long = orm(pid(), orc("NW", "P1^EHR"), obr("P1^EHR"), "NTE|1||" + "x" * ALONE_BYTES)
    assert [outcome(a) for a in take(ris, order("P0^EHR"), long, cancel("P1^EHR"))] == [AA] * 3
    assert rows(ris, "SELECT placer_number, status FROM imaging_order ORDER BY 1") == [("P0", "scheduled"), ("P1", "cancelled")]


def test_one_message_that_cannot_be_applied_spoils_none_of_its_group(ris: Ris) -> None:
    bad = orm(pid(), orc("NW", "P2^EHR"), obr("P2^EHR", ""))
    assert [outcome(a) for a in take(ris, order("P1^EHR"), bad, order("P3^EHR"))] == [AA, ("AE", "101", "OBR^1^4"), AA]
    assert rows(ris, "SELECT placer_number FROM imaging_order ORDER BY 1") == [("P1",), ("P3",)]
    assert [state for state, _ in journal(ris)].count("refused") == 1


def test_a_fault_of_ours_is_answered_spoils_no_neighbour_and_tells_the_log_no_name(ris: Ris, caplog: pytest.LogCaptureFixture) -> None:
    with ris.uow() as uow:
        uow.add(Partner(name="LOST", application="LOST", facility="LOST", zone="Nowhere/Meadow", policies={}))
    bad = message(msh("ORM^O01", sender="LOST|LOST"), pid(), "ORC|NW|P2|||||||20260101", obr("P2"))
    assert [outcome(a) for a in take(ris, order("P1^EHR"), bad, order("P3^EHR"))] == [AA, ("AE", "207", ""), AA]
    assert "ZoneInfoNotFoundError" in caplog.text
    assert "Meadow" not in caplog.text
    assert journal(ris) == [("applied", "AA"), ("refused", "AE"), ("applied", "AA")]


@pytest.mark.fault
@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_a_database_that_is_away_is_waited_for_once_a_group(ris: Ris, caplog: pytest.LogCaptureFixture) -> None:
    other = Ris(ris.settings)
    with other.engine.begin() as writer:
        answers = take(ris, *(order(f"P{n}^EHR") for n in range(20)))
        writer.exec_driver_sql("SELECT 1")
    other.close()
    assert [outcome(answer) for answer in answers] == [("AE", "207", "")] * 20
    assert caplog.text.count("could not be journalled") == 1


def test_lists_that_follow_each_other_in_one_group_leave_the_last(ris: Ris) -> None:
    said = [("C1", "GOLD", 1), ("C2", "BASIC", 2), ("C2", "BASIC", 2)]
    answers = take(
        ris,
        *(
            orm(pid(), f"AL1|1|DA|{code}^Contrast", f"IN1|1|{plan}|77|Mutual", orc("XO", "P1^EHR"), obr("P1^EHR"), creatinine(value))
            for code, plan, value in said
        ),
    )
    assert [outcome(answer)[0] for answer in answers] == ["AA"] * 3
    assert rows(ris, "SELECT code FROM allergy") == [("C2",)]
    assert rows(ris, "SELECT plan FROM coverage") == [("BASIC",)]
    assert rows(ris, "SELECT value FROM observation") == [("2",)]


def test_the_journal_says_what_a_message_touched(ris: Ris) -> None:
    accept(ris, adt("A04", pid(), pv1("V1")), order())
    kinds = rows(ris, "SELECT object_kind FROM message_link ORDER BY message_id, object_kind")
    assert kinds == [("patient",), ("visit",), ("order",), ("patient",), ("procedure",)]


def test_an_error_in_the_journal_names_code_and_place_and_no_patient(ris: Ris) -> None:
    ask(ris, cancel("P77^EHR", "M1"))
    ((error,),) = rows(ris, "SELECT error FROM message")
    assert error.startswith("204 at ORC^1^2: ")
    assert "P77" not in error


def test_every_message_is_kept_as_it_came(ris: Ris) -> None:
    messages = [order(), b"nonsense", cancel("P8^EHR")]
    take(ris, *messages)
    with ris.read() as session:
        assert session.scalars(sa.select(Message.raw).order_by(Message.id)).all() == messages
        assert set(session.scalars(sa.select(Message.state))) == {MessageState.applied, MessageState.refused}


# ── what a message costs ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_group_has_as_many_statements_as_a_message_alone(ris: Ris) -> None:
    """All of them for new patients."""
    intake = Intake(ris)
    first, alone, *group = [orm(pid(f"M{n}"), pv1(f"V{n}"), orc("NW", f"P{n}^EHR"), obr(f"P{n}^EHR", "CTHEAD")) for n in range(20)]
    intake.take([(first, PLACE)])
    counted = []
    for some in ([alone], group):
        with statements(ris) as told:
            assert all(outcome(answer) == AA for answer in intake.take([(one, PLACE) for one in some]))
        counted.append(len(told))
    assert counted[0] == counted[1] < 20


def test_a_patient_that_comes_with_a_visit_is_one_event(ris: Ris) -> None:
    accept(ris, adt("A04", pid("M1"), pv1("V1")))
    told = rows(ris, "SELECT name, object_kind FROM event") + rows(
        ris, "SELECT what, object_kind FROM audit_entry WHERE actor_kind = 'partner'"
    )
    assert told == [("patient.registered", "patient")] * 2
    accept(ris, adt("A04", pid("M1"), pv1("V2")))
    assert rows(ris, "SELECT name, object_kind FROM event ORDER BY id")[1:] == [("patient.visit_opened", "visit")]


@contextmanager
def statements(ris: Ris) -> Iterator[list[str]]:
    """What the database is asked to do meanwhile."""
    told: list[str] = []

    def note(_cursor: object, statement: str, *_: object) -> None:
        told.append(statement)

    names = ("do_execute", "do_executemany", "do_execute_no_params")
    for name in names:
        sa.event.listen(ris.engine, name, note)
    yield told
    for name in names:
        sa.event.remove(ris.engine, name, note)
