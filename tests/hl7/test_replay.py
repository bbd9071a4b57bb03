"""What was refused is corrected and replayed: applied once, in the person's name, linked to what came over the wire."""

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from ris.audit.model import AuditEntry
from ris.base.errors import Invalid, NotAllowedNow, NotFound, RisError
from ris.base.ref import Ref
from ris.bootstrap import Ris
from ris.hl7 import replay_batch
from ris.hl7.intake import Intake
from ris.hl7.replay import edited, replay
from ris.journal import queries as journal
from ris.journal.model import Message, MessageState
from ris.partner.model import Partner
from ris.task import service as task_service
from tests.factories.hospital import Hospital
from tests.hl7.asking import PLACE, agree, ask, counts, order_of, patient_of, tasks
from tests.journal.entries import journalled
from tests.messages.samples import adt, cancel, message, msh, obr, orc, order, pid


def refused(ris: Ris, raw: bytes) -> int:
    """Sent, and answered with an error; its row in the journal."""
    Intake(ris).take([(raw, PLACE)])
    with ris.read() as session:
        row = session.scalars(sa.select(Message).order_by(Message.id.desc()).limit(1)).one()
    assert row.state is MessageState.refused
    return row.id


def stored(ris: Ris, message_id: int) -> Message:
    with ris.read() as session:
        return session.get_one(Message, message_id)


def trail(ris: Ris, **where: Any) -> list[AuditEntry]:
    with ris.read() as session:
        return list(session.scalars(sa.select(AuditEntry).filter_by(**where).order_by(AuditEntry.id)))


def test_a_corrected_message_is_applied_and_linked_to_what_came(ris: Ris, hospital: Hospital) -> None:
    origin = refused(ris, order(mrn="", control_id="X1"))
    done = replay(ris, origin, hospital.actor("integration"), order(mrn="M7", control_id="X1"))
    assert done.state is MessageState.applied
    with ris.read() as session:
        assert order_of(session).patient_id == patient_of(session, "M7").id
        (row,) = journal.replays_of(session, origin)
        assert (row.message_id, row.source_id, row.by, row.state) == (done.message_id, origin, "Test Integration", MessageState.applied)
        assert journal.origin_of(session, done.message_id) == origin
    again = stored(ris, done.message_id)
    assert (again.control_id, again.partner_id, again.place) == ("X1", hospital.partner_id, "replay by Test Integration")
    assert stored(ris, origin).state is MessageState.refused


def test_the_person_is_in_the_trail_and_the_effects_name_the_replayed_message(ris: Ris, hospital: Hospital) -> None:
    origin = refused(ris, order(mrn=""))
    done = replay(ris, origin, hospital.actor("integration"), order(mrn="M7"))
    (entry,) = trail(ris, what="message.replayed")
    assert (entry.actor_id, entry.object_id) == (hospital.users["integration"], origin)
    assert entry.detail == {"replay_id": done.message_id, "source_id": origin, "changed": True, "state": "applied"}
    (placed,) = trail(ris, what="order.placed")
    assert (placed.actor_kind, placed.message_id, placed.place) == ("partner", done.message_id, "replay by Test Integration")


def test_a_message_that_was_refused_for_what_was_missing_is_replayed_unchanged(ris: Ris, hospital: Hospital) -> None:
    origin = refused(ris, cancel())
    first = replay(ris, origin, hospital.actor("integration"))
    assert (first.state, first.error[:3]) == (MessageState.refused, "204")
    ask(ris, order())
    assert replay(ris, first.message_id, hospital.actor("integration")).state is MessageState.applied
    with ris.read() as session:
        assert [row.source_id for row in journal.replays_of(session, origin)] == [origin, first.message_id]
        assert order_of(session).status == "cancelled"


@pytest.mark.parametrize("reuse", ["accept", "refuse"])
def test_a_control_id_that_was_refused_is_no_obstacle(ris: Ris, hospital: Hospital, reuse: str) -> None:
    agree(ris, hospital, control_id_reuse=reuse)
    origin = refused(ris, order(mrn="", control_id="X1"))
    assert replay(ris, origin, hospital.actor("integration"), order(mrn="M7", control_id="X1")).state is MessageState.applied


def test_what_was_applied_is_never_applied_again(ris: Ris, hospital: Hospital) -> None:
    origin = refused(ris, order("P1^EHR", mrn=""))
    done = replay(ris, origin, hospital.actor("integration"), order("P1^EHR", mrn="M7"))
    before = counts(ris)
    for message_id in (origin, done.message_id):
        with pytest.raises(NotAllowedNow):
            replay(ris, message_id, hospital.actor("integration"), order("P2^EHR", mrn="M7"))
    assert counts(ris) == before


def test_of_many_who_replay_one_message_at_once_one_is_applied(ris: Ris, hospital: Hospital) -> None:
    origin = refused(ris, order(mrn=""))
    begin, results = threading.Barrier(4), []

    def one(number: int) -> None:
        begin.wait()
        try:
            results.append(replay(ris, origin, hospital.actor("integration"), order(f"P{number}^EHR", mrn="M7")).state.value)
        except RisError as error:
            results.append(type(error).__name__)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count("applied") == 1
    assert counts(ris)["imaging_order"] == 1
    assert {result for result in results if result != "applied"} <= {"refused", "NotAllowedNow"}


