"""The list of waiting orders beside the schedule, when it is long."""

from collections.abc import Callable

import pytest

from ris.bootstrap import Ris
from ris.order.status import Priority
from ris.scheduling import queries
from tests.factories.hospital import Hospital
from tests.factories.orders import make_order, make_patient
from tests.web.visitor import Visitor


@pytest.fixture
def clerk(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> Visitor:
    """There are as many routine heads as are shown at first, and behind them a knee nobody would see."""
    with ris.uow(hospital.actor("scheduler")) as uow:
        patient = make_patient(uow)
        for _ in range(queries.WAITING_SHOWN):
            make_order(uow, hospital, "CTHEAD", patient=patient, placer=False)
        make_order(uow, hospital, "XRHAND", patient=make_patient(uow, "Núñez"), placer=False)
        make_order(uow, hospital, "MRBRAIN", patient=patient, priority=Priority.stat, placer=False)
    clerk = visitor()
    clerk.enter(hospital.users["scheduler"])
    return clerk


def test_urgent_orders_are_always_shown_and_all_are_counted(clerk: Visitor) -> None:
    page = clerk.get("/schedule").text
    assert "100 of 102, the most urgent first" in page
    assert page.index("MR brain") < page.index("CT head without contrast")
    assert "X-ray hand" not in page
    more = clerk.get("/schedule?shown=200").text
    assert "X-ray hand" in more
    assert "102, the most urgent first" not in more


@pytest.mark.parametrize("words", ["nunez", "NÚÑ hand", "x-ray"])
def test_what_is_not_shown_is_found_by_its_words(clerk: Visitor, words: str) -> None:
    assert "X-ray hand" in clerk.get(f"/schedule?q={words}").text
    told = clerk.get(f"/schedule/events?q={words}&v=none").json
    assert told is not None
    assert told["waiting_count"] == 1
    assert clerk.get(f"/schedule/events?q={words}&v={told['version']}").status_code == 204
    assert "Nothing that waits fits this" in clerk.get("/schedule?q=elephant").text
