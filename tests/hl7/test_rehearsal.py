"""The test bench: the intake itself says what a message would do, and nothing of it stays."""

import re
from collections.abc import Mapping

import pytest
import sqlalchemy as sa

from ris.base import sequence
from ris.bootstrap import Ris
from ris.hl7.rehearsal import Rehearsed, as_sent, rehearse
from ris.journal.model import MessageState
from ris.outbox.wake import Waiter
from ris.partner.model import Partner
from tests.factories.hospital import Hospital
from tests.hl7.asking import AA, accept, ask, counts, outcome, rows
from tests.messages.samples import adt, cancel, merge, message, msh, obr, orc, order, orm, pid, pv1


def tried(ris: Ris, raw: bytes, partner_id: int | None = None) -> Rehearsed:
    """The result, once it is sure that nothing of it stayed."""
    before = everything(ris)
    with Waiter(ris.engine) as waiter:
        waiter.wait(0)
        result = rehearse(ris, raw, partner_id)
        assert waiter.wait(0.05) is False
    assert everything(ris) == before
    assert result is not None
    return result


def everything(ris: Ris) -> tuple[Mapping[str, int], list[int]]:
    """Rows of every table, and the last number of every sequence."""
    with ris.read() as session:
        return counts(ris), [sequence.last(session, name) for name in sequence.NAMES]


def deeds(result: Rehearsed) -> dict[str, list[str]]:
    return {table: [row.deed for row in found] for table, found in result.written.by_table().items()}


def test_an_order_shows_its_events_rows_answer_and_outgoing_messages(ris: Ris, hospital: Hospital) -> None:
    result = tried(ris, order("P1^EHR", mrn="M1", control_id="X1"))
    assert result.state is MessageState.applied
    assert outcome(result.answer) == AA
    assert [row.values["name"] for row in result.events] == ["patient.registered", "order.placed"]
    written = deeds(result)
    for table in ("patient", "patient_identifier", "imaging_order", "requested_procedure", "message", "delivery"):
        assert written[table] == ["added"], table
    (told,) = result.outgoing
    assert (told.destination, told.event, told.message, told.why_not) == ("EHR results", "order.placed", "orm_o01", "")
    assert re.search(r"^ORC\|\w\w\|P1\^EHR", told.text, re.MULTILINE)


def test_what_would_change_is_said_with_its_new_values(ris: Ris, hospital: Hospital) -> None:
    accept(ris, adt("A04", pid("M1", "Meadow^Anna")))
    result = tried(ris, adt("A08", pid("M1", "Fern^Anna")))
    (changed,) = (row for row in result.written.rows if row.table == "patient")
    assert changed.deed == "changed"
    assert changed.values["family"] == "Fern"
    assert "birth_date" not in changed.values
    assert rows(ris, "SELECT family FROM patient") == [("Meadow",)]


def test_a_merge_and_a_cancellation_are_tried_without_being_done(ris: Ris, hospital: Hospital) -> None:
    accept(ris, order("P1^EHR", mrn="M1"), adt("A04", pid("M2")))
    assert "patient.merged" in [row.values["name"] for row in tried(ris, merge("M2", "M1")).events]
    assert "order.procedure_cancelled" in [row.values["name"] for row in tried(ris, cancel("P1^EHR", mrn="M1")).events]
    assert ask(ris, cancel("P1^EHR", mrn="M1")) == [AA]


@pytest.mark.parametrize(
    ("raw", "state", "error"),
    [
        (adt("A04", "PID|1"), "refused", "101 at PID^1^3"),
        (message(msh("SIU^S99"), pid()), "refused", "200 at MSH^1^9"),
        (b"hello", "refused", "100"),
        (orm(pid("M1"), pv1("V1"), orc("NW", "P1"), obr("P1", "")), "refused", "101 at OBR^1^4"),
    ],
)
def test_a_refusal_is_shown_with_its_place(ris: Ris, hospital: Hospital, raw: bytes, state: str, error: str) -> None:
    result = tried(ris, raw)
    assert (result.state.value, result.error[: len(error)]) == (state, error)
    assert outcome(result.answer)[0] in ("AE", "AR")
    assert result.outgoing == ()


def test_what_was_applied_before_would_only_be_answered_again(ris: Ris, hospital: Hospital) -> None:
    raw = order(control_id="X1")
    accept(ris, raw)
    assert tried(ris, raw).state is MessageState.repeated


def test_the_partner_that_is_chosen_counts_and_not_the_one_in_the_header(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        other = uow.add(Partner(name="NEW", application="NEW", facility="X", zone="UTC", site_id=hospital.sites["MAIN"], policies={}))
        uow.session.flush()
        other_id = other.id
    raw = message(msh("ADT^A04", sender="NOBODY|HOSP"), pid("M1"))
    assert tried(ris, raw).state is MessageState.refused
    result = tried(ris, raw, other_id)
    assert result.state is MessageState.applied
    assert {row.values["actor_name"] for row in result.events} == {"NEW"}


def test_the_real_message_gets_the_number_that_was_shown(ris: Ris, hospital: Hospital) -> None:
    raw = order()
    (shown,) = (row.values["accession_number"] for row in tried(ris, raw).written.rows if row.table == "requested_procedure")
    accept(ris, raw)
    assert rows(ris, "SELECT accession_number FROM requested_procedure") == [(shown,)]


def test_rows_are_shown_without_what_says_nothing(ris: Ris, hospital: Hospital) -> None:
    (patient,) = (row.shown for row in tried(ris, adt("A04", pid("M1"))).written.rows if row.table == "patient")
    assert patient["birth_date"] == "1970-05-17"
    assert "street" not in patient
    (journalled,) = (row.shown for row in tried(ris, adt("A04", pid("M1"))).written.rows if row.table == "message")
    assert journalled["raw"].endswith(" bytes")


def test_a_pasted_text_becomes_what_a_sender_would_have_sent() -> None:
    text = "MSH|^~\\&|A|B||||||||||||||8859/1\n\nPID|1||Müller"
    assert as_sent(text) == "MSH|^~\\&|A|B||||||||||||||8859/1\rPID|1||Müller\r".encode("latin-1")
    assert as_sent("") == b""


def test_what_cannot_be_looked_at_is_not_there(ris: Ris, hospital: Hospital) -> None:
    """A database that does not answer."""
    away = Ris(ris.settings.model_copy(update={"database": ris.settings.database.model_copy(update={"url": "sqlite:////nowhere/ris.db"})}))
    assert rehearse(away, order()) is None
    with pytest.raises(sa.exc.OperationalError), away.read() as session:
        session.execute(sa.text("SELECT 1"))
    away.close()
