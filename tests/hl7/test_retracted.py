"""A retraction on its way: over a socket, to a receiver that keeps its own account of what it was told."""

import pytest

from ris.bootstrap import Ris
from ris.simulator.ledger import Ledger
from ris.simulator.mllp import Receiver
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import do_exam, forget_deliveries, place, retract, send_to, sending, sign


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_who_had_the_report_learns_that_it_does_not_hold_and_gets_the_next_one(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital, "P7")
    do_exam(ris, hospital, placed)
    forget_deliveries(ris)
    with Receiver() as receiver:
        send_to(ris, hospital, receiver.port)
        with sending(ris):
            sign(ris, hospital, placed, "Normal.")
            retract(ris, hospital, placed, "dictated for another patient")
            sign(ris, hospital, placed, "Embolus.")
            assert receiver.wait_for(3, 30)
    ledger = Ledger()
    for arrival in receiver.arrivals:
        ledger.record_received(arrival.payload)
    final, retraction, again = ledger.results
    assert [result.status for result in ledger.results] == ["F", "X", "F"]
    assert retraction.text.startswith("RETRACTED ")
    assert "Reason: dictated for another patient" in retraction.text
    assert retraction.text.endswith(final.text)
    assert again.text == "Embolus."
    assert len({(result.placer_number, result.accession_number, result.patients) for result in ledger.results}) == 1