def test_a_message_that_the_sender_has_sent_again_in_the_meantime_changes_nothing_and_is_solved(ris: Ris, hospital: Hospital) -> None:
    raw = cancel(control_id="X9")
    origin = refused(ris, raw)
    ask(ris, order(), raw)
    done = replay(ris, origin, hospital.actor("integration"))
    assert done.state is MessageState.repeated
    with pytest.raises(NotAllowedNow):
        replay(ris, origin, hospital.actor("integration"))


def test_a_message_stays_its_partner_s_whatever_is_written_into_its_header(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        uow.add(Partner(name="OTHER", application="OTHER", facility="HOSP", zone="UTC", site_id=hospital.sites["MAIN"], policies={}))
    origin = refused(ris, order(mrn=""))
    other = message(msh("ORM^O01", sender="OTHER|HOSP"), pid("M7"), orc("NW", "P1"), obr("P1"))
    done = replay(ris, origin, hospital.actor("integration"), other)
    assert stored(ris, done.message_id).partner_id == hospital.partner_id


def test_a_message_of_a_sender_who_was_unknown_is_applied_once_the_sender_is_entered(ris: Ris, hospital: Hospital) -> None:
    origin = refused(ris, message(msh("ADT^A04", sender="NEW|HOSP"), pid()))
    with ris.uow() as uow:
        uow.add(Partner(name="NEW", application="NEW", facility="HOSP", zone="UTC", site_id=hospital.sites["MAIN"], policies={}))
    assert replay(ris, origin, hospital.actor("integration")).state is MessageState.applied


def test_only_what_came_in_and_was_not_taken_is_replayed(ris: Ris, hospital: Hospital) -> None:
    ask(ris, adt("A04", pid()))
    with ris.read() as session:
        applied = session.scalars(sa.select(Message.id)).one()
    with pytest.raises(NotAllowedNow):
        replay(ris, applied, hospital.actor("integration"))
    with pytest.raises(NotFound):
        replay(ris, 1, hospital.actor("integration"))


def test_a_quarantined_message_that_was_mended_settles_its_task(ris: Ris, hospital: Hospital) -> None:
    raw = order(mrn="")
    origin = journalled(ris, "X1", state=MessageState.quarantined, partner_id=hospital.partner_id, raw=raw)
    with ris.uow() as uow:
        task_service.open(uow, "message_quarantined", Ref("message", origin), "it stopped the program 3 times")
    replay(ris, origin, hospital.actor("integration"))
    assert tasks(ris) == [("message_quarantined", "open")]
    replay(ris, origin, hospital.actor("integration"), order(mrn="M7"))
    assert tasks(ris) == [("message_quarantined", "obsolete")]


# ── the text of a person ─────────────────────────────────────────────────────────────────────────────────────────────


def source(raw: bytes = b"", codec: str = "utf-8") -> Message:
    return Message(raw=raw, charset=codec)


def test_a_text_becomes_bytes_in_the_character_set_that_it_declares() -> None:
    text = message(msh("ADT^A04", charset="8859/1"), "PID|1||M1||Müller").decode().replace("\r", "\r\n")
    assert edited(source(), text).split(b"\r")[1] == "PID|1||M1||Müller".encode("latin-1")
    plain = text.replace("8859/1", "")
    assert edited(source(codec="cp1252"), plain).split(b"\r")[1] == "PID|1||M1||Müller".encode("cp1252")


@pytest.mark.parametrize("text", ["", "PID|1", "MSH|^~\\&|A\x0b|B", "MSH|^~\\&|A\x1c|B", f"{msh('ADT^A04', charset='ASCII')}\nPID|Müller"])
def test_what_is_no_message_or_cannot_be_written_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        edited(source(), text)


# ── many at once ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_replays_all_and_says_what_became_of_each(ris: Ris, hospital: Hospital) -> None:
    actor = hospital.actor("integration")
    cancels = [refused(ris, cancel(f"P{number}^EHR")) for number in range(4)]
    ask(ris, *(order(f"P{number}^EHR") for number in range(3)))
    replay(ris, cancels[2], actor)
    with ris.uow(actor) as uow:
        batch_id = replay_batch.begin(uow, cancels)
    replay_batch.go_on(ris, batch_id, actor, seconds=0)
    with ris.read() as session:
        assert replay_batch.progress(session, batch_id).outcomes == {"applied": 1}
    replay_batch.go_on(ris, batch_id, actor)
    with ris.read() as session:
        done = replay_batch.progress(session, batch_id)
        assert [item.outcome for item in replay_batch.items(session, batch_id)] == ["applied", "applied", "left out", "refused"]
    assert (done.total, done.done, done.outcomes) == (4, 4, {"applied": 2, "left out": 1, "refused": 1})
    assert len(trail(ris, what="replay.begun")) == 1
    assert [entry.actor_id for entry in trail(ris, what="message.replayed")] == [hospital.users["integration"]] * 4


@pytest.mark.parametrize("size", [0, replay_batch.MOST + 1])
def test_a_batch_has_bounds(ris: Ris, hospital: Hospital, size: int) -> None:
    with pytest.raises(Invalid), ris.uow(hospital.actor("integration")) as uow:
        replay_batch.begin(uow, list(range(size)))
