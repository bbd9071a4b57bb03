"""The script of `make load` in small."""

import pytest

from ris.bootstrap import Ris
from tests.browser.desk import served
from tests.factories.hospital import Hospital
from tests.load.desks import employ, run

SECONDS = 2


@pytest.mark.parametrize("engine_name", ["postgresql"])
def test_clerks_at_once_get_what_they_were_promised_and_nobody_gets_it_twice(ris: Ris, hospital: Hospital) -> None:
    with served(ris) as address:
        port = int(address.rpartition(":")[2])
        outcome = run(ris, employ(ris, hospital, port, 3, 10, (0, 0.05)), SECONDS)
    assert (outcome.double, outcome.lost, outcome.unnamed, outcome.faults) == (0, [], [], [])
    assert all(ledger.accepted for ledger in outcome.ledgers)
