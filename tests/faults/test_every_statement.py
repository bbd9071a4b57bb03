"""A fault of the database at each statement of a unit of work in turn: one effect, or none and the reason."""

from collections.abc import Callable
from contextlib import suppress

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from ris.bootstrap import Ris
from ris.hl7.intake import Intake
from ris.web.app import create_app
from tests.factories.hospital import Hospital
from tests.hl7.asking import AA, PLACE, counts, journal, outcome, rows
from tests.injecting import FAULTS, PASSING, Fault, Injection
from tests.messages.samples import cancel, obr, orc, order, orm, pid, pv1
from tests.outbox.outgoing import add_destination, place
from tests.web.visitor import Visitor

pytestmark = pytest.mark.fault

each_fault = pytest.mark.parametrize(
    ("engine_name", "fault"), [pytest.param(engine, fault, id=name) for name, (engine, fault) in FAULTS.items()], indirect=["engine_name"]
)
STORED = ("patient", "patient_identifier", "visit", "imaging_order")


def group(number: int) -> list[bytes]:
    """Three new patients, each with a visit and an order of two procedures."""
    names = [f"{number}N{n}" for n in range(3)]
    return [orm(pid(f"M{n}"), pv1(f"V{n}"), orc("NW", f"P{n}^EHR"), obr("", "CTHEAD"), obr("", "MRBRAIN")) for n in names]


def changed(placer: str) -> bytes:
    return orm(pid(), orc("XO", placer, f7="^^^^^S"), obr(placer))


@each_fault
def test_a_group_of_messages_that_fails_at_any_statement_is_applied_once_as_a_whole(fault: Fault, ris: Ris, hospital: Hospital) -> None:
    intake = Intake(ris)
    number = 0
    with Injection(ris.engine, fault) as injection:
        intake.take([(one, PLACE) for one in group(0)])
        while True:
            number += 1
            injection.at(number)
            answers = intake.take([(one, PLACE) for one in group(number)])
            assert [outcome(answer) for answer in answers] == [AA] * 3, f"statement {number}"
            if not injection.was_met:
                break
    print(f"{number - 1} statements")
    assert number > 5
    messages = 3 * (number + 1)
    found = counts(ris)
    assert {table: found[table] for table in STORED} == dict.fromkeys(STORED, messages)
    assert found["requested_procedure"] == 2 * messages
    assert journal(ris) == [("applied", "AA")] * messages
    for said in ("event WHERE name", "audit_entry WHERE what"):
        assert rows(ris, f"SELECT count(*) FROM {said} = 'order.placed'") == [(messages,)]


@each_fault
def test_a_form_that_fails_at_any_statement_acts_once_or_says_why_not(fault: Fault, ris: Ris, hospital: Hospital) -> None:
    """What passes by itself is tried again: a person asks anew only when the database was lost or ill."""
    app = create_app(ris)
    app.testing = False
    clerk = Visitor(app, ris)
    clerk.enter(hospital.users["front_desk"])
    add_destination(ris, "whoever is told", 1, "order.procedure_cancelled")
    number, refused = 0, 0

    def cancelled(procedure_id: int) -> list[int]:
        """Events, entries of the trail and deliveries that tell of it."""
        about = f"name = 'order.procedure_cancelled' AND object_id = {procedure_id}"
        trail = f"what = 'order.procedure_cancelled' AND object_id = {procedure_id}"
        queries = (
            f"SELECT count(*) FROM event WHERE {about}",
            f"SELECT count(*) FROM audit_entry WHERE {trail}",
            f"SELECT count(*) FROM delivery WHERE event_id IN (SELECT id FROM event WHERE {about})",
        )
        return [rows(ris, query)[0][0] for query in queries]

    with Injection(ris.engine, fault) as injection:
        while True:
            number += 1
            (procedure_id,) = place(ris, hospital, f"P{number}").procedure_ids
            injection.at(number)
            answer = clerk.post(f"/exams/{procedure_id}/cancel", reason="not wanted")
            if not injection.was_met:
                break
            if answer.status_code != 303:
                refused += 1
                assert answer.status_code == 503, f"statement {number}"
                assert cancelled(procedure_id) == [0, 0, 0], f"statement {number}"
                assert clerk.post(f"/exams/{procedure_id}/cancel", reason="not wanted").status_code == 303
            assert cancelled(procedure_id) == [1, 1, 1], f"statement {number}"
    print(f"{number - 1} statements, {refused} times a person had to ask again")
    assert number > 10
    assert (refused == 0) is (fault in PASSING)


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
@pytest.mark.parametrize("make", [changed, cancel], ids=["change", "cancellation"])
def test_an_order_that_somebody_changes_at_any_statement_is_looked_at_again(
    make: Callable[[str], bytes], ris: Ris, hospital: Hospital
) -> None:
    """Somebody at a page, whom the locks of the messages do not keep out."""
    intake = Intake(ris)
    others = sa.create_engine(ris.engine.url, connect_args={"options": "-c lock_timeout=20ms"})

    def change(_: object) -> None:
        # When the row is locked already, who changes it comes later.
        with suppress(OperationalError), others.begin() as connection:
            connection.exec_driver_sql("UPDATE imaging_order SET row_version = row_version + 1")

    number = 0
    with Injection(ris.engine, change) as injection:
        while number == 0 or injection.was_met:
            number += 1
            assert [outcome(answer) for answer in intake.take([(order(f"P{number}^EHR"), PLACE)])] == [AA]
            injection.at(number)
            assert [outcome(answer) for answer in intake.take([(make(f"P{number}^EHR"), PLACE)])] == [AA], f"statement {number}"
    others.dispose()
    print(f"{number - 1} statements")
    assert number > 5
