"""The report page: doubts are answered before a signature, earlier exams stand beside, images are one recorded step away."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from pydantic import SecretStr

from ris.audit.model import Outcome
from ris.bootstrap import Ris
from ris.catalog.records import service as catalog
from ris.order.model import RequestedProcedure
from ris.patient.model import PatientIdentifier
from ris.report.reading import report_of
from ris.report.writing import viewer
from ris.report.writing.viewer import IMAGE_VIEWER
from ris.settings import Settings
from tests.factories.hospital import PASSWORD, Hospital
from tests.factories.orders import completed
from tests.web.visitor import Visitor, trail

KEY = "shared with the viewer"
ADDRESS = "https://pacs.test/v?study={study}&acc={accession}&pat={patient}&user={user}&until={expires}&sig={signature}"
HIDDEN = re.compile(r'name="(row_version|displayed)" value="([^"]*)"')
REASON = re.compile(r'name="(reason:[^"]*)" value="([^"]*)"')


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"web": settings.web.model_copy(update={"viewer_key": SecretStr(KEY)})})


@pytest.fixture
def exam(ris: Ris, hospital: Hospital) -> RequestedProcedure:
    return completed(ris, hospital)


@pytest.fixture
def radiologist(app: Flask, hospital: Hospital, visitor: Callable[[], Visitor]) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["radiologist"])
    return someone


def test_a_text_that_does_not_fit_is_signed_only_with_a_reason(ris: Ris, exam: RequestedProcedure, radiologist: Visitor) -> None:
    page = f"/exams/{exam.id}/report"
    assert radiologist.post(f"{page}/claim").status_code == 303
    seen = dict(HIDDEN.findall(radiologist.get(page).text))
    words = {"text": "\U0001f480 FINDINGS\r\nProstate normal.\r\nIMPRESSION\r\nNormal.", "row_version": seen["row_version"]}
    saved = radiologist.post(f"{page}/draft", **words).json
    assert 'data-place="12-20">Prostate' in saved["doubts"]
    assert REASON.findall(saved["doubts"]) == [("reason:sex: prostate", "")]
    words |= {"as": "final", "password": PASSWORD, "displayed": seen["displayed"], "row_version": saved["row_version"]}
    refused = radiologist.post(f"{page}/sign", **words)
    assert refused.status_code == 409
    assert "Not signed yet: look at the places below" in refused.text
    assert re.search(r'name="reason:sex: prostate"[^>]* autofocus', refused.text)
    assert "Prostate normal." in refused.text
    signed = radiologist.post(f"{page}/sign", **words, **{"reason:sex: prostate": "a trans woman"})
    assert signed.status_code == 303
    with ris.read() as session:
        report = report_of(session, exam.id)
    assert report is not None
    assert report.status == "final"
    assert "the patient is female (“Prostate”): a trans woman" in radiologist.get(page).text
    # An addendum is held to the same.
    below = dict(HIDDEN.findall(radiologist.get(page).text))["displayed"]
    addendum = {"text": "He was told.", "displayed": below}
    refused = radiologist.post(f"{page}/addendum", **addendum)
    assert (refused.status_code, REASON.findall(refused.text)) == (409, [("reason:sex: he", "")])
    assert radiologist.post(f"{page}/addendum", **addendum, **{"reason:sex: he": "the husband"}).status_code == 303


def test_the_images_are_one_recorded_step_away_and_never_those_of_another(
    ris: Ris, hospital: Hospital, exam: RequestedProcedure, radiologist: Visitor
) -> None:
    page = radiologist.get(f"/exams/{exam.id}/report").text
    assert "Alt+V" not in page
    path = f"/exams/{exam.id}/images?patient={exam.order.patient_id}&study={exam.study_instance_uid}"
    assert radiologist.get(path).status_code == 409
    with ris.uow() as uow:
        catalog.add(uow, IMAGE_VIEWER, {"site": "MAIN", "address": ADDRESS})
    assert path.replace("&", "&amp;") in radiologist.get(f"/exams/{exam.id}/report").text
    answer = radiologist.get(path)
    link = urlsplit(answer.location)
    values = {name: value for name, (value,) in parse_qs(link.query).items()}
    with ris.read() as session:
        mrn = session.query(PatientIdentifier.value).filter_by(patient_id=exam.order.patient_id).scalar()
    signed = {"study": exam.study_instance_uid, "accession": exam.accession_number, "patient": mrn, "user": "radiologist"}
    assert (answer.status_code, link.netloc) == (303, "pacs.test")
    assert [values[name] for name in ("study", "acc", "pat", "user")] == list(signed.values())
    assert values["sig"] == viewer.signature(KEY, **signed, expires=values["until"])
    assert values["sig"] != viewer.signature(KEY, **signed | {"study": "1.2.3"}, expires=values["until"])
    assert int(values["until"]) == int((ris.clock() + viewer.HOLDS).timestamp())
    for other in (f"patient={exam.order.patient_id}&study=1.2.3", f"patient=1&study={exam.study_instance_uid}", ""):
        refused = radiologist.get(f"/exams/{exam.id}/images?{other}")
        assert (refused.status_code, "do not belong together" in refused.text) == (409, True)
    assert [entry.outcome for entry in trail(ris, what="images")] == [Outcome.success]


def test_macros_are_kept_on_their_page_and_come_filled_to_the_editor(
    ris: Ris, hospital: Hospital, exam: RequestedProcedure, radiologist: Visitor
) -> None:
    fields = {"shortcut": "appy", "name": "Appendix", "active": "yes"}
    refused = radiologist.post("/macros/new", **fields, text="{agee}")
    assert (refused.status_code, "names agee in braces" in refused.text) == (422, True)
    added = radiologist.post("/macros/new", **fields, text="At {age}: [size] mm.")
    assert added.status_code == 303
    assert radiologist.post("/macros/new", **fields, text="Again.").status_code == 409
    path = urlsplit(added.location).path
    assert radiologist.post(path, text="Normal at {age}.", name="Appendix", row_version="1").status_code == 303
    assert radiologist.post(path, text="Lost.", row_version="1").status_code == 409
    assert "Normal at {age}." in radiologist.get("/macros").text
    assert radiologist.get(f"/exams/{exam.id}/texts").json == [{"key": ".appy", "name": "Appendix", "text": "Normal at 56 years."}]
    assert radiologist.post(f"{path}/undo", row_version="2").status_code == 303
    page = radiologist.get(path).text
    assert ("At {age}: [size] mm." in page, "Normal at {age}." in page) == (True, True)
    radiologist.enter(hospital.users["resident"])
    assert (radiologist.get(path).status_code, radiologist.post(path, text="Stolen.").status_code) == (404, 404)
    assert radiologist.get(f"/exams/{exam.id}/texts").json == []


def test_a_viewer_without_a_signature_and_a_template_with_a_wrong_name_are_refused(
    hospital: Hospital, visitor: Callable[[], Visitor]
) -> None:
    administrator = visitor()
    administrator.enter(hospital.users["administrator"])
    wrong = administrator.post("/catalog/image_viewer/new", site="MAIN", address="javascript://x?{study}{who}", active="yes")
    assert wrong.status_code == 422
    wrong = administrator.post("/catalog/image_viewer/new", site="MAIN", address="https://pacs.test/{study}/{expires}", active="yes")
    assert "does not hold signature" in wrong.text
    fields = {"code": "HEAD", "name": "Head", "procedure": "CTHEAD", "active": "yes"}
    wrong = administrator.post("/catalog/report_template/new", **fields, modality="CT", text="{agee}", age_from="9", age_to="8")
    assert [word in wrong.text for word in ("names agee in braces", "leave it open", "less than the youngest age")] == [True] * 3
    right = administrator.post("/catalog/report_template/new", **fields, text="{age}", sex="F", site="")
    assert right.status_code == 303
    assert "any" in administrator.get("/catalog/report_template").text
