"""Searching the trail, on both engines."""

from datetime import UTC, datetime, timedelta

import pytest

from ris.audit import seal
from ris.audit.model import Action, AuditEntry, Outcome
from ris.audit.queries import Cursor, EntryRow, Wanted, entries
from ris.base.ids import new_id
from ris.bootstrap import Ris

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
SITES = (1, 2)


@pytest.fixture
def trail(ris: Ris) -> list[str]:
    """Entries e0 to e9, one a minute, but e4 and e5 at the same moment; newest first."""
    with ris.uow() as uow:
        for n in range(10):
            uow.append(
                AuditEntry,
                {
                    "id": new_id(), "at": NOON + timedelta(minutes=4 if n == 5 else n), "actor_kind": "user", "actor_id": n % 2,
                    "actor_name": ("Ida Oak", "Bo 100%")[n % 2], "place": "192.0.2.7", "action": Action.read if n < 5 else Action.update,
                    "what": f"e{n}", "object_kind": "patient", "object_id": n, "patient_id": n % 3, "procedure_id": None,
                    "site_id": (None, 1, 3)[n % 3], "message_id": None, "detail": {},
                    "outcome": Outcome.refused if n == 7 else Outcome.success,
                },
            )  # fmt: skip
    return [f"e{n}" for n in range(9, -1, -1) if n % 3 != 2]


def found(ris: Ris, limit: int = 100, **wanted: object) -> list[EntryRow]:
    with ris.read() as session:
        return entries(session, Wanted(SITES, **wanted), limit)  # type: ignore[arg-type]


def names(rows: list[EntryRow]) -> list[str]:
    return [row.what for row in rows]


def test_finds_the_entries_of_the_sites_and_those_of_none_newest_first(ris: Ris, trail: list[str]) -> None:
    assert names(found(ris)) == trail


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"patient_ids": {1}}, ["e7", "e4", "e1"]),
        ({"patient_ids": {0, 1}}, ["e9", "e7", "e6", "e4", "e3", "e1", "e0"]),
        ({"patient_ids": set()}, []),
        ({"actor": "oak"}, ["e6", "e4", "e0"]),
        ({"actor": "0%"}, ["e9", "e7", "e3", "e1"]),
        ({"actor": "_"}, []),
        ({"since": NOON + timedelta(minutes=4), "until": NOON + timedelta(minutes=7)}, ["e6", "e4"]),
        ({"action": Action.update}, ["e9", "e7", "e6"]),
        ({"outcome": Outcome.refused}, ["e7"]),
        ({"actor": "BO", "action": Action.read}, ["e3", "e1"]),
    ],
)
def test_narrows_by_patient_person_time_action_and_outcome(
    ris: Ris, trail: list[str], wanted: dict[str, object], expected: list[str]
) -> None:
    assert names(found(ris, **wanted)) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_pages_follow_each_other_without_gap_or_repetition(ris: Ris, trail: list[str], size: int) -> None:
    everything: list[EntryRow] = []
    while page := found(ris, size, before=Cursor(everything[-1].at, everything[-1].id) if everything else None):
        everything += page
    assert names(everything) == trail


def test_says_what_is_sealed(ris: Ris, trail: list[str]) -> None:
    with ris.uow() as uow:
        seal.seal(uow, limit=5)
    assert {row.what for row in found(ris) if row.is_sealed} == {"e0", "e1", "e3", "e4"}
