"""A clerk who saves at the moment in which the database asks to try again sees nothing of it."""

import pytest
from sqlalchemy.exc import OperationalError

from ris.bootstrap import Ris
from ris.web.app import create_app
from ris.web.patience import patiently
from tests.factories.hospital import Hospital
from tests.hl7.asking import rows
from tests.injecting import FAULTS, Fault, Injection
from tests.outbox.outgoing import place
from tests.web.visitor import Visitor

BUSY = Exception("database is locked")
SIXTH = 6
"""A statement in the middle of what the form does."""


@pytest.mark.parametrize(("engine_name", "fault"), [FAULTS["busy"], FAULTS["deadlock"]], ids=["busy", "deadlock"])
def test_a_form_that_meets_a_busy_database_is_taken_once_without_an_error(fault: Fault, ris: Ris, hospital: Hospital) -> None:
    app = create_app(ris)
    clerk = Visitor(app, ris)
    clerk.enter(hospital.users["front_desk"])
    (exam_id,) = place(ris, hospital, "P1").procedure_ids
    with Injection(ris.engine, fault) as injection:
        clerk.get("/exams")
        injection.at(SIXTH)
        answer = clerk.post(f"/exams/{exam_id}/cancel", reason="not wanted")
        assert injection.was_met
    assert answer.status_code == 303
    assert rows(ris, "SELECT count(*) FROM event WHERE name = 'order.procedure_cancelled'") == [(1,)]
    # What has committed before it fails is not done twice.
    tries = []

    def commit_and_fail() -> None:
        tries.append(1)
        with ris.uow() as uow:
            uow.session.connection()
        raise OperationalError("", None, BUSY)

    with app.test_request_context("/"), pytest.raises(OperationalError):
        patiently(commit_and_fail)
    assert len(tries) == 1
