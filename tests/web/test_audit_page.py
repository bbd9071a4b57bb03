"""The audit page: what the privacy officer finds, and that looking is itself in the trail."""

import csv
import io
import re
from collections.abc import Callable
from datetime import datetime

import pytest

from ris.audit.model import Action, AuditEntry, Outcome
from ris.audit.service import entry
from ris.base.ref import Ref
from ris.base.uow import Actor
from ris.bootstrap import Ris
from ris.patient import service as patients
from ris.patient.model import Patient
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import make_patient
from tests.web.people import somebody
from tests.web.visitor import Visitor, trail

Visitors = Callable[[], Visitor]
ROW = re.compile(r'<tr id="a-(\d+)"')
OAK = Actor("user", 71, "Ida Oak", "192.0.2.7")
ELM = Actor("user", 72, "Max Elm", "192.0.2.8")


@pytest.fixture
def officer(visitor: Visitors, hospital: Hospital) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["privacy_officer"])
    return someone


def patient(ris: Ris, mrn: str, family: str = "Ash") -> Patient:
    with ris.uow() as uow:
        return make_patient(uow, family, "Bo", mrn)


def look(ris: Ris, who: Actor, what: str, patient_id: int | None = None, **facts: object) -> int:
    with ris.uow(who) as uow:
        entry(uow, Action.read, what, Ref("patient", patient_id or 0), patient_id=patient_id, **facts)  # type: ignore[arg-type]
    return trail(ris, what=what)[-1].id


def shown(someone: Visitor, **asked: str) -> list[int]:
    """The keys of the entries on the page, as they stand there."""
    answer = someone.client.get("/audit", query_string=asked)
    assert answer.status_code == 200, answer.text
    return [int(key) for key in ROW.findall(answer.text)]


def saved(someone: Visitor, **asked: str) -> list[dict[str, str]]:
    answer = someone.client.get("/audit/export.csv", query_string=asked)
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


def test_shows_the_newest_entry_first(officer: Visitor, ris: Ris) -> None:
    ids = [look(ris, OAK, f"page {n}") for n in range(3)]
    page = shown(officer)
    assert [key for key in page if key in ids] == ids[::-1]
    assert page == sorted(page, reverse=True)


def test_tells_who_looked_at_a_patient_by_number(officer: Visitor, ris: Ris) -> None:
    one, other = patient(ris, "MRN-1"), patient(ris, "MRN-2")
    wanted = look(ris, OAK, "exam", one.id)
    look(ris, ELM, "report", other.id)
    assert shown(officer, patient="MRN-1") == [wanted]
    assert shown(officer, patient_id=str(one.id)) == [wanted]


def test_tells_too_who_looked_at_a_record_that_was_merged_into_the_patients(officer: Visitor, ris: Ris) -> None:
    survivor, loser = patient(ris, "NEW-1"), patient(ris, "OLD-1")
    before = look(ris, OAK, "exam", loser.id)
    with ris.uow() as uow:
        patients.merge(uow, survivor_id=survivor.id, loser_id=loser.id)
    assert before in shown(officer, patient="NEW-1")
    assert before in shown(officer, patient="OLD-1")


def test_asks_which_patient_where_several_fit_and_shows_no_entry_of_any(officer: Visitor, ris: Ris) -> None:
    ids = {patient(ris, "MRN-1").id, patient(ris, "MRN-2").id}
    for patient_id in ids:
        look(ris, OAK, "exam", patient_id)
    page = officer.get("/audit?patient=ash").text
    assert "Which patient?" in page
    assert {int(key) for key in re.findall(r"patient_id=(\d+)", page)} >= ids
    assert ROW.findall(page) == []


def test_says_that_no_patient_fits_rather_than_show_everybodys(officer: Visitor, ris: Ris) -> None:
    look(ris, OAK, "exam", patient(ris, "MRN-1").id)
    page = officer.get("/audit?patient=nobody").text
    assert "No patient fits." in page
    assert ROW.findall(page) == []


def test_narrows_by_person_action_and_outcome(officer: Visitor, ris: Ris) -> None:
    oak, elm = look(ris, OAK, "exam"), look(ris, ELM, "report", outcome=Outcome.refused)
    assert shown(officer, actor="ida") == [oak]
    assert shown(officer, actor="ELM") == [elm]
    assert shown(officer, outcome="refused") == [elm]
    assert oak in shown(officer, action="read")
    assert oak not in shown(officer, action="update")


def test_a_day_is_one_by_the_clock_of_the_site(officer: Visitor, ris: Ris, hospital: Hospital, clock: Clock) -> None:
    """The day begins at 05:00 UTC in New York."""
    morning = clock.now
    keys = []
    for at in ("2026-11-30T04:59", "2026-11-30T05:00", "2026-12-01T05:00"):
        clock.now = datetime.fromisoformat(f"{at}Z")
        keys.append(look(ris, OAK, at))
    clock.now = morning
    before, first, after = keys
    assert shown(officer, since="2026-11-30", until="2026-11-30", actor="oak") == [first]
    assert shown(officer, since="2026-11-30", actor="oak") == [after, first]
    assert shown(officer, until="2026-11-29", actor="oak") == [before]


