"""What everybody who meets a patient must know: said at the desk, or following from what senders say."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.partner.model import Partner
from ris.patient.model import AlertKind, Allergy, Patient, PatientAlert

LABELS = {
    AlertKind.language: "Language", AlertKind.isolation: "Isolation", AlertKind.fall_risk: "Fall risk", AlertKind.vip: "VIP",
    AlertKind.safety: "Safety", AlertKind.other: "Note",
}  # fmt: skip
ALLERGY = "Allergy"
SAID_AT_THE_DESK = (AlertKind.language, AlertKind.isolation, AlertKind.fall_risk, AlertKind.vip, AlertKind.other)
LONGEST = 120


@dataclass(frozen=True, slots=True)
class Alert:
    """One badge: a word that is always shown, and what it is about."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class AlertRow:
    alert_id: int
    kind: AlertKind
    text: str
    raised_by: str
    raised_at: datetime
    holds_until: datetime | None
    ended_at: datetime | None
    ended_by: str
    place: str
    """The field of a message that says it; empty: the desk does."""

    @property
    def label(self) -> str:
        return LABELS[self.kind]


@dataclass(frozen=True, slots=True)
class AllergyAlert:
    text: str
    severity: str
    reaction: str
    source: str | None
    """The sender; None for what was seen here."""


def of_patients(session: Session, patient_ids: Collection[int], now: datetime) -> Mapping[int, tuple[Alert, ...]]:
    """The badges of each patient who has any, in one query; allergies of one patient are one badge, and so is each kind of alert."""
    said = sa.select(
        PatientAlert.patient_id, sa.type_coerce(PatientAlert.kind, sa.Text).label("kind"), PatientAlert.text.label("text")
    ).where(PatientAlert.patient_id.in_(patient_ids), *_holds(now))
    allergic = sa.select(Allergy.patient_id, sa.literal("").label("kind"), Allergy.text).where(Allergy.patient_id.in_(patient_ids))
    found: dict[int, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    if patient_ids:
        for patient_id, kind, text in session.execute(sa.union_all(said, allergic)):
            found[patient_id][kind].setdefault(text.casefold(), text)
    order = ["", *AlertKind]
    return {
        patient_id: tuple(
            Alert(LABELS[AlertKind(kind)] if kind else ALLERGY, ", ".join(sorted(filter(None, texts.values()))))
            for kind, texts in sorted(kinds.items(), key=lambda pair: order.index(pair[0]))
        )
        for patient_id, kinds in found.items()
    }


def raised(session: Session, patient_id: int, now: datetime, ended_after: datetime) -> list[AlertRow]:
    """What is said of one patient: what holds, and what was ended after a moment and so can be put back."""
    a = PatientAlert
    columns = (a.id, a.kind, a.text, a.raised_by, a.raised_at, a.holds_until, a.ended_at, a.ended_by, a.place)
    holds, ended_lately = sa.and_(*_holds(now)), a.ended_at > ended_after
    rows = session.execute(
        sa.select(*columns).where(a.patient_id == patient_id, holds | ended_lately).order_by(a.ended_at.is_not(None), a.id)
    )
    return [AlertRow(*row) for row in rows]


def allergies(session: Session, patient_id: int) -> list[AllergyAlert]:
    """What the patient must not be given, with who says so."""
    rows = session.execute(
        sa.select(Allergy.text, Allergy.severity, Allergy.reaction, Partner.name)
        .outerjoin(Partner, Partner.id == Allergy.partner_id)
        .where(Allergy.patient_id == patient_id)
        .order_by(Allergy.text, Allergy.id)
    )
    return [AllergyAlert(*row) for row in rows]


@service
def raise_alert(
    uow: UnitOfWork, patient_id: int, kind: AlertKind, text: str, *, holds_until: datetime | None = None
) -> PatientAlert:  # fmt: skip
    """The word of the desk or of a form, shown wherever the patient is; the same again holds as long as is said now.

    Raises Invalid for a text that is missing or too long.
    """
    text = text.strip()
    if not text and kind is not AlertKind.vip:
        raise Invalid("say what it is about", error_code="101")
    if len(text) > LONGEST:
        raise Invalid(f"an alert has at most {LONGEST} characters")
    uow.session.flush()
    if uow.session.get(Patient, patient_id, populate_existing=True, with_for_update=True) is None:
        raise NotFound("there is no such patient")
    known = uow.session.scalars(
        sa.select(PatientAlert).where(
            PatientAlert.patient_id == patient_id, PatientAlert.kind == kind, PatientAlert.text == text,
            PatientAlert.partner_id.is_(None), *_holds(uow.now),
        )
    ).first()  # fmt: skip
    if known is not None:
        if known.holds_until != holds_until:
            uow.touch()
            known.holds_until = holds_until
        return known
    alert = uow.add(PatientAlert(**new_alert(uow, patient_id, kind, text, holds_until)))
    tell(uow, "patient.alert_raised", alert)
    return alert


@service
def end_alert(uow: UnitOfWork, patient_id: int, alert_id: int) -> None:
    """It holds no more, also for its sender until that says something else; again is no change. Raises NotFound for another's."""
    alert = _of(uow, patient_id, alert_id)
    if alert.ended_at is None:
        uow.touch()
        alert.ended_at, alert.ended_by = uow.now, uow.actor.name
        tell(uow, "patient.alert_ended", alert)


@service
def restore_alert(uow: UnitOfWork, patient_id: int, alert_id: int) -> None:
    """It was ended by mistake: it holds as before. Raises NotFound where the patient has no such alert."""
    alert = _of(uow, patient_id, alert_id)
    if alert.ended_at is not None:
        uow.touch()
        alert.ended_at, alert.ended_by = None, ""
        tell(uow, "patient.alert_raised", alert)


def new_alert(
    uow: UnitOfWork, patient_id: int, kind: AlertKind, text: str, holds_until: datetime | None = None
) -> dict[str, Any]:  # fmt: skip
    """The columns of an alert that holds from now on, as the desk says it."""
    return {
        "id": new_id(), "patient_id": patient_id, "partner_id": None, "place": "", "kind": kind, "text": text,
        "raised_by": uow.actor.name, "raised_at": uow.now, "holds_until": holds_until, "ended_at": None,
        "ended_by": "",
    }  # fmt: skip


def tell(uow: UnitOfWork, name: str, alert: PatientAlert) -> None:
    """By its kind, never by its text: the trail is read by people who may not see that."""
    uow.emit(Event(name, Ref("patient", alert.patient_id), patient_id=alert.patient_id, facts={"kind": alert.kind.value}))


def _holds(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return PatientAlert.ended_at.is_(None), PatientAlert.holds_until.is_(None) | (PatientAlert.holds_until > now)


def _of(uow: UnitOfWork, patient_id: int, alert_id: int) -> PatientAlert:
    alert = uow.session.get(PatientAlert, alert_id, populate_existing=True, with_for_update=True)
    if alert is None or alert.patient_id != patient_id:
        raise NotFound("the patient has no such alert")
    return alert
