"""The charges page: what is held and why, and how it is released."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ris.billing.model import Charge, ChargeStatus
from ris.bootstrap import Ris
from tests.factories.hospital import Hospital
from tests.factories.orders import completed
from tests.web.people import somebody
from tests.web.visitor import Visitor, trail


@pytest.fixture
def held(ris: Ris, hospital: Hospital) -> int:
    """A charge at MAIN that has no price."""
    with ris.engine.begin() as connection:
        connection.execute(sa.text("UPDATE procedure SET technical_amount = NULL"))
    completed(ris, hospital)
    with ris.read() as session:
        return session.scalars(sa.select(Charge.id)).one()


@pytest.fixture
def clerk(visitor: Callable[[], Visitor], hospital: Hospital) -> Visitor:
    someone = visitor()
    someone.enter(hospital.users["billing"])
    return someone


def charge(ris: Ris, charge_id: int) -> Charge:
    with ris.read() as session:
        return session.get_one(Charge, charge_id)


def test_a_clerk_begins_with_what_is_held_and_reads_why(clerk: Visitor, held: int) -> None:
    assert clerk.get("/").location == "/charges"
    page = clerk.get("/charges").text
    assert "the procedure has no price" in page
    assert "Meadow, Anna" in page
    assert "held (1)" in page
    assert "Nothing waits for tonight" in clerk.get("/charges?status=ready").text


def test_a_release_sets_code_and_price_and_its_reason_is_in_the_trail(clerk: Visitor, held: int, ris: Ris, hospital: Hospital) -> None:
    answer = clerk.post(f"/charges/{held}/release", code="74150", amount="99.5", reason="price of the contract")
    assert (answer.status_code, answer.location) == (303, "/charges")
    released = charge(ris, held)
    assert (released.status, released.code, released.amount) == (ChargeStatus.ready, "74150", 9_950)
    (entry,) = trail(ris, what="charge.released")
    assert entry.actor_id == hospital.users["billing"]
    assert {name: entry.detail[name] for name in ("code", "amount", "reason")} == {
        "code": "74150", "amount": 9_950, "reason": "price of the contract",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"amount": "1.005"}, "an amount is written like 72.50"),
        ({"amount": "much"}, "an amount is written like 72.50"),
        ({"amount": "nan"}, "an amount is written like 72.50"),
        ({"amount": "-1"}, "an amount that is not negative"),
        ({"code": " "}, "needs a code"),
        ({"reason": " "}, "needs a reason"),
    ],
)
def test_what_is_missing_is_said_and_changes_nothing(clerk: Visitor, held: int, ris: Ris, change: dict[str, str], why: str) -> None:
    answer = clerk.post(f"/charges/{held}/release", **{"code": "74150", "amount": "99.50", "reason": "agreed", **change})
    assert answer.status_code == 422
    assert why in answer.text
    assert charge(ris, held).status is ChargeStatus.held


def test_a_second_click_leads_where_the_first_one_led(clerk: Visitor, held: int) -> None:
    form = {"code": "74150", "amount": "99.50", "reason": "agreed", "form_key": "one"}
    answers = [clerk.post(f"/charges/{held}/release", **form) for _ in range(2)]
    assert [(answer.status_code, answer.location) for answer in answers] == [(303, "/charges")] * 2
    assert clerk.post(f"/charges/{held}/release", **form | {"form_key": "two"}).status_code == 409


def test_a_charge_of_another_site_is_neither_shown_nor_released(
    ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], held: int
) -> None:  # fmt: skip
    someone = visitor()
    someone.enter(somebody(ris, hospital, "fern", billing="WEST"))
    assert "held (0)" in someone.get("/charges").text
    assert someone.post(f"/charges/{held}/release", code="74150", amount="99.50", reason="agreed").status_code == 404
    assert charge(ris, held).status is ChargeStatus.held
