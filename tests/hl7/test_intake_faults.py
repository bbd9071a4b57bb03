"""The intake while PostgreSQL asks for another try, while a connection is lost at every statement, and at COMMIT itself."""

from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.hl7.intake import Intake
from ris.settings import Database
from tests.hl7.asking import AA, PLACE, accept, counts, journal, outcome, rows
from tests.hl7.cutting import CuttingProxy
from tests.messages.samples import obr, orc, order, orm, pid, pv1

pytestmark = [pytest.mark.usefixtures("hospital"), pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)]

WRITTEN = (
    "patient",
    "patient_identifier",
    "visit",
    "imaging_order",
    "requested_procedure",
    "message",
    "message_link",
    "event",
    "audit_entry",
)
RAISE = {
    "serialization_failure": "RAISE EXCEPTION 'injected' USING ERRCODE = '40001'",
    "deadlock_detected": "RAISE EXCEPTION 'injected' USING ERRCODE = '40P01'",
    "lost connection": "PERFORM pg_terminate_backend(pg_backend_pid())",
    "row changed by another": "RETURN NULL",
}


def inject(ris: Ris, fault: str, table: str, *, when: str = "BEFORE INSERT", times: int = 1) -> None:
    """The first rows that are written to the table meet the fault; the count of them outlives the rollback."""
    with ris.engine.begin() as connection:
        connection.exec_driver_sql("CREATE SEQUENCE met")
        connection.exec_driver_sql(
            f"CREATE FUNCTION inject() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF nextval('met') <= {times} THEN {RAISE[fault]}; END IF; RETURN NEW; END $$"
        )
        kind = "CONSTRAINT TRIGGER inject AFTER INSERT" if when == "AT COMMIT" else f"TRIGGER inject {when}"
        deferred = "DEFERRABLE INITIALLY DEFERRED " if when == "AT COMMIT" else ""
        connection.exec_driver_sql(f'CREATE {kind} ON "{table}" {deferred}FOR EACH ROW EXECUTE FUNCTION inject()')


def met(ris: Ris) -> int:
    return int(rows(ris, "SELECT last_value FROM met")[0][0])


def group() -> list[bytes]:
    """Three new patients, each with a visit and an order of two procedures."""
    return [orm(pid(f"M{n}"), pv1(f"V{n}"), orc("NW", f"P{n}^EHR"), obr("", "CTHEAD"), obr("", "MRBRAIN")) for n in range(3)]


def take(ris: Ris, *messages: bytes) -> list[bytes]:
    return Intake(ris).take([(one, PLACE) for one in messages])


def check_once(ris: Ris, number: int = 3) -> None:
    """Every effect of the group is there, and none of them twice."""
    found = counts(ris)
    assert {t: found[t] for t in ("patient", "patient_identifier", "visit", "imaging_order")} == dict.fromkeys(
        ("patient", "patient_identifier", "visit", "imaging_order"), number
    )
    assert found["requested_procedure"] == 2 * number
    assert journal(ris) == [("applied", "AA")] * number
    assert rows(ris, "SELECT count(*) FROM event WHERE name = 'order.placed'") == [(number,)]
    assert rows(ris, "SELECT count(*) FROM audit_entry WHERE what = 'order.placed'") == [(number,)]


@pytest.mark.parametrize("table", WRITTEN)
@pytest.mark.parametrize("fault", ["serialization_failure", "deadlock_detected", "lost connection"])
def test_a_group_that_fails_at_any_table_is_applied_once_as_a_whole(fault: str, table: str, ris: Ris) -> None:
    inject(ris, fault, table)
    assert [outcome(answer) for answer in take(ris, *group())] == [AA] * 3
    assert met(ris) > 1
    check_once(ris)


def test_a_database_that_never_stops_asking_is_answered_ae_and_the_same_bytes_are_taken_later(ris: Ris) -> None:
    inject(ris, "serialization_failure", "visit", times=8)
    one = group()[0]
    assert [outcome(a)[:2] for a in (*take(ris, one), *take(ris, one))] == [("AE", "207")] * 2
    assert outcome(*take(ris, one)) == AA
    assert [answer for _, answer in journal(ris)] == ["AE", "AE", "AA"]
    assert counts(ris)["visit"] == 1


def test_a_connection_that_is_lost_under_one_message_is_answered_ae(ris: Ris) -> None:
    inject(ris, "lost connection", "visit")
    one = group()[0]
    assert outcome(*take(ris, one))[:2] == ("AE", "207")
    assert outcome(*take(ris, one)) == AA
    assert counts(ris)["visit"] == 1


def test_a_connection_that_was_lost_between_two_messages_costs_neither(ris: Ris) -> None:
    intake = Intake(ris)
    one, other, _ = group()
    assert outcome(*intake.take([(one, PLACE)])) == AA
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    url = ris.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as killer:
        killer.execute(others)
    assert outcome(*intake.take([(other, PLACE)])) == AA
    check_once(ris, 2)


def test_an_order_that_somebody_else_changed_meanwhile_is_looked_at_again(ris: Ris) -> None:
    accept(ris, order("P1^EHR"))
    inject(ris, "row changed by another", "imaging_order", when="BEFORE UPDATE")
    assert outcome(*take(ris, orm(pid(), orc("XO", "P1^EHR", f7="^^^^^S"), obr("P1^EHR")))) == AA
    assert met(ris) == 2
    assert rows(ris, "SELECT priority FROM imaging_order") == [("S",)]


def test_nothing_is_said_of_a_message_whose_commit_was_lost_and_undone(ris: Ris, caplog: pytest.LogCaptureFixture) -> None:
    inject(ris, "lost connection", "visit", when="AT COMMIT")
    messages = group()
    assert take(ris, *messages) == [b""] * 3
    assert "answer to COMMIT was lost" in caplog.text
    assert counts(ris)["imaging_order"] == 0
    assert [outcome(answer) for answer in take(ris, *messages)] == [AA] * 3
    check_once(ris)


@pytest.fixture
def behind_proxy(ris: Ris) -> Iterator[tuple[Ris, CuttingProxy]]:
    url = sa.make_url(ris.settings.database_url)
    with CuttingProxy(url.port or 0) as proxy:
        far = Ris(
            ris.settings.model_copy(update={"database": Database(url=url.set(port=proxy.port).render_as_string(hide_password=False))})
        )
        yield far, proxy
        far.close()


def test_a_commit_that_went_through_without_its_answer_is_found_in_the_journal(
    behind_proxy: tuple[Ris, CuttingProxy], ris: Ris, caplog: pytest.LogCaptureFixture
) -> None:
    far, proxy = behind_proxy
    accept(far, order("P9^EHR", mrn="M9"))
    messages = group()
    proxy.arm()
    answers = take(far, *messages)
    assert proxy.cuts == 1
    assert "answer to COMMIT was lost" in caplog.text
    assert [outcome(answer) for answer in answers] == [AA] * 3
    assert take(far, *messages) == answers
    assert counts(ris)["imaging_order"] == 4
