"""Who gets a published report, by which way, once; what corrects it goes to everybody who had it."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from ris.audit.model import AuditEntry
from ris.base.errors import Invalid, NotAllowedNow
from ris.bootstrap import Ris
from ris.distribution import queries, recipients, service
from ris.distribution.model import Dispatch, Recipient
from ris.distribution.queries import DispatchRow
from ris.order.model import Order
from ris.outbox.model import Delivery, DeliveryState
from ris.partner.model import Destination
from ris.referrer.model import Delivery as By
from ris.referrer.model import Referrer
from ris.report import publication
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import completed
from tests.factories.results import exam_with_copies, referrer, sign


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 30, 15, tzinfo=UTC))


def records(ris: Ris, report_id: int) -> list[DispatchRow]:
    with ris.read() as session:
        return sorted(queries.of_report(session, report_id), key=lambda row: (row.number, row.recipient, row.series))


def said(rows: list[DispatchRow]) -> list[tuple[int, str, str, str]]:
    return [(row.number, row.recipient, row.channel.value, row.state) for row in rows]


def test_each_recipient_gets_each_version_by_its_own_way_and_corrections_follow_what_was_had(
    ris: Ris, hospital: Hospital, clock: Clock
) -> None:
    with ris.uow() as uow:
        other = uow.add(Destination(partner_id=hospital.partner_id, name="Clinic", host="127.0.0.1", port=2))
        uow.session.flush()
        destination_id = other.id
    referrer(ris, "Adler", By.print)
    referrer(ris, "Brook", By.email, email="brook@example.org")
    referrer(ris, "Cole", By.hl7, destination_id=destination_id)
    referrer(ris, "Dunn", By.none)
    referrer(ris, "Early", By.folder, folder="early")
    exam = exam_with_copies(ris, hospital, "Adler", "Brook", "Cole", "Dunn", "Early", "77 Unknown, Una")

    report_id = sign(ris, hospital, exam, "preliminary")
    assert said(records(ris, report_id)) == [(1, "Cole", "hl7", "waiting")], "a preliminary reading goes by message alone"
    sign(ris, hospital, exam)
    final = [row for row in said(records(ris, report_id)) if row[0] == 2]
    assert final == [
        (2, "Adler", "print", "waiting"), (2, "Brook", "email", "waiting"), (2, "Cole", "hl7", "waiting"), (2, "Dunn", "none", "dropped"),
        (2, "Early", "folder", "waiting"), (2, "Oscar Grove", "print", "waiting"), (2, "Una Unknown", "print", "waiting"),
    ]  # fmt: skip
    with ris.read() as session:
        una = session.scalars(sa.select(Referrer).where(Referrer.family == "Unknown")).one()
        told = session.scalars(sa.select(Delivery).where(Delivery.destination_id == destination_id)).all()
        [adler] = [row for row in queries.to_print(session, hospital.sites.values()) if row.recipient == "Adler"]
    assert not una.is_complete, "whom only a copy line names is to be completed by a person"
    assert [delivery.message for delivery in told] == ["oru_r01", "oru_r01"]
    assert adler.letter_to == ("Adler", "Adler practice", "1 Hill", "Dale")

    with ris.uow(hospital.actor("front_desk")) as uow:
        assert service.mark_printed(uow, [adler.dispatch_id]) == 1
        assert service.mark_printed(uow, [adler.dispatch_id]) == 0
        gone = next(r for r in recipients.of_order(uow.session, exam.order_id) if r.referrer_id == una.id)
        recipients.end(uow, gone.id, "has moved away")
        had = next(r for r in recipients.of_order(uow.session, exam.order_id) if r.id == _recipient_of(ris, adler))
        recipients.end(uow, had.id, "wants no more")
    clock.advance(minutes=1)
    sign(ris, hospital, exam, "addendum", "And no dislocation.")
    rows = said(records(ris, report_id))
    assert (2, "Brook", "email", "dropped") in rows, "what had not left is overtaken"
    assert [row for row in rows if row[0] == 3] == [
        (3, "Adler", "print", "waiting"), (3, "Brook", "email", "waiting"), (3, "Cole", "hl7", "waiting"), (3, "Dunn", "none", "dropped"),
        (3, "Early", "folder", "waiting"), (3, "Oscar Grove", "print", "waiting"),
    ], "Adler had one, Una had none"  # fmt: skip
    with pytest.raises(NotAllowedNow, match="version 3 has taken its place"), ris.uow(hospital.actor("front_desk")) as uow:
        service.undo_printed(uow, adler.dispatch_id)
    sign(ris, hospital, exam, "retraction")
    last = [row for row in said(records(ris, report_id)) if row[0] == 4]
    assert last == [(4, "Adler", "print", "waiting"), (4, "Cole", "hl7", "waiting")]
    with ris.uow() as uow:
        assert publication.publish_due(uow) == 0


def _recipient_of(ris: Ris, row: DispatchRow) -> int:
    with ris.read() as session:
        return session.get_one(Dispatch, row.dispatch_id).recipient_id


def test_a_copy_to_a_stranger_needs_a_reason_and_once_more_is_a_record_of_its_own(ris: Ris, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    report_id = sign(ris, hospital, exam)
    [placer] = records(ris, report_id)
    assert (placer.recipient, placer.channel, placer.destination) == ("Oscar Grove", "hl7", "EHR results")
    with ris.read() as session:
        assert len(session.scalars(sa.select(Delivery).where(Delivery.id == placer.delivery_id)).all()) == 1
    stranger = referrer(ris, "Stranger", By.print)
    with pytest.raises(Invalid, match="say why"), ris.uow(hospital.actor("front_desk")) as uow:
        service.send_copy(uow, report_id=report_id, referrer_id=stranger)
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.send_copy(uow, report_id=report_id, referrer_id=stranger, reason="the patient asks for it")
        service.send_copy(uow, report_id=report_id, referrer_id=placer.referrer_id)
    rows = records(ris, report_id)
    assert said(rows) == [(1, "Oscar Grove", "hl7", "waiting"), (1, "Stranger", "print", "waiting")], "nobody gets it twice"
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.mark_printed(uow, [rows[1].dispatch_id])
        service.undo_printed(uow, rows[1].dispatch_id)
        with pytest.raises(NotAllowedNow, match="still on its way"):
            service.send_again(uow, rows[1].dispatch_id, "lost")
        service.mark_printed(uow, [rows[1].dispatch_id])
        uow.session.get_one(Delivery, placer.delivery_id).state = DeliveryState.delivered
        service.send_again(uow, rows[1].dispatch_id, "lost in the post")
        service.send_again(uow, placer.dispatch_id, "their system lost it")
    again = records(ris, report_id)
    assert [(row.recipient, row.series, row.state) for row in again] == [
        ("Oscar Grove", 0, "sent"), ("Oscar Grove", 1, "waiting"), ("Stranger", 0, "sent"), ("Stranger", 1, "waiting"),
    ]  # fmt: skip
    with ris.uow(hospital.actor("front_desk")) as uow:
        service.drop(uow, again[3].dispatch_id, "it has turned up")
    with ris.read() as session:
        trail = {entry.what: entry.detail for entry in session.scalars(sa.select(AuditEntry).where(AuditEntry.what.like("result.%")))}
        chosen = session.scalars(sa.select(Recipient).where(Recipient.referrer_id == stranger)).one()
    assert trail["result.recipient_added"]["reason"] in ("the patient asks for it", "")
    assert trail["result.sent_again"]["reason"] == "their system lost it"
    assert {"result.printed", "result.printing_undone", "result.dropped", "result.dispatched"} <= trail.keys()
    assert chosen.reason == "the patient asks for it"
    with ris.read() as session:
        assert recipients.is_of_care(session, session.get_one(Order, exam.order_id).patient_id, stranger), "chosen with a reason before"
