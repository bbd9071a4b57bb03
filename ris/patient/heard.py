"""Alerts that follow from what senders say: raised and ended as a sender changes its word, beside what the desk says."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ris.base.uow import UnitOfWork, service
from ris.patient.alerts import LONGEST, new_alert, tell
from ris.patient.languages import NAMES
from ris.patient.model import AlertKind, Patient, PatientAlert


@dataclass(frozen=True, slots=True)
class Said:
    """One field of a message."""

    place: str
    """`PID-15`."""
    kind: AlertKind
    texts: tuple[str, ...]
    """Empty: there is nothing to know, whatever was said before."""

    @property
    def key(self) -> str:
        return f"{self.place}|{self.kind}"


LANGUAGE = "PID-15"
ADDING_UP = frozenset(("OBR-12",))
"""Fields of which what was said before holds on: each order speaks of its own danger."""


def is_language_a_senders(patient: Patient) -> bool:
    """Whether nobody has said the language that the patient is written to in, or a sender has: then a sender may change it."""
    known = NAMES.get(patient.language, "")
    said = f"{LANGUAGE}|{AlertKind.language}"
    return not patient.language or any(known in places.get(said, ()) for places in (patient.heard or {}).values())


@service
def hear(uow: UnitOfWork, patient: Patient, partner_id: int, said: Iterable[Said]) -> None:
    """Takes what a sender says now; who says what it said before costs no query, and brings back nothing that a person has ended.

    What the desk or another sender says stays as it is.
    """
    everything = patient.heard or {}
    before = everything.get(str(partner_id), {})
    changed = {}
    for one in said:
        known = before.get(one.key, [])
        texts = [text[:LONGEST] for text in one.texts]
        texts = [*known, *(text for text in texts if text not in known)] if one.place in ADDING_UP else texts
        if texts != known:
            changed[one.key] = texts
            _change(uow, patient, partner_id, one, known, texts)
    if changed:
        uow.touch()
        patient.heard = {**everything, str(partner_id): {**before, **changed}}


def _change(uow: UnitOfWork, patient: Patient, partner_id: int, said: Said, known: list[str], texts: list[str]) -> None:
    for text in texts:
        if text not in known:
            values = new_alert(uow, patient.id, said.kind, text) | {"partner_id": partner_id, "place": said.place}
            tell(uow, "patient.alert_raised", uow.create(PatientAlert, **values))
    gone = [text for text in known if text not in texts]
    if gone:
        uow.session.flush()
        rows = uow.session.scalars(
            sa.select(PatientAlert).where(
                PatientAlert.patient_id == patient.id, PatientAlert.partner_id == partner_id, PatientAlert.place == said.place,
                PatientAlert.kind == said.kind, PatientAlert.text.in_(gone), PatientAlert.ended_at.is_(None),
            )
        )  # fmt: skip
        for row in rows:
            row.ended_at, row.ended_by = uow.now, uow.actor.name
            tell(uow, "patient.alert_ended", row)


def join(uow: UnitOfWork, survivor: Patient, loser: Patient, alert_ids: Sequence[int]) -> list[int]:
    """What senders said of a record that is merged into another: the keys of the alerts (among `alert_ids`) that end with it.

    Where one sender said something of both in one field, its word about the survivor holds: the PID of a survivor is current
    (HL7 v2.5.1 ch. 3.6.2). What it said of the loser alone holds on until it says otherwise of the survivor.
    """
    words = {partner: dict(said) for partner, said in (survivor.heard or {}).items()}
    ruled_out: dict[tuple[int, str], list[str]] = {}
    for partner, key, texts in _alerting(loser):
        known = words.setdefault(partner, {}).get(key)
        if key.partition("|")[0] in ADDING_UP:
            words[partner][key] = [*(known or ()), *(text for text in texts if text not in (known or ()))]
        elif known is None:
            words[partner][key] = texts
        else:
            ruled_out[int(partner), key] = known
    survivor.heard = words or None
    rows = uow.session.scalars(sa.select(PatientAlert).where(PatientAlert.id.in_(alert_ids), PatientAlert.ended_at.is_(None)))
    ended = [row for row in rows if (holds := ruled_out.get(_said_in(row))) is not None and row.text not in holds]
    for row in ended:
        row.ended_at, row.ended_by = uow.now, uow.actor.name
        tell(uow, "patient.alert_ended", row)
    return [row.id for row in ended]


def part(uow: UnitOfWork, survivor: Patient, loser: Patient, moved: Mapping[str, Any], merged_at: datetime) -> None:
    """Takes `join` back, once the alerts are where they were: of each record holds what its sender said of it."""
    own = {(*_said_in(row), row.text) for row in uow.session.scalars(sa.select(PatientAlert).where(PatientAlert.patient_id == survivor.id))}
    words = {partner: dict(said) for partner, said in (survivor.heard or {}).items()}
    said_of_loser = {(int(partner), key): texts for partner, key, texts in _alerting(loser)}
    for partner, key, texts in _alerting(loser):
        if texts and (taken := words.get(partner, {}).pop(key, None)) is not None:
            left = [text for text in taken if text not in texts or (int(partner), key, text) in own]
            words[partner] |= {key: left} if left else {}
    survivor.heard = words or None
    for row in uow.session.scalars(sa.select(PatientAlert).where(PatientAlert.id.in_(moved.get(PatientAlert.__tablename__, ())))):
        by_merge = row.id in moved.get("ended_alert", ()) and row.ended_at == merged_at
        by_sender = row.ended_at is not None and row.ended_at > merged_at and row.ended_by == row.raised_by
        if by_merge or (by_sender and row.text in said_of_loser.get(_said_in(row), ())):
            row.ended_at, row.ended_by = None, ""
            tell(uow, "patient.alert_raised", row)


def _alerting(patient: Patient) -> Iterator[tuple[str, str, list[str]]]:
    """Partner, field with kind, and the texts, of every word that alerts follow from."""
    for partner, said in (patient.heard or {}).items():
        yield from ((partner, key, texts) for key, texts in said.items() if "|" in key)


def _said_in(alert: PatientAlert) -> tuple[int, str]:
    return alert.partner_id or 0, f"{alert.place}|{alert.kind}"
