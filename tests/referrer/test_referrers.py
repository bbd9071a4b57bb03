"""Referrers: taken from orders once, completed, joined, found and meant, on both engines."""

import pytest

from ris.base.errors import Conflict, Duplicate, Invalid, Stale
from ris.bootstrap import Ris
from ris.processes import jobs
from ris.referrer import queries, service
from ris.referrer.model import Delivery, Referrer
from ris.referrer.npi import is_npi
from ris.referrer.service import Named, PracticeData, ReferrerData
from tests.factories.hospital import Hospital
from tests.hl7.asking import accept
from tests.messages.samples import obr, orc, orm, pid

NPI = "1234567893"


def found(ris: Ris, text: str = "") -> list[tuple[str, str, bool]]:
    with ris.read() as session:
        return [(row.name, row.npi, row.is_complete) for row in queries.search(session, text)]


def ordered_by(ris: Ris, **orderers: str) -> str:
    accept(ris, *(orm(pid(), orc("NW", number), obr(number, f16=orderer)) for number, orderer in orderers.items()))
    return jobs.take_in_referrers(ris)


def test_whoever_an_order_names_first_is_to_be_completed_once(ris: Ris, hospital: Hospital) -> None:
    assert ordered_by(ris, P1="77^Grove^Oscar", P2="77^Grove^Oscar", P3="^Linden^Mara", P4=f"{NPI}^Birch^Ada") == "3 to be completed"
    assert ordered_by(ris, P5="77^GROVE^O", P6="^Linden^Mara") == "nobody was new"
    assert found(ris) == [("Birch, Ada", NPI, False), ("Grove, Oscar", "", False), ("Linden, Mara", "", False)]
    for text, name in {"grove, o": "Grove, Oscar", "linden mara": "Linden, Mara", "77": "Grove, Oscar", NPI: "Birch, Ada"}.items():
        assert [row[0] for row in found(ris, text)] == [name], text
    assert found(ris, "grove mara") == []
    with ris.uow() as uow:
        grove = queries.meant(uow.session, Named(hospital.partner_id, "77", ""))
        row = uow.session.get_one(Referrer, grove)
        service.save(uow, grove, ReferrerData("Grove", "Oscar", "Dr", "Neurology", "1245319599"), row_version=row.row_version)
        with pytest.raises(Stale):
            service.save(uow, grove, ReferrerData("Grove"), row_version=99)
        with pytest.raises(Duplicate):
            service.add(uow, ReferrerData("Birch", npi=NPI))
        for wrong in (ReferrerData(" "), ReferrerData("Birch", npi="1234567890")):
            with pytest.raises(Invalid):
                service.add(uow, wrong)
    with ris.read() as session:
        assert [row.name for row in queries.to_complete(session)] == ["Birch, Ada", "Linden, Mara"]
        assert queries.offered(session)[1] == "Grove, Oscar · 1245319599"
    assert queries.chosen("Grove, Oscar · 1245319599", "") == ("Grove, Oscar", "1245319599")
    assert queries.chosen("Grove, Oscar", "5") == ("Grove, Oscar", "5")


def test_two_entries_of_one_person_are_joined_and_both_numbers_lead_there(ris: Ris, hospital: Hospital) -> None:
    ordered_by(ris, P1="77^Grove^Oscar", P2="78^Grove^O")
    with ris.uow() as uow:
        one, other = (queries.meant(uow.session, Named(hospital.partner_id, number, "")) for number in ("77", "78"))
        service.save_practice(uow, one, PracticeData("Clinic", city="Salem", email="a@example.org", delivery=Delivery.email))
        service.save_practice(uow, other, PracticeData("Ward", fax="217 555 0101", delivery=Delivery.fax))
        service.join(uow, survivor_id=one, loser_id=other)
        with pytest.raises(Conflict):
            service.join(uow, survivor_id=one, loser_id=one)
    with ris.read() as session:
        assert {queries.meant(session, Named(hospital.partner_id, number, "")) for number in ("77", "78")} == {one}
        assert [(row.name, row.is_main) for row in queries.practices(session, one)] == [("Clinic", True), ("Ward", False)]
        assert [row.place for row in queries.search(session, "grove")] == ["Salem"]


def test_a_way_of_results_needs_its_address_and_one_practice_is_the_main_one(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        key = service.add(uow, ReferrerData("Grove")).id
        for wrong in (PracticeData(""), PracticeData("A", delivery=Delivery.fax), PracticeData("A", email="nowhere")):
            with pytest.raises(Invalid):
                service.save_practice(uow, key, wrong)
        first = service.save_practice(uow, key, PracticeData("First"))
        service.save_practice(uow, key, PracticeData("Second", is_main=True))
        uow.session.flush()
        assert [(row.name, row.is_main) for row in queries.practices(uow.session, key)] == [("Second", True), ("First", False)]
        service.end_practice(uow, key, first.id)
        uow.session.flush()
        assert [row.name for row in queries.practices(uow.session, key)] == ["Second"]


@pytest.mark.parametrize(
    ("text", "is_right"), [(NPI, True), ("1245319599", True), ("1234567890", False), ("123456789", False), ("12345678９3", False)]
)
def test_the_last_digit_of_an_npi_is_checked(text: str, is_right: bool) -> None:
    assert is_npi(text) is is_right
