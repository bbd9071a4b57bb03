"""What whoever bills is told of charges."""

import pytest
import sqlalchemy as sa

from ris.billing import service as billing
from ris.billing.model import Charge, Component
from ris.bootstrap import Ris
from ris.catalog.model import Procedure
from ris.hl7.outbound import TELLS
from ris.outbox.transport import NothingToTell
from tests.factories.hospital import Hospital
from tests.hl7.building import built, findings
from tests.outbox.outgoing import add_destination, do_exam, place, retract, sign


def biller(ris: Ris, version: str = "2.3.1") -> int:
    return add_destination(ris, "biller", 1, *TELLS["dft_p03"], message="dft_p03", version=version)


@pytest.mark.parametrize("version", ["2.3.1", "2.5.1"])
def test_the_two_components_of_an_exam_are_two_charges_with_their_own_performers(ris: Ris, hospital: Hospital, version: str) -> None:
    there = biller(ris, version)
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    sign(ris, hospital, placed, "Normal.")
    with ris.read() as session:
        charges = {c.component: c for c in session.scalars(sa.select(Charge))}
    messages = {c: built(ris, "charge.captured", lambda event, c=c: event.facts["component"] == c, destination_id=there) for c in charges}
    for component, message in messages.items():
        assert findings(message) == []
        charge = charges[component]
        assert [message.value("FT1", n) for n in (2, 6, 7, 10)] == [str(charge.id), "CG", charge.code, "1"]
        assert (message.value("FT1", 4), message.value("FT1", 23)[0]) == (f"{charge.service_date:%Y%m%d}", "F")
    technical, professional = messages[Component.technical], messages[Component.professional]
    assert (technical.value("FT1", 11, 1, 1), technical.value("FT1", 11, 1, 1, 2)) == ("120.00", "USD")
    assert (technical.value("FT1", 26), professional.value("FT1", 26)) == ("TC", "26")
    assert (technical.value("FT1", 20, 2), professional.value("FT1", 20, 2)) == ("Technologist", "Radiologist")
    assert {m.value("FT1", 21, 2) for m in messages.values()} == {"Refer"}


def test_a_held_charge_is_told_when_a_person_releases_it(ris: Ris, hospital: Hospital) -> None:
    there = biller(ris)
    with ris.uow() as uow:
        uow.session.get_one(Procedure, hospital.procedures["CTCHESTC"]).technical_amount = None
    do_exam(ris, hospital, place(ris, hospital))
    with ris.uow(hospital.actor("billing")) as uow:
        charge_id = uow.session.scalar(sa.select(Charge.id))
        billing.release(uow, charge_id=charge_id, code="71260", amount=9_905, reason="priced by hand")
    with pytest.raises(NothingToTell):
        built(ris, "charge.captured", destination_id=there)
    message = built(ris, "charge.released", destination_id=there)
    assert [message.value("FT1", n) for n in (2, 7, 11)] == [str(charge_id), "71260", "99.05"]


def test_the_charge_of_a_retracted_reading_is_credited_and_the_next_reader_is_the_performer(ris: Ris, hospital: Hospital) -> None:
    there = biller(ris)
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    sign(ris, hospital, placed, "Normal.")
    charged = built(ris, "charge.captured", destination_id=there)
    retract(ris, hospital, placed)
    credit = built(ris, "charge.voided", destination_id=there)
    sign(ris, hospital, placed, "Embolus.", role="technologist")
    again = built(ris, "charge.captured", destination_id=there)
    assert findings(credit) == []
    assert credit.value("FT1", 6) == "CD"
    assert [credit.value("FT1", n) for n in (2, 7, 11, 26)] == [charged.value("FT1", n) for n in (2, 7, 11, 26)]
    assert [message.value("FT1", 20, 2) for message in (charged, credit, again)] == ["Radiologist", "Radiologist", "Technologist"]
    assert (again.value("FT1", 6), again.value("FT1", 2) == charged.value("FT1", 2)) == ("CG", False)


def test_what_was_held_and_never_told_is_not_credited(ris: Ris, hospital: Hospital) -> None:
    there = biller(ris)
    with ris.uow() as uow:
        uow.session.get_one(Procedure, hospital.procedures["CTCHESTC"]).professional_amount = None
    placed = place(ris, hospital)
    do_exam(ris, hospital, placed)
    sign(ris, hospital, placed, "Normal.")
    retract(ris, hospital, placed)
    with pytest.raises(NothingToTell):
        built(ris, "charge.voided", destination_id=there)
