"""What the exam page shows of its order and its patient, told by a sender."""

from collections.abc import Callable

import sqlalchemy as sa

from ris.bootstrap import Ris
from tests.factories.hospital import Hospital
from tests.hl7.asking import accept, order_of
from tests.messages.samples import obr, orc, orm, pid, pv1
from tests.web.visitor import Visitor


def test_the_exam_page_shows_a_hold_allergies_findings_needs_and_copies(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    fields = pv1("V1").split("|")
    fields[15] = "B6"
    egfr = "OBX|1|SN|33914-3^eGFR^LN||>^90|mL/min|||||F|||20261101080000"
    allergy = "AL1|1|DA|C1^Iodinated <contrast>^L|SV|Hives"
    accept(
        ris,
        orm(pid(), "|".join(fields), allergy, orc("NW", "P1^EHR", f8="P0&EHR"), obr("P1^EHR", f28="77^Stone^Ada"), egfr),
        orm(pid(), orc("HD", "P1^EHR", f16="^waiting for the lab")),
    )
    with ris.read() as session:
        procedure_id = order_of(session).procedures[0].id
    someone = visitor()
    someone.enter(hospital.users["radiologist"])
    page = someone.get(f"/exams/{procedure_id}").text
    for shown in (
        "waiting for the lab", "Iodinated &lt;contrast&gt;", "(severe)", "Hives", "&gt;90 mL/min", "pregnant", "77 Stone, Ada", "P0"
    ):  # fmt: skip
        assert shown in page


def test_an_exam_with_contrast_says_what_speaks_against_it(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    with ris.engine.begin() as connection:
        connection.execute(sa.text("UPDATE procedure SET contrast = true WHERE code = 'CTCHESTC'"))
    accept(ris, orm(pid(), orc("NW", "P1^EHR"), obr("P1^EHR", "CTCHESTC^CT chest^L")))
    with ris.read() as session:
        procedure_id = order_of(session).procedures[0].id
    someone = visitor()
    someone.enter(hospital.users["technologist"])
    assert "Neither creatinine nor eGFR is known" in someone.get(f"/exams/{procedure_id}").text
    lab = "OBX|1|NM|33914-3^eGFR^LN||24|mL/min|||||F"
    accept(ris, orm(pid(), "AL1|1|DA|^Iohexol contrast", orc("XO", "P1^EHR"), obr("P1^EHR", "CTCHESTC^CT chest^L"), lab))
    page = someone.get(f"/exams/{procedure_id}").text
    assert "Contrast medium: Allergy: Iohexol contrast; eGFR 24 mL/min: below 30." in page
