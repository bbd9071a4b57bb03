"""What is known of a patient's body: allergies, and the findings that an exam depends on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ris.base.errors import Invalid
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.patient.model import Allergy, Observation, ObservationKind


@dataclass(frozen=True, slots=True)
class AllergyData:
    kind: str
    """Table 0127: DA drug, FA food, MA other."""
    code: str
    text: str
    severity: str
    """Table 0128: SV, MO, MI, U."""
    reaction: str


@dataclass(frozen=True, slots=True)
class ObservationData:
    kind: ObservationKind
    value: str
    unit: str
    observed_at: datetime
    status: str
    """Table 0085: F final, P preliminary, C corrected, D and W withdrawn."""


@service
def replace_allergies(uow: UnitOfWork, patient_id: int, partner_id: int, said: Sequence[AllergyData]) -> None:
    """A sender's list as it is now (HL7 v2.5.1 ch. 2.10.4, snapshot mode); what other senders said stays."""
    uow.see(Allergy)  # the message before it in the same group may have said others
    wanted = list(dict.fromkeys(said))
    where = (Allergy.patient_id == patient_id, Allergy.partner_id == partner_id)
    rows = uow.session.scalars(sa.select(Allergy).where(*where).order_by(Allergy.id)).all()
    if [AllergyData(r.kind, r.code, r.text, r.severity, r.reaction) for r in rows] == wanted:
        return
    uow.touch()
    uow.session.execute(sa.delete(Allergy).where(*where))
    for one in wanted:
        uow.add(
            Allergy(
                id=new_id(), patient_id=patient_id, partner_id=partner_id, kind=one.kind, code=one.code, text=one.text,
                severity=one.severity, reaction=one.reaction,
            )
        )  # fmt: skip
    uow.emit(Event("patient.allergies_updated", Ref("patient", patient_id), patient_id=patient_id, facts={"count": len(wanted)}))


@service
def note_allergy(uow: UnitOfWork, patient_id: int, seen: AllergyData) -> None:
    """A reaction that was seen here; no list of a sender takes it away. The same again is no change."""
    where = {"kind": seen.kind, "code": seen.code, "text": seen.text, "severity": seen.severity, "reaction": seen.reaction}
    known = sa.select(Allergy.id).filter_by(patient_id=patient_id, partner_id=None, **where)
    if uow.session.scalar(known.limit(1)) is not None:
        return
    uow.add(Allergy(id=new_id(), patient_id=patient_id, partner_id=None, **where))
    uow.emit(Event("patient.allergies_updated", Ref("patient", patient_id), patient_id=patient_id, facts={"count": 1}))


@service
def observe(uow: UnitOfWork, patient_id: int, partner_id: int, said: Sequence[ObservationData]) -> None:
    """Keeps findings; one of the same sender, kind and moment is corrected, and the same again is no change."""
    if not said:
        return
    uow.see(Observation)
    rows = uow.session.scalars(
        sa.select(Observation).where(
            Observation.patient_id == patient_id, Observation.partner_id == partner_id, Observation.kind.in_({o.kind for o in said})
        )
    )
    known = {(row.kind, row.observed_at): row for row in rows}
    changed = []
    for one in said:
        row = known.get((one.kind, one.observed_at))
        if row is None:
            row = known[one.kind, one.observed_at] = uow.add(
                Observation(
                    id=new_id(), patient_id=patient_id, partner_id=partner_id, kind=one.kind, observed_at=one.observed_at,
                    value="", unit="", status="",
                )
            )  # fmt: skip
        if (row.value, row.unit, row.status) != (one.value, one.unit, one.status):
            uow.touch()
            row.value, row.unit, row.status = one.value, one.unit, one.status
            changed.append(one.kind.value)
    if changed:
        uow.emit(Event("patient.observed", Ref("patient", patient_id), patient_id=patient_id, facts={"kinds": sorted(set(changed))}))


MEASURED: dict[ObservationKind, dict[str, tuple[float, float]]] = {
    ObservationKind.weight: {"kg": (0.3, 500)},
    ObservationKind.creatinine: {"mg/dL": (0.05, 30), "umol/L": (5, 2600)},
}
"""What the desk may enter: unit to least and most."""


@service
def measure(uow: UnitOfWork, patient_id: int, kind: ObservationKind, value: str, unit: str) -> Observation:
    """A value that the desk was told, as of now. Raises Invalid for what is no such value in that unit."""
    text = value.strip().replace(",", ".")
    bounds = MEASURED.get(kind, {}).get(unit)
    if bounds is None:
        raise Invalid("this value is not entered here")
    if not _DECIMAL.fullmatch(text) or not bounds[0] <= float(text) <= bounds[1]:
        raise Invalid(f"a {kind} is between {bounds[0]:g} and {bounds[1]:g} {unit}", error_code="102")
    row = uow.add(
        Observation(
            id=new_id(), patient_id=patient_id, partner_id=None, kind=kind, value=text, unit=unit, observed_at=uow.now, status="F"
        )
    )  # fmt: skip
    uow.emit(Event("patient.observed", Ref("patient", patient_id), patient_id=patient_id, facts={"kinds": [kind.value]}))
    return row


_DECIMAL = re.compile(r"\d{1,5}(\.\d{1,3})?")
