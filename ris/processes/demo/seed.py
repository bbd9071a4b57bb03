"""Fills an empty database with the demo hospital and its past."""

import random
from datetime import UTC, datetime, time, timedelta

import sqlalchemy as sa

from ris.audit import seal
from ris.bootstrap import Ris
from ris.catalog.model import Site
from ris.exports import charges_csv
from ris.processes.demo import catalog, plan, rules
from ris.processes.demo.past import Past
from ris.staff.model import User

SEED = 20_261_124
PATIENTS = 160
NIGHTS_EXPORTED = 3


def is_empty(ris: Ris) -> bool:
    """Whether nobody has begun to use the database."""
    with ris.read() as session:
        return not any(session.scalar(sa.select(table.id).limit(1)) for table in (Site, User))


def fill(ris: Ris, seed: int = SEED) -> str:
    """Makes hospital, patients and exams: the same for the same seed and clock. Returns a sentence that says how much."""
    now = ris.clock()
    chance = random.Random(seed)  # noqa: S311 (invents people, not secrets)
    with ris.uow() as uow:
        hospital = catalog.write(uow, ris.settings.partner)
    past = Past(hospital, chance, now)
    with ris.uow() as uow:
        past.register(uow, PATIENTS)
    count = 0
    for exams in _days(ris, hospital, chance, now):
        with ris.uow() as uow:
            for planned in exams:
                past.live(uow, planned)
        count += len(exams)
    with ris.uow() as uow:
        past.leave_waiting(uow)
    with ris.uow() as uow:
        catalog.begin_to_keep(uow, hospital)
        rules.write(uow)
        catalog.publish_questionnaires(uow)
        catalog.help_to_write(uow, hospital)
        if hospital.partner_id is not None:
            rules.examine(uow, hospital.partner_id, past.patient_ids, random.Random(seed), now)  # noqa: S311 (invents people, not secrets)
    with ris.uow() as uow:
        rules.protocol_planned(uow, hospital, random.Random(seed))  # noqa: S311 (invents people, not secrets)
    _export(ris, now)
    _seal(ris)
    return f"{len(hospital.rooms)} rooms, {len(hospital.procedures)} procedures, {PATIENTS} patients, {count} exams"


def passwords_text() -> str:
    """The logins of the demo with the passwords that they began with."""
    lines = [f"  {row['login']:<12}{row['password']:<24}{row['role'].replace('_', ' ')}" for row in catalog.read("staff")]
    return "\n".join(("Demo logins (password as first made):", *lines))


def _days(ris: Ris, hospital: catalog.Hospital, chance: random.Random, now: datetime) -> list[list[plan.Planned]]:
    with ris.read() as session:
        return [exams for _, exams in plan.days(hospital, session, chance, now, PATIENTS)]


def _export(ris: Ris, now: datetime) -> None:
    """The charge files of the last nights, as the nightly job would have written them."""
    at = time.fromisoformat(ris.settings.jobs.charge_export_utc)
    for back in range(NIGHTS_EXPORTED, 0, -1):
        due = datetime.combine(now.date() - timedelta(days=back), at, UTC)
        charges_csv.write(ris, due.date(), due)


def _seal(ris: Ris) -> None:
    """The whole trail of the past at once: nothing that is already old waits for the sealer."""
    while True:
        with ris.uow() as uow:
            if seal.seal(uow, everything=True) == 0:
                return
