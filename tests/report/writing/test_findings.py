"""Coded findings are needed where the procedure says so and stay with the version; macros are one's own, or of all."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ris.base.errors import Duplicate, Forbidden, Invalid, NotAllowedNow, NotFound
from ris.bootstrap import Ris
from ris.catalog.records import service as catalog
from ris.catalog.records.history import history
from ris.catalog.records.record import Rejected
from ris.report import reading, service
from ris.report.writing import findings, macros
from ris.report.writing.findings import FINDING_CODE, PROCEDURE_SCHEME, Finding
from ris.report.writing.gate import Doubtful
from ris.report.writing.macros import MACRO
from ris.report.writing.model import VersionFinding
from tests.factories.hospital import Hospital
from tests.factories.orders import completed

CODES = (("BI-RADS", "2", "Benign", ""), ("BI-RADS", "4A", "Suspicious", ""), ("Nodule", "DIAM", "Diameter", "mm"))
TEXT = "FINDINGS\nA nodule.\n\nIMPRESSION\nBI-RADS: 4A"
NODULE, BENIGN = Finding("Nodule", "DIAM", "12,5"), Finding("BI-RADS", "2")


def test_a_category_is_needed_must_agree_with_the_text_and_stays_with_the_version(ris: Ris, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    with ris.uow(hospital.actor("radiologist")) as uow:
        with pytest.raises(Rejected, match="has no codes yet"):
            catalog.add(uow, PROCEDURE_SCHEME, {"procedure": "CTHEAD", "scheme": "BI-RADS"})
        for row in CODES:
            catalog.add(uow, FINDING_CODE, dict(zip(("scheme", "code", "name", "unit"), row, strict=True)))
        for scheme, required in (("BI-RADS", "yes"), ("Nodule", "no")):
            catalog.add(uow, PROCEDURE_SCHEME, {"procedure": "CTHEAD", "scheme": scheme, "required": required})
        report_id = service.claim(uow, service.open_for(uow, exam.id).id).id
        uow.session.flush()
        assert [each.scheme for each in findings.asked(uow.session, hospital.procedures["CTHEAD"])] == ["BI-RADS", "Nodule"]
    with ris.uow(hospital.actor("radiologist")) as uow:
        report = service.open_for(uow, exam.id)
        for wrong in (
            [Finding("BI-RADS", "9")], [Finding("Nodule", "DIAM", "wide")], [Finding("Nodule", "DIAM")], [Finding("BI-RADS", "2", "1")],
            [BENIGN, Finding("BI-RADS", "4A")],
        ):  # fmt: skip
            with pytest.raises(Invalid):
                service.save_draft(uow, report_id=report_id, text=TEXT, row_version=report.row_version, coded=wrong)
        service.save_draft(uow, report_id=report_id, text=TEXT, row_version=report.row_version, coded=[NODULE])
        with pytest.raises(NotAllowedNow, match="choose BI-RADS first"):
            service.sign_preliminary(uow, report_id=report_id, text=TEXT, row_version=report.row_version)
        with pytest.raises(Doubtful, match="category: 2 is chosen below"):
            service.sign_preliminary(uow, report_id=report_id, text=TEXT, row_version=report.row_version, coded=[NODULE, BENIGN])
    with ris.uow(hospital.actor("radiologist")) as uow:
        version = service.open_for(uow, exam.id).row_version
        right = [NODULE, Finding("BI-RADS", "4A")]
        service.sign_final(uow, report_id=report_id, text=TEXT, row_version=version, password_checked=True, coded=right)
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.addend(uow, report_id=report_id, text="Told by telephone.", password_checked=True)
    with ris.read() as session:
        row = reading.report_of(session, exam.id)
    assert row is not None
    said = [("BI-RADS", "4A", "Suspicious", "", ""), ("Nodule", "DIAM", "Diameter", "12.5", "mm")]
    assert [[(f.scheme, f.code, f.name, f.value, f.unit) for f in version.findings] for version in row.versions] == [said, said]
    with pytest.raises(DBAPIError, match="is not changed once it is written"), ris.engine.begin() as connection:
        connection.execute(sa.update(VersionFinding).values(code="2"))
    with ris.uow(hospital.actor("radiologist")) as uow:
        service.retract(uow, report_id=report_id, reason="wrong patient", password_checked=True)
        uow.session.flush()
        assert findings.written(uow.session, report_id) == {}


def test_a_macro_is_its_owners_and_one_of_all_is_kept_by_who_has_the_right(ris: Ris, hospital: Hospital) -> None:
    texts = {"shortcut": "appy", "name": "Appendix", "text": "Normal."}
    with ris.uow(hospital.actor("lead_radiologist")) as uow:
        shared_id = macros.add(uow, texts, is_shared=True).id
    with ris.uow(hospital.actor("radiologist")) as uow:
        with pytest.raises(Forbidden):
            macros.add(uow, texts | {"shortcut": "other"}, is_shared=True)
        with pytest.raises(Forbidden):
            macros.change(uow, shared_id, {"text": "Mine."}, row_version=1)
        own = macros.add(uow, texts | {"text": "Mine, {age}."}, is_shared=False)
        own_id = own.id
        with pytest.raises(Duplicate):
            macros.add(uow, texts, is_shared=False)
        for wrong in ({"shortcut": ".x"}, {"shortcut": "new", "text": "{agee}"}):
            with pytest.raises(Rejected):
                macros.add(uow, texts | wrong, is_shared=False)
    with ris.uow(hospital.actor("radiologist")) as uow:
        macros.change(uow, own_id, {"text": "Mine."}, row_version=1)
        uow.session.flush()
        assert macros.undo(uow, own_id, row_version=2).text == "Mine, {age}."
    with ris.uow(hospital.actor("resident")) as uow:
        with pytest.raises(NotFound):
            macros.change(uow, own_id, {"text": "Stolen."}, row_version=3)
        assert [macro.text for macro in macros.offered(uow.session, hospital.users["resident"])] == ["Normal."]
    with ris.read() as session:
        assert [macro.text for macro in macros.offered(session, hospital.users["radiologist"])] == ["Mine, {age}."]
        assert [(change.who, change.after.get("text")) for change in history(session, MACRO, own_id)] == [
            ("Test Radiologist", "Mine, {age}."), ("Test Radiologist", "Mine."), ("Test Radiologist", "Mine, {age}.")
        ]  # fmt: skip
