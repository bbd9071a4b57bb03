"""Alerts that follow from what senders say: raised and ended as a sender changes its word, beside what the desk says."""

from collections.abc import Iterable
from dataclasses import dataclass

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
    adds: bool = False
    """Whether what the same field said before holds on: each order speaks of its own danger."""

    @property
    def key(self) -> str:
        return f"{self.place}|{self.kind}"


LANGUAGE = "PID-15"


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
        texts = [*known, *(text for text in texts if text not in known)] if one.adds else texts
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
