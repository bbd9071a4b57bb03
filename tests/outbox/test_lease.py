from datetime import UTC, datetime, timedelta

import pytest

from ris.bootstrap import Ris
from ris.outbox import lease

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=11)
A, B = lease.new_holder(), lease.new_holder()


def take(ris: Ris, holder: str, now: datetime = NOW) -> lease.Grant | None:
    with ris.uow() as uow:
        return lease.take(uow.session, "x", holder, now=now, seconds=10)


def renew(ris: Ris, grant: lease.Grant, now: datetime = NOW) -> bool:
    with ris.uow() as uow:
        return lease.renew(uow.session, grant, now=now, seconds=10)


def test_one_has_it_and_another_gets_it_only_when_it_has_run_out(ris: Ris) -> None:
    first = take(ris, A)
    assert first is not None
    assert take(ris, B) is None
    second = take(ris, B, LATER)
    assert second is not None
    assert second.fence > first.fence


def test_renewing_keeps_it_and_releasing_gives_it_away_at_once(ris: Ris) -> None:
    first = take(ris, A)
    assert renew(ris, first, LATER)
    assert take(ris, B, LATER) is None
    with ris.uow() as uow:
        lease.release(uow.session, first)
    second = take(ris, B, LATER)
    assert second is not None
    assert not renew(ris, first, LATER)
    assert second.fence == first.fence + 1


def test_the_same_holder_with_an_older_fence_can_neither_renew_nor_release(ris: Ris) -> None:
    old = take(ris, A)
    new = take(ris, A, LATER)
    assert not renew(ris, old, LATER)
    with ris.uow() as uow:
        lease.release(uow.session, old)
    assert renew(ris, new, LATER)


def test_a_holder_whose_process_is_gone_is_not_waited_for(ris: Ris) -> None:
    machine, _, _, _ = A.split(" ")
    take(ris, f"{machine} 4194305 1 abcd")
    assert take(ris, B) is not None


@pytest.mark.parametrize("holder", ["elsewhere/x/y 4194305 1 abcd"])
def test_a_holder_on_another_machine_is_waited_for(ris: Ris, holder: str) -> None:
    take(ris, holder)
    assert take(ris, B) is None


def test_an_old_fence_is_not_renewed(ris: Ris) -> None:
    old, new = take(ris, A), take(ris, B, LATER)
    with ris.uow() as uow:
        assert not lease.renew(uow.session, old, now=LATER, seconds=10)
        assert lease.renew(uow.session, new, now=LATER, seconds=10)
