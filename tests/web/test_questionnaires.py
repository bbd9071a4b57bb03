"""Writing questionnaires in the browser: a draft, its faults, publication, the next version, and files that go out and come back."""

import csv
import io
import json
from collections.abc import Callable

import pytest

from ris.base.csv_text import csv_text
from ris.bootstrap import Ris
from ris.questionnaire import queries
from ris.questionnaire.queries import VersionRow
from tests.factories.hospital import Hospital
from tests.questionnaire.forms import published, raw
from tests.web.visitor import Visitor, trail


@pytest.fixture
def author(hospital: Hospital, visitor: Callable[[], Visitor]) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["administrator"])
    return someone


def rows(ris: Ris, code: str) -> list[VersionRow]:
    with ris.read() as session:
        return [row for row in queries.versions(session) if row.code == code]


def bring(author: Visitor, name: str, text: str, **fields: object) -> str:
    return author.post("/questionnaires/import", file=(io.BytesIO(text.encode()), name), **fields).text


QUESTION = {
    "key": "fasting", "kind": "yes_no", "text-en": "Did you eat today?", "required": "on", "positive_is": "yes, unsure",
    "finding": "Has eaten", "days": "1",
}  # fmt: skip
HEAD = {"languages": "en", "title-en": "Fasting", "modalities": "US", "valid_days": "0"}


def test_a_draft_is_written_published_and_changed_into_the_next_version(ris: Ris, author: Visitor) -> None:
    assert author.post("/questionnaires", title="Fasting", code="Fasting!").status_code == 422
    path = author.post("/questionnaires", title="Fasting", code="fasting").location
    assert author.post("/questionnaires", title="Fasting", code="fasting").status_code == 409
    assert "name a modality or a procedure" in author.get(path).text.lower()
    refused = author.post(f"{path}/publish")
    assert refused.status_code == 422
    assert "Questions: there is none" in refused.text
    refused = author.post(f"{path}/questions/-1", **{**QUESTION, "least": "few"})
    assert refused.status_code == 422
    assert "least is not a number" in refused.text.lower()
    assert 'value="Has eaten"' in refused.text
    assert author.post(f"{path}/questions/7", **QUESTION).status_code == 422
    for fields in (QUESTION, {"key": "hours", "kind": "number", "text-en": "How many hours ago?", "when_key": "fasting", "when_is": "no"}):
        assert author.post(f"{path}/questions/-1", **fields).status_code == 303
    assert author.post(path, **HEAD).status_code == 303
    stale = author.post(path, **HEAD, row_version=1)
    assert stale.status_code == 409
    assert author.post(f"{path}/questions/1", **{**QUESTION, "key": "hours", "when_key": "fasting", "when_is": "yes"}).status_code == 303
    assert author.post(f"{path}/publish").status_code == 303
    assert "Did you eat today?" in author.get(f"{path}/preview").text
    assert author.post(f"{path}/questions/1/move", remove="yes").status_code == 303
    newest, first = rows(ris, "fasting")
    assert (newest.number, newest.published_at, len(newest.content.items)) == (2, None, 1)
    assert (first.number, len(first.content.items)) == (1, 2)
    assert "exams ask for version 1 until it is published" in author.get(path).text
    assert author.post(f"{path}/discard").status_code == 303
    assert author.post(f"{path}/discard").status_code == 409
    assert author.post(f"{path}/questions/1/move").status_code == 303
    assert [item.key for item in rows(ris, "fasting")[0].content.items] == ["hours", "fasting"]
    refused = author.post(f"{path}/publish")
    assert "no question fasting stands before it" in refused.text
    assert author.post(f"{path}/retire").status_code == 303
    assert "retired" in author.get("/questionnaires").text
    with ris.read() as session:
        assert queries.in_force(session) == []
    told = [entry.what for entry in trail(ris, object_kind="questionnaire")]
    assert (told[0], told[-1], told.count("questionnaire.published")) == ("questionnaire.added", "questionnaire.retired", 1)


def test_a_file_is_looked_at_first_and_every_fault_has_its_line(ris: Ris, author: Visitor) -> None:
    with ris.uow() as uow:
        published(uow, "mr-safety")
    (before,) = rows(ris, "mr-safety")
    path = f"/questionnaires/{before.questionnaire_id}"
    whole = author.get(f"{path}/export.json").text
    assert json.loads(whole)["items"][0]["key"] == "pacemaker"
    assert "what is here already" in bring(author, "same.json", whole)
    sheet = author.get(f"{path}/export.csv").text
    assert "what is here already" in bring(author, "same.csv", sheet, questionnaire_id=before.questionnaire_id)
    lines = list(csv.reader(io.StringIO(sheet)))
    kind, most = lines[0].index("kind"), lines[0].index("most")
    lines[1][kind], lines[3][most] = "essay", "many"
    said = bring(author, "bad.csv", csv_text(lines), questionnaire_id=before.questionnaire_id)
    assert "Line 2: kind is not one of" in said
    assert "Line 4: most is not a number" in said
    assert "Line 3: " in bring(author, "bad.json", '{"code": "x",\n "title": {},\n oops}')
    assert "choose the questionnaire" in bring(author, "lost.csv", sheet)
    assert "is not UTF-8" in author.post("/questionnaires/import", file=(io.BytesIO(b"\xff\xfe"), "x.csv")).text
    changed = raw("mr-safety")
    changed["items"][0]["text"]["es"] = "¿Tiene marcapasos?"
    changed["items"].pop(1)
    text = json.dumps(changed)
    seen = bring(author, "new.json", text)
    assert "<dd>pacemaker</dd>" in seen
    assert "<dd>pacemaker_which</dd>" in seen
    assert len(rows(ris, "mr-safety")) == 1
    assert author.post("/questionnaires/import", text=text, take_in="yes").location == path
    draft, kept = rows(ris, "mr-safety")
    assert (draft.number, draft.published_at, kept.content) == (2, None, before.content)
    other = bring(author, "other.json", json.dumps({**changed, "code": "mr-two"}))
    assert "a new form with the code mr-two" in other
