"""The page of possible duplicates: pairs side by side for who may see both, decided by a click that can be taken back."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from ris.bootstrap import Ris
from ris.processes import jobs
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, make_patient
from tests.web.people import somebody
from tests.web.visitor import Visitor, trail


def test_a_pair_is_compared_told_apart_and_proposed_again(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    with ris.uow() as uow:
        one, other = make_patient(uow), make_patient(uow, given="Ann")
        make_order(uow, hospital, patient=one)
    clerk = visitor()
    clerk.enter(hospital.users["integration"])
    assert "No two records" in clerk.get("/merges/proposals").text
    assert clerk.post("/merges/proposals/look").status_code == 303
    assert "being looked through" in clerk.get("/merges/proposals").text
    jobs.propose_merges_asked(ris)
    page = clerk.get("/merges/proposals").text
    assert "similar" in page
    assert f"survivor_id={one.id}&amp;loser_id={other.id}" in page
    assert "Preview of a merge" in clerk.get(f"/merges/preview?survivor_id={one.id}&loser_id={other.id}").text
    assert "compare them" in clerk.get(f"/patients/{one.id}").text
    found = re.search(r"/merges/proposals/(\d+)/apart", page)
    assert found is not None
    for deed, shown in (("apart", "Told apart"), ("again", "Not the same person")):
        assert clerk.post(f"/merges/proposals/{found[1]}/{deed}").status_code == 303
        assert shown in clerk.get("/merges/proposals").text
    assert {entry.patient_id for entry in trail(ris, what="patient.told_apart")} == {one.id, other.id}
    assert len(trail(ris, what="patient.proposed_again")) == 2


def test_who_may_not_see_both_sees_no_pair(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    with ris.uow() as uow:
        one = make_patient(uow)
        make_patient(uow)
        make_order(uow, hospital, patient=one)
    jobs.propose_merges(ris, datetime(2026, 11, 24, 4, tzinfo=UTC))
    stranger = visitor()
    stranger.enter(somebody(ris, hospital, "merger", integration="WEST"))
    assert "No two records" in stranger.get("/merges/proposals").text
    with ris.read() as session:
        key = session.connection().exec_driver_sql("SELECT id FROM merge_proposal").scalar()
    assert stranger.post(f"/merges/proposals/{key}/apart").status_code == 404