@pytest.mark.parametrize("asked", [{"since": "yesterday"}, {"until": "2026-13-01"}, {"until": "9999-12-31"}, {"before": "x"}])
def test_what_cannot_be_read_is_refused_with_a_reason(officer: Visitor, asked: dict[str, str]) -> None:
    answer = officer.client.get("/audit", query_string=asked)
    assert answer.status_code in (400, 422)
    assert "a date is written like" in answer.text or "does not exist" in answer.text


def test_pages_lead_through_the_whole_trail_and_show_each_entry_once(officer: Visitor, ris: Ris) -> None:
    """All at the same moment: the key decides."""
    with ris.uow(OAK) as uow:
        for n in range(250):
            entry(uow, Action.read, f"page {n:03}", Ref("page", n))
    address: str | None = "/audit?actor=oak"
    seen: list[int] = []
    while address:
        page = officer.get(address).text
        seen += [int(key) for key in ROW.findall(page)]
        found = re.search(r'href="([^"]*before=[^"]*)"', page)
        address = found[1].replace("&amp;", "&") if found else None
    assert len(seen) == 250
    assert seen == sorted(set(seen), reverse=True)


def test_the_file_holds_the_same_entries_with_their_words(officer: Visitor, ris: Ris) -> None:
    look(ris, OAK, "exam", patient(ris, "MRN-1").id, detail={"why": "asked, by phone"})
    look(ris, ELM, "report")
    rows = saved(officer, actor="oak")
    assert [(row["person"], row["what"], row["patient"], row["place"], row["details"]) for row in rows] == [
        ("Ida Oak", "exam", "Ash, Bo · MRN-1", "192.0.2.7", "why: asked, by phone")
    ]


def test_the_file_is_complete_when_it_is_longer_than_one_part(officer: Visitor, ris: Ris) -> None:
    with ris.uow(OAK) as uow:
        for n in range(2100):
            entry(uow, Action.read, "page", Ref("page", n))
    rows = saved(officer, actor="oak")
    assert len({row["entry"] for row in rows}) == len(rows) == 2100


@pytest.mark.parametrize("name", ["=1+1", "@SUM(A1)", "+1", "-1", "\t=1"])
def test_no_cell_of_the_file_is_a_formula(officer: Visitor, ris: Ris, name: str) -> None:
    look(ris, Actor("user", 73, name), "exam")
    assert [row["person"] for row in saved(officer) if row["what"] == "exam"] == [f"'{name}"]


@pytest.mark.parametrize(("path", "what"), [("/audit", "audit"), ("/audit/export.csv", "audit export")])
def test_looking_into_the_trail_is_in_the_trail_with_what_was_asked(
    officer: Visitor, ris: Ris, hospital: Hospital, path: str, what: str
) -> None:  # fmt: skip
    officer.client.get(path, query_string={"actor": "oak", "since": "2026-11-30"}).close()
    found = trail(ris, what=what)[-1]
    assert (found.actor_id, found.detail) == (hospital.users["privacy_officer"], {"actor": "oak", "since": "2026-11-30"})


def test_entries_of_other_sites_are_not_shown(visitor: Visitors, ris: Ris, hospital: Hospital) -> None:
    here = look(ris, OAK, "exam", site_id=hospital.sites["WEST"])
    there = look(ris, OAK, "report", site_id=hospital.sites["MAIN"])
    nowhere = look(ris, OAK, "users")
    someone = visitor()
    someone.enter(somebody(ris, hospital, "officer", privacy_officer="WEST"))
    assert shown(someone, actor="oak") == [nowhere, here]
    assert str(there) not in {row["entry"] for row in saved(someone)}


def test_what_was_typed_is_escaped(officer: Visitor, ris: Ris) -> None:
    look(ris, Actor("user", 74, "<script>x</script>"), "exam", detail={"why": "<img src=x>"})
    page = officer.get("/audit?patient=<b>x").text
    assert "<b>x" not in page
    page = officer.get("/audit").text
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "<img src=x>" not in page


@pytest.mark.parametrize("role", ["administrator", "radiologist", "integration"])
def test_nobody_else_reads_the_trail(visitor: Visitors, ris: Ris, hospital: Hospital, role: str) -> None:
    someone = visitor()
    someone.enter(hospital.users[role])
    for path in ("/audit", "/audit/export.csv"):
        assert someone.get(path).status_code == 404
    refused: list[AuditEntry] = trail(ris, outcome=Outcome.refused, actor_id=hospital.users[role])
    assert [(found.what, found.detail) for found in refused] == [
        ("audit.index", {"needs": "audit:read"}),
        ("audit.export", {"needs": "audit:read"}),
    ]
