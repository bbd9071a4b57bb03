"""What the trail says of a try at something of another site: what it was, and which permission was missing."""

import re
from collections.abc import Callable

import pytest

from ris.audit.model import Action, Outcome
from ris.base.ref import Ref
from ris.bootstrap import Ris
from ris.order.model import RequestedProcedure
from ris.patient import service as patients
from ris.task import service as tasks
from tests.factories.hospital import Hospital
from tests.factories.orders import completed, make_patient
from tests.web.people import somebody
from tests.web.visitor import Visitor, trail


@pytest.fixture
def kept(ris: Ris, hospital: Hospital) -> dict[str, int]:
    """An exam, its patient with a merge, and a task at MAIN."""
    procedure_id = completed(ris, hospital).id
    with ris.uow() as uow:
        task = tasks.open(uow, "map_procedure", Ref("procedure", procedure_id), "A test", site_id=hospital.sites["MAIN"])
        patient_id = uow.session.get_one(RequestedProcedure, procedure_id).order.patient_id
        merge = patients.merge(uow, survivor_id=patient_id, loser_id=make_patient(uow).id)
        return {"procedure": procedure_id, "task": task.id, "patient": patient_id, "merge": merge.id}


@pytest.mark.parametrize(
    ("role", "method", "path", "kind", "needs"),
    [
        ("radiologist", "GET", "/exams/{procedure}", "procedure", "exam:read"),
        ("scheduler", "POST", "/exams/{procedure}/cancel", "procedure", "order:cancel"),
        ("radiologist", "GET", "/exams/{procedure}/report", "procedure", "report:read"),
        ("radiologist", "POST", "/exams/{procedure}/report/sign", "procedure", "report:sign"),
        ("radiologist", "POST", "/exams/{procedure}/report/addendum", "procedure", "report:addend"),
        ("radiologist", "POST", "/worklists/reading/{procedure}/read", "procedure", "report:write"),
        ("radiologist", "GET", "/patients/{patient}", "patient", "patient:read"),
        ("integration", "POST", "/patients/{patient}/merges/{merge}/undo", "patient", "patient:merge"),
        ("scheduler", "GET", "/schedule/exams/{procedure}", "procedure", "schedule:book"),
        ("scheduler", "POST", "/tasks/{task}/close", "task", "task:close"),
        ("integration", "POST", "/tasks/{task}/map", "task", "interface:manage"),
    ],
)
def test_a_try_at_another_site_is_404_and_named_in_the_trail(
    ris: Ris,
    hospital: Hospital,
    visitor: Callable[[], Visitor],
    kept: dict[str, int],
    role: str,
    method: str,
    path: str,
    kind: str,
    needs: str,
) -> None:
    user_id = somebody(ris, hospital, "fern", **{role: "WEST"})
    someone = visitor()
    someone.enter(user_id)
    address = path.format(**kept)
    answer = someone.get(address) if method == "GET" else someone.post(address)
    assert answer.status_code == 404
    refused = trail(ris, outcome=Outcome.refused)
    assert [(entry.actor_id, entry.action, entry.object_kind, entry.object_id, entry.detail) for entry in refused] == [
        (user_id, Action.read, kind, kept[kind], {"needs": needs})
    ]


def test_what_is_nowhere_looks_the_same_as_what_is_elsewhere(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], kept: dict[str, int]
) -> None:  # fmt: skip
    someone = visitor()
    someone.enter(somebody(ris, hospital, "fern", radiologist="WEST"))
    elsewhere, nowhere = someone.get(f"/exams/{kept['procedure']}"), someone.get("/exams/1")
    assert (elsewhere.status_code, nowhere.status_code) == (404, 404)
    assert without_tokens(elsewhere.text) == without_tokens(nowhere.text)


def test_a_merge_is_taken_back_on_the_page_of_its_patient_only(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], kept: dict[str, int]
) -> None:  # fmt: skip
    with ris.uow() as uow:
        stranger = make_patient(uow)
    someone = visitor()
    someone.enter(hospital.users["integration"])
    assert someone.post(f"/patients/{stranger.id}/merges/{kept['merge']}/undo").status_code == 404
    assert someone.post(f"/patients/{kept['patient']}/merges/{kept['merge']}/undo").status_code == 303


def without_tokens(page: str) -> str:
    return re.sub(r'(value|content)="[^"]{40,}"', "", page)
