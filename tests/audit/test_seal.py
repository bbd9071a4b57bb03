"""The chain over the audit trail: what is sealed, and that somebody with every right on the database is found out."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ris.audit import seal
from ris.audit.model import Action, AuditEntry, AuditSeal, Outcome
from ris.audit.seal import ORIGIN, Head, Problem
from ris.audit.service import entry
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Actor
from ris.bootstrap import Ris
from tests.clock import Clock

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
READER = Actor("user", 7, "Ida Oak", "192.0.2.7")
GUARDS = ("audit_entry", "audit_seal")


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


def look(ris: Ris, *subjects: str) -> list[int]:
    """An entry for each, and their keys."""
    with ris.uow(READER) as uow:
        for subject in subjects:
            entry(uow, Action.read, subject, Ref("patient", 3), patient_id=3, detail={"why": f"{subject} – Übersicht"})
    with ris.read() as session:
        return list(session.scalars(sa.select(AuditEntry.id).where(AuditEntry.what.in_(subjects)).order_by(AuditEntry.id)))


def sealed(ris: Ris) -> int:
    with ris.uow() as uow:
        return seal.seal(uow)


def head(ris: Ris) -> Head:
    with ris.read() as session:
        return seal.head(session)


def found(ris: Ris, *known: Head) -> list[Problem]:
    with ris.read() as session:
        return seal.verify(session, known=known, now=ris.clock())


def kinds(problems: list[Problem]) -> dict[str, set[int | None]]:
    """Kind to the entries that it names."""
    return {kind: {p.entry_id for p in problems if p.kind == kind} for kind in {p.kind for p in problems}}


@pytest.fixture
def chain(ris: Ris) -> list[int]:
    """Four sealed entries."""
    ids = look(ris, "patient", "exam", "report", "message")
    assert sealed(ris) == 4
    return ids


def by_hand(ris: Ris, *statements: str) -> None:
    """As the owner of the database can: without the guards."""
    with ris.engine.begin() as connection:
        for table in GUARDS:
            for guard in _guards(connection, table):
                connection.exec_driver_sql(guard)
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount > 0, statement


def _guards(connection: sa.Connection, table: str) -> list[str]:
    if connection.dialect.name == "postgresql":
        return [f"ALTER TABLE {table} DISABLE TRIGGER USER"]
    names = connection.exec_driver_sql(f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}'").scalars()
    return [f'DROP TRIGGER "{name}"' for name in names]


# ── sealing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_seals_each_committed_entry_once_in_the_order_of_keys(ris: Ris) -> None:
    ids = look(ris, "patient", "exam", "report")
    assert (sealed(ris), sealed(ris)) == (3, 0)
    with ris.read() as session:
        rows = session.execute(sa.select(AuditSeal.position, AuditSeal.entry_id).order_by(AuditSeal.position)).all()
    assert [tuple(row) for row in rows] == [(1, ids[0]), (2, ids[1]), (3, ids[2])]
    assert found(ris) == []


def test_goes_on_from_the_end_of_the_chain(ris: Ris, chain: list[int]) -> None:
    before = head(ris)
    look(ris, "schedule")
    assert sealed(ris) == 1
    assert head(ris).position == before.position + 1
    assert found(ris, before) == []


def test_seals_an_entry_that_was_committed_after_one_with_a_higher_key(ris: Ris) -> None:
    slow = new_id()
    look(ris, "patient")
    sealed(ris)
    with ris.uow() as uow:
        uow.append(AuditEntry, values(slow))
    assert sealed(ris) == 1
    assert found(ris) == []


def test_seals_nothing_of_a_unit_of_work_that_was_rolled_back(ris: Ris) -> None:
    with ris.uow(READER) as uow:
        entry(uow, Action.read, "patient", Ref("patient", 3))
        uow.flush()
        uow.session.rollback()
    assert sealed(ris) == 0
    assert head(ris) == Head(0, ORIGIN)


def test_looks_back_for_an_hour_and_on_demand_for_ever(ris: Ris, chain: list[int]) -> None:
    forgotten = chain[-1] - (2 * 3_600_000 << 22)
    with ris.uow() as uow:
        uow.append(AuditEntry, values(forgotten))
    assert sealed(ris) == 0
    with ris.uow() as uow:
        assert seal.seal(uow, everything=True) == 1


def test_takes_no_more_than_it_is_told(ris: Ris) -> None:
    look(ris, *(f"page {n}" for n in range(5)))
    with ris.uow() as uow:
        assert seal.seal(uow, limit=3) == 3
    assert sealed(ris) == 2
    assert found(ris) == []


def test_an_entry_is_one_text_on_every_engine(ris: Ris) -> None:
    with ris.uow() as uow:
        uow.append(AuditEntry, values(5))
    with ris.read() as session:
        row = session.execute(sa.select(AuditEntry.__table__)).mappings().one()
    assert seal.canonical(dict(row)) == (
        '{"action":"read","actor_id":7,"actor_kind":"user","actor_name":"Ida Oak","at":"2026-11-30T12:00:00+00:00",'
        '"detail":{"a":1,"why":"Übersicht"},"id":5,"message_id":null,"object_id":3,"object_kind":"patient","outcome":"success",'
        '"patient_id":3,"place":"192.0.2.7","procedure_id":null,"site_id":null,"what":"patient"}'
    )


def values(entry_id: int) -> dict[str, object]:
    return {
        "id": entry_id, "at": NOON, "actor_kind": "user", "actor_id": 7, "actor_name": "Ida Oak", "place": "192.0.2.7",
        "action": Action.read, "what": "patient", "object_kind": "patient", "object_id": 3, "patient_id": 3, "procedure_id": None,
        "site_id": None, "message_id": None, "outcome": Outcome.success, "detail": {"why": "Übersicht", "a": 1},
    }  # fmt: skip


# ── verifying ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_untouched_chain_fits(ris: Ris, chain: list[int]) -> None:
    assert found(ris, head(ris)) == []


@pytest.mark.parametrize(
    "change",
    ["actor_name = 'Nobody'", "patient_id = 4", "detail = '{}'", "outcome = 'refused'", "procedure_id = 9", "place = ''"],
)
def test_names_an_entry_that_was_changed(ris: Ris, chain: list[int], change: str) -> None:
    by_hand(ris, f"UPDATE audit_entry SET {change} WHERE id = {chain[1]}")
    assert kinds(found(ris)) == {"changed": {chain[1]}}


def test_names_an_entry_that_was_moved_by_a_second(ris: Ris, chain: list[int]) -> None:
    later = "at + interval '1 second'" if ris.engine.dialect.name == "postgresql" else "strftime('%Y-%m-%d %H:%M:%f', at, '+1 second')"
    by_hand(ris, f"UPDATE audit_entry SET at = {later} WHERE id = {chain[2]}")
    assert kinds(found(ris)) == {"changed": {chain[2]}}


@pytest.mark.parametrize("which", [0, 2, 3])
def test_names_an_entry_that_is_missing(ris: Ris, chain: list[int], which: int) -> None:
    by_hand(ris, f"DELETE FROM audit_entry WHERE id = {chain[which]}")
    assert kinds(found(ris)) == {"missing": {chain[which]}}


def test_names_two_entries_that_were_swapped(ris: Ris, chain: list[int]) -> None:
    by_hand(ris, *swapping("audit_entry", "id", chain[0], chain[2]))
    assert kinds(found(ris)) == {"swapped": {chain[0], chain[2]}}


def test_names_two_entries_whose_places_in_the_chain_were_swapped(ris: Ris, chain: list[int]) -> None:
    by_hand(ris, *swapping("audit_seal", "entry_id", chain[1], chain[2]))
    assert kinds(found(ris)) == {"swapped": {chain[1], chain[2]}}


def swapping(table: str, column: str, one: int, other: int) -> list[str]:
    steps = ((one, -1), (other, one), (-1, other))
    return [f"UPDATE {table} SET {column} = {new} WHERE {column} = {old}" for old, new in steps]


def test_names_the_place_where_a_link_was_taken_out(ris: Ris, chain: list[int]) -> None:
    by_hand(ris, "DELETE FROM audit_seal WHERE position = 2")
    problems = found(ris)
    assert [(p.kind, p.position) for p in problems] == [("broken link", 3)]


def test_finds_an_entry_that_was_taken_out_with_its_link(ris: Ris, chain: list[int]) -> None:
    by_hand(ris, "DELETE FROM audit_seal WHERE position = 2", f"DELETE FROM audit_entry WHERE id = {chain[1]}")
    assert kinds(found(ris)) == {"broken link": {chain[2]}}


def test_finds_an_entry_that_was_taken_out_and_its_gap_closed(ris: Ris, chain: list[int]) -> None:
    by_hand(
        ris,
        "DELETE FROM audit_seal WHERE position = 2",
        f"DELETE FROM audit_entry WHERE id = {chain[1]}",
        "UPDATE audit_seal SET position = 2 WHERE position = 3",
        "UPDATE audit_seal SET position = 3 WHERE position = 4",
    )
    assert kinds(found(ris)) == {"changed": {chain[2]}}


def test_names_a_seal_whose_digest_was_changed_and_no_other(ris: Ris, chain: list[int]) -> None:
    by_hand(ris, f"UPDATE audit_seal SET digest = '{'f' * 64}' WHERE position = 2")
    assert kinds(found(ris)) == {"changed": {chain[1]}}


def test_the_end_cut_off_is_found_by_a_head_that_was_kept_elsewhere(ris: Ris, chain: list[int]) -> None:
    kept = head(ris)
    by_hand(ris, "DELETE FROM audit_seal WHERE position > 2", f"DELETE FROM audit_entry WHERE id > {chain[1]}")
    assert found(ris) == []
    assert kinds(found(ris, kept)) == {"not the chain that was": {None}}


def test_a_chain_that_was_built_anew_is_found_by_a_head_that_was_kept_elsewhere(ris: Ris, chain: list[int]) -> None:
    kept = head(ris)
    by_hand(ris, f"UPDATE audit_entry SET actor_name = 'Nobody' WHERE id = {chain[0]}", "DELETE FROM audit_seal")
    assert sealed(ris) == 4
    assert found(ris) == []
    assert kinds(found(ris, kept)) == {"not the chain that was": {None}}


def test_names_an_entry_that_was_slipped_in_under_an_old_key(ris: Ris, clock: Clock, chain: list[int]) -> None:
    clock.now += timedelta(minutes=10)
    look(ris, "schedule")
    sealed(ris)
    clock.now += timedelta(minutes=10)
    with ris.uow() as uow:
        uow.append(AuditEntry, values(chain[0] - 1))
    sealed(ris)
    assert kinds(found(ris)) == {"late": {chain[0] - 1}}


def test_an_entry_that_waits_for_its_seal_for_more_than_five_minutes_is_named(ris: Ris, clock: Clock, chain: list[int]) -> None:
    waiting = look(ris, "schedule")
    clock.now += timedelta(minutes=5)
    assert found(ris) == []
    clock.now += timedelta(seconds=1)
    assert kinds(found(ris)) == {"unsealed": set(waiting)}


def test_says_in_a_sentence_what_is_wrong(ris: Ris, chain: list[int]) -> None:
    by_hand(ris, f"DELETE FROM audit_entry WHERE id = {chain[1]}")
    assert [str(problem) for problem in found(ris)] == [f"entry {chain[1]} is missing: seal 2 names it"]


def test_walks_a_chain_that_is_longer_than_one_page(ris: Ris) -> None:
    ids = look(ris, *(f"page {n:04}" for n in range(4100)))
    while sealed(ris):
        pass
    assert found(ris) == []
    by_hand(ris, f"UPDATE audit_entry SET place = '' WHERE id IN ({ids[2000]}, {ids[4050]})")
    assert kinds(found(ris)) == {"changed": {ids[2000], ids[4050]}}
