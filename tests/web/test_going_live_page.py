"""Files of patients and prior reports in the browser: who decides what, who is told, and where a prior report is read."""

import io
from collections.abc import Callable

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.patient.model import PatientIdentifier
from tests.factories.hospital import Hospital
from tests.factories.orders import completed
from tests.web.visitor import Visitor, trail


def brought(someone: Visitor, kind: str, text: str) -> str:
    answer = someone.post(f"/imports/new/{kind}", file=(io.BytesIO(text.encode()), f"{kind}.csv"))
    assert answer.status_code == 303
    return answer.location


def test_patients_and_prior_reports_are_taken_in_and_a_report_is_read_beside_its_exam(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    exam = completed(ris, hospital)
    with ris.read() as session:
        number = session.execute(sa.select(PatientIdentifier.value)).scalar_one()
    someone = visitor()
    someone.enter(hospital.users["integration"])
    listed = someone.get("/imports").text
    assert "Future appointments" in listed
    assert "Materials" not in listed
    path = brought(someone, "patient", "number,authority,family,given,birth_date,sex\nN1,OLD,Meadow,Anna,1970-05-17,F\nN2,OLD,Ash,Ed,,M\n")
    page = someone.get(path).text
    assert "Left out until you decide" in page
    assert f"looks like {number}" in page
    assert "Unless you tick this, nobody outside hears of it." in page
    assert "Nobody outside was told of it." in someone.post(f"{path}/apply").text
    assert someone.post(f"{path}/apply").status_code == 303
    assert len(trail(ris, what="patient.registered")) == 1

    header = "source,number,patient_number,patient_authority,study_date,procedure,text\n"
    text = f"{header}Old RIS,A1,{number},HOSP,2019-03-04,CT chest,No nodule.\n"
    assert "The file is taken in." in someone.post(f"{brought(someone, 'prior_report', text)}/apply").text
    reader = visitor()
    reader.enter(hospital.users["radiologist"])
    read = reader.get(f"/exams/{exam.id}/report").text
    assert "2019-03-04, CT chest" in read
    assert "Old RIS A1" in read
    assert "No nodule." in read
