"""What everybody who meets a patient must know: said at the desk, or following from what senders say."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.patient.model import AlertKind, Allergy, Patient, PatientAlert

LABELS = {
    AlertKind.language: "Language", AlertKind.isolation: "Isolation", AlertKind.fall_risk: "Fall risk", AlertKind.vip: "VIP",
    AlertKind.other: "Note",
}  # fmt: skip
ALLERGY = "Allergy"
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
    ended_at: datetime | None

    @property
    def label(self) -> str:
        return LABELS[self.kind]


def of_patients(session: Session, patient_ids: Collection[int]) -> Mapping[int, tuple[Alert, ...]]:
    """The badges of each patient who has any, in one query; allergies of one patient are one badge."""
    said = sa.select(
        PatientAlert.patient_id, sa.type_coerce(PatientAlert.kind, sa.Text).label("kind"), PatientAlert.text.label("text")
    ).where(PatientAlert.patient_id.in_(patient_ids), PatientAlert.ended_at.is_(None))
    allergic = sa.select(Allergy.patient_id, sa.literal("").label("kind"), Allergy.text).where(Allergy.patient_id.in_(patient_ids))
    found: dict[int, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    if patient_ids:
        for patient_id, kind, text in session.execute(sa.union_all(said, allergic)):
            found[patient_id][kind][text] = None
    order = ["", *AlertKind]
    return {
        patient_id: tuple(
            Alert(LABELS[AlertKind(kind)] if kind else ALLERGY, ", ".join(sorted(texts)))
            for kind, texts in sorted(kinds.items(), key=lambda pair: order.index(pair[0]))
        )
        for patient_id, kinds in found.items()
    }


def raised(session: Session, patient_id: int, ended_after: datetime) -> list[AlertRow]:
    """What the desk has said of one patient: what holds, and what was ended after a moment and so can be put back."""
    columns = (PatientAlert.id, PatientAlert.kind, PatientAlert.text, PatientAlert.raised_by, PatientAlert.raised_at, PatientAlert.ended_at)
    rows = session.execute(
        sa.select(*columns)
        .where(PatientAlert.patient_id == patient_id, PatientAlert.ended_at.is_(None) | (PatientAlert.ended_at > ended_after))
        .order_by(PatientAlert.ended_at.is_not(None), PatientAlert.id)
    )
    return [AlertRow(*row) for row in rows]


@service
def raise_alert(uow: UnitOfWork, patient_id: int, kind: AlertKind, text: str) -> PatientAlert:
    """Shown wherever the patient is; the same again is no change. Raises Invalid for a text that is missing or too long."""
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
            PatientAlert.patient_id == patient_id, PatientAlert.kind == kind, PatientAlert.text == text, PatientAlert.ended_at.is_(None)
        )
    ).first()
    if known is not None:
        return known
    alert = uow.add(
        PatientAlert(
            id=new_id(), patient_id=patient_id, kind=kind, text=text, raised_by=uow.actor.name, raised_at=uow.now, ended_at=None,
            ended_by="",
        )
    )  # fmt: skip
    _tell(uow, "patient.alert_raised", alert)
    return alert


@service
def end_alert(uow: UnitOfWork, patient_id: int, alert_id: int) -> None:
    """It holds no more; again is no change. Raises NotFound where the patient has no such alert."""
    alert = _of(uow, patient_id, alert_id)
    if alert.ended_at is None:
        uow.touch()
        alert.ended_at, alert.ended_by = uow.now, uow.actor.name
        _tell(uow, "patient.alert_ended", alert)


@service
def restore_alert(uow: UnitOfWork, patient_id: int, alert_id: int) -> None:
    """It was ended by mistake: it holds as before. Raises NotFound where the patient has no such alert."""
    alert = _of(uow, patient_id, alert_id)
    if alert.ended_at is not None:
        uow.touch()
        alert.ended_at, alert.ended_by = None, ""
        _tell(uow, "patient.alert_raised", alert)


def _of(uow: UnitOfWork, patient_id: int, alert_id: int) -> PatientAlert:
    alert = uow.session.get(PatientAlert, alert_id, populate_existing=True, with_for_update=True)
    if alert is None or alert.patient_id != patient_id:
        raise NotFound("the patient has no such alert")
    return alert


def _tell(uow: UnitOfWork, name: str, alert: PatientAlert) -> None:
    """By its kind, never by its text: the trail is read by people who may not see that."""
    uow.emit(Event(name, Ref("patient", alert.patient_id), patient_id=alert.patient_id, facts={"kind": alert.kind.value}))
