from dataclasses import replace

import pytest
import sqlalchemy as sa

from ris.audit.model import AuditEntry
from ris.base.errors import Duplicate, Invalid, NotFound, Stale
from ris.bootstrap import Ris
from ris.outbox.model import Delivery
from ris.partner import policy, service
from ris.partner.model import Destination, Partner, Subscription
from ris.partner.service import DestinationData, PartnerData
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import place, say

PARTNER = PartnerData("Archive", "PACS", "RAD", "Europe/Berlin")
DESTINATION = DestinationData("archive status", "127.0.0.1", 2576)


def test_a_new_partner_with_a_destination_is_told_of_the_next_event(ris: Ris, hospital: Hospital) -> None:
    placed = place(ris, hospital)
    with ris.uow(hospital.actor("integration")) as uow:
        partner = service.add(uow, PARTNER)
        destination = service.add_destination(uow, partner.id, DESTINATION)
        service.subscribe(uow, destination.id, "exam.started", "orm_o01", own_orders_only=False)
    say(ris, placed)
    with ris.read() as session:
        told = session.scalars(sa.select(Delivery).where(Delivery.destination_id == destination.id)).all()
        audited = session.scalars(sa.select(AuditEntry.what).where(AuditEntry.actor_name == "Test Integration")).all()
    assert len(told) == 1
    assert sorted(audited) == ["destination.added", "destination.subscribed", "partner.added"]


def test_a_change_names_what_changed_and_only_then_is_one(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        partner = service.add(uow, PARTNER)
        destination = service.add_destination(uow, partner.id, DESTINATION)
        service.change(uow, partner.id, PARTNER)
        service.change(uow, partner.id, replace(PARTNER, zone="UTC"))
        service.change_destination(uow, destination.id, replace(DESTINATION, port=2577, version="2.3.1"))
    with ris.read() as session:
        details = {e.what: e.detail for e in session.scalars(sa.select(AuditEntry).where(AuditEntry.what.endswith(".changed")))}
        assert session.get_one(Partner, partner.id).zone == "UTC"
        assert session.get_one(Destination, destination.id).port == 2577
    assert details == {"partner.changed": {"changed": ["zone"]}, "destination.changed": {"changed": ["port", "version"]}}


def test_a_second_subscription_to_one_event_changes_the_first(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        service.subscribe(uow, hospital.destination_id, "exam.started", "orm_o01", own_orders_only=False)
        service.unsubscribe(uow, hospital.destination_id, "exam.completed")
        with pytest.raises(NotFound):
            service.unsubscribe(uow, hospital.destination_id, "exam.completed")
    with ris.read() as session:
        rows = session.scalars(sa.select(Subscription).where(Subscription.destination_id == hospital.destination_id)).all()
    assert [row.own_orders_only for row in rows if row.event == "exam.started"] == [False]
    assert "exam.completed" not in [row.event for row in rows]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (replace(PARTNER, zone="Mars/Olympus"), Invalid),
        (replace(PARTNER, name=" "), Invalid),
        (replace(PARTNER, policies={"unknown": 1}), Invalid),
        (replace(PARTNER, name="EHR"), Duplicate),
        (replace(PARTNER, application="EHR", facility="HOSP"), Duplicate),
    ],
)
def test_a_wrong_partner_is_refused(ris: Ris, hospital: Hospital, data: PartnerData, error: type[Exception]) -> None:
    with ris.uow() as uow, pytest.raises(error):
        service.add(uow, data)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (replace(DESTINATION, port=0), Invalid),
        (replace(DESTINATION, port=65536), Invalid),
        (replace(DESTINATION, version="2.9"), Invalid),
        (replace(DESTINATION, ack_timeout_s=0), Invalid),
        (replace(DESTINATION, host=""), Invalid),
        (replace(DESTINATION, study_link="pacs.example/{study_instance_uid}"), Invalid),
        (replace(DESTINATION, study_link="https://pacs.example/"), Invalid),
        (replace(DESTINATION, study_link="https://pacs.example/{study_instance_uid}/{patient_name}"), Invalid),
        (replace(DESTINATION, name="EHR results"), Duplicate),
    ],
)
def test_a_wrong_destination_is_refused(ris: Ris, hospital: Hospital, data: DestinationData, error: type[Exception]) -> None:
    with ris.uow() as uow, pytest.raises(error):
        service.add_destination(uow, hospital.partner_id, data)


def test_a_save_over_somebody_elses_newer_one_is_refused(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow, pytest.raises(Stale):
        service.change(uow, hospital.partner_id, PARTNER, row_version=99)
    with ris.uow() as uow, pytest.raises(NotFound):
        service.change_destination(uow, 1, DESTINATION)


@pytest.mark.parametrize(("name", "label"), [("mllp_release", "MLLP release"), ("accession_place", "Accession place")])
def test_a_policy_is_called_as_people_write_it(name: str, label: str) -> None:
    assert policy.label(name) == label
