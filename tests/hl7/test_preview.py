"""Looking at a message before anybody is sent it."""

import pytest
import sqlalchemy as sa

from ris.base.clock import utc_now
from ris.base.errors import NotFound
from ris.bootstrap import Ris
from ris.hl7.outbound import TELLS, preview
from ris.journal.model import Message
from ris.outbox.model import Delivery, StoredEvent
from tests.factories.hospital import Hospital
from tests.outbox.outgoing import Placed, do_exam, place, send_to, sign

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture
def placed(ris: Ris, hospital: Hospital) -> Placed:
    found = place(ris, hospital)
    do_exam(ris, hospital, found)
    sign(ris, hospital, found, "Normal ≥ 5 mm.")
    return found


def of_exam(ris: Ris, hospital: Hospital, placed: Placed, message: str) -> preview.Preview:
    with ris.read() as session:
        return preview.of_exam(session, placed.procedure_ids[0], destination_id=hospital.destination_id, message=message, now=utc_now())


@pytest.mark.parametrize("message", [name for name in TELLS if not name.startswith("adt")])
def test_every_message_about_an_exam_can_be_seen_and_leaves_nothing_behind(
    ris: Ris, hospital: Hospital, placed: Placed, message: str
) -> None:
    with ris.read() as session:
        before = [session.scalar(sa.select(sa.func.count()).select_from(table)) for table in (Message, Delivery, StoredEvent)]
    seen = of_exam(ris, hospital, placed, message)
    with ris.read() as session:
        after = [session.scalar(sa.select(sa.func.count()).select_from(table)) for table in (Message, Delivery, StoredEvent)]
    assert before == after
    assert (seen.nothing, seen.refusal) == ("", "")
    assert seen.event in TELLS[message]
    assert seen.text.startswith("MSH|^~\\&|RIS|MAIN|EHR|HOSP|")
    assert seen.kind.replace("^", "|") in seen.text.replace("^", "|")
    assert "|PREVIEW|" in seen.text


def test_what_will_not_fit_and_what_need_not_be_told_is_said(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    send_to(ris, hospital, 1, charset="8859/1")
    assert "8859/1" in of_exam(ris, hospital, placed, "oru_r01").refusal
    with ris.uow(hospital.actor("front_desk")) as uow:
        event_id = uow.session.scalar(sa.select(StoredEvent.id).where(StoredEvent.name == "order.placed"))
        seen = preview.of_event(uow.session, event_id, destination_id=hospital.destination_id, message="siu_s12", now=uow.now)
    assert seen.refusal == "order.placed is nothing that SIU tells"


def test_where_nothing_has_happened_there_is_nothing_to_see(ris: Ris, hospital: Hospital, placed: Placed) -> None:
    for message in ("adt_a40", "nonsense"):
        with pytest.raises(NotFound):
            of_exam(ris, hospital, placed, message)
    with ris.read() as session, pytest.raises(NotFound):
        preview.of_event(session, 1, destination_id=hospital.destination_id, message="oru_r01", now=utc_now())
