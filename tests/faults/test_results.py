"""The database fails at each statement while a report becomes a file: one file, one record, told once."""

import pytest
import sqlalchemy as sa

from ris.audit.model import AuditEntry
from ris.bootstrap import Ris
from ris.distribution import queries, service
from ris.post import folder
from ris.referrer.model import Delivery as By
from tests.factories.hospital import Hospital
from tests.factories.results import exam_with_copies, referrer, sign
from tests.faults.test_every_statement import each_fault
from tests.injecting import Fault, Injection

pytestmark = pytest.mark.fault


@each_fault
def test_a_file_of_a_report_is_there_once_whatever_statement_fails(fault: Fault, ris: Ris, hospital: Hospital) -> None:
    referrer(ris, "Early", By.folder, folder="early")
    report_id = sign(ris, hospital, exam_with_copies(ris, hospital, "Early"))
    number = 0
    with Injection(ris.engine, fault) as injection:
        while True:
            number += 1
            injection.at(number)
            try:
                folder.write_due(ris)
            except sa.exc.DBAPIError:
                assert injection.was_met
            was_met = injection.was_met
            injection.at(0)
            folder.write_due(ris)
            if not was_met:
                break
            with ris.uow() as uow:
                newest = queries.of_report(uow.session, report_id)[0]
                service.send_again(uow, newest.dispatch_id, "and once more")
    with ris.read() as session:
        rows = [row for row in queries.of_report(session, report_id) if row.channel == "folder"]
        told = session.scalar(sa.select(sa.func.count()).where(AuditEntry.what == "result.sent"))
    assert number > 10
    assert [row.state for row in rows] == ["sent"] * number
    assert sorted(path.name for path in (ris.settings.results_folder / "early").iterdir()) == sorted(row.reason for row in rows)
    assert told == number
