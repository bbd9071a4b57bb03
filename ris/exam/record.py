"""What a technologist writes down of an exam: what was given, the dose, a reaction, a note for the radiologist."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Material, MaterialKind, Modality
from ris.exam.model import UNITS, Dose, GivenMaterial, PerformedProcedureStep, Quantity
from ris.exam.service import done_or_running, running
from ris.order import service as orders
from ris.patient import clinical
from ris.patient.clinical import AllergyData

MEASURED = {
    Modality.CT: (Quantity.ctdi_vol, Quantity.dlp),
    Modality.XR: (Quantity.dose_area_product, Quantity.fluoroscopy_time),
    Modality.MG: (Quantity.glandular_dose,),
    Modality.NM: (Quantity.activity,),
}
"""What is asked of the dose of an exam of a modality; nothing where it does not radiate."""
WITH_LOT = (MaterialKind.contrast, MaterialKind.tracer)
"""What is given only with the number of its lot, so that a recall finds the patients."""
DRUG = "DA"
"""Table 0127."""


@dataclass(frozen=True, slots=True)
class Giving:
    """`name`, `kind` and `unit` are the catalogue's where it is a material of the catalogue."""

    amount: Decimal
    lot: str = ""
    material_id: int | None = None
    kind: MaterialKind = MaterialKind.supply
    name: str = ""
    unit: str = ""


@service
def give(uow: UnitOfWork, *, procedure_id: int, giving: Giving) -> GivenMaterial:
    """Raises Invalid without a name, a unit, an amount above 0 or, for what needs one, a lot."""
    procedure, performed = running(uow, procedure_id)
    known = uow.session.get(Material, giving.material_id) if giving.material_id else None
    name, kind, unit = (known.name, known.kind, known.unit) if known else (giving.name.strip(), giving.kind, giving.unit.strip())
    if not name or not unit:
        raise Invalid("what was given needs a name and a unit", error_code="101")
    if not 0 < giving.amount < 10**9:
        raise Invalid("the amount must be more than 0")
    if kind in WITH_LOT and not giving.lot.strip():
        raise Invalid(f"{name} is given only with the number of its lot", error_code="101")
    given = uow.add(
        GivenMaterial(
            id=new_id(), performed_id=performed.id, material_id=known.id if known else None, kind=kind, name=name,
            lot=giving.lot.strip(), amount=giving.amount, unit=unit, given_at=uow.now, given_by=uow.actor.name,
        )
    )  # fmt: skip
    facts = {"what": name, "amount": f"{giving.amount} {unit}", "lot": given.lot}
    uow.emit(orders.procedure_event("exam.material_given", procedure, Ref("given_material", given.id), **facts))
    return given


@service
def take_back(uow: UnitOfWork, *, procedure_id: int, given_id: int) -> None:
    """The entry was wrong: it stays on record and counts no more."""
    procedure, performed = running(uow, procedure_id)
    given = uow.session.get(GivenMaterial, given_id)
    if given is None or given.performed_id != performed.id:
        raise NotFound(f"nothing with the number {given_id} was given in this exam")
    if given.taken_back_at is not None:
        raise NotAllowedNow("this entry was taken back before")
    uow.touch()
    given.taken_back_at = uow.now
    uow.emit(orders.procedure_event("exam.material_taken_back", procedure, Ref("given_material", given.id), what=given.name))


@service
def measure(uow: UnitOfWork, *, procedure_id: int, values: Mapping[Quantity, Decimal]) -> PerformedProcedureStep:
    """The dose, each quantity in the unit of `UNITS`; a new value replaces the old one. Raises Invalid for a negative one."""
    procedure, performed = done_or_running(uow, procedure_id)
    changed: dict[str, Any] = {}
    for quantity, value in values.items():
        if not 0 <= value < 10**9:
            raise Invalid(f"{quantity.replace('_', ' ')} must not be negative")
        row = uow.session.get(Dose, (performed.id, quantity))
        if row is None:
            row = uow.add(Dose(performed_id=performed.id, quantity=quantity, value=value, recorded_by=uow.actor.name))
        elif row.value == value:
            continue
        uow.touch()
        row.value, row.recorded_by = value, uow.actor.name
        changed[quantity.value] = f"{value} {UNITS[quantity]}"
    if changed:
        uow.emit(orders.procedure_event("exam.dose_recorded", procedure, **changed))
    return performed


@service
def note(uow: UnitOfWork, *, procedure_id: int, text: str) -> PerformedProcedureStep:
    """For the radiologist, also after the exam has ended."""
    procedure, performed = done_or_running(uow, procedure_id)
    if performed.note != text.strip():
        uow.touch()
        performed.note = text.strip()
        uow.emit(orders.procedure_event("exam.noted", procedure, performed_id=performed.id))
    return performed


@service
def react(uow: UnitOfWork, *, procedure_id: int, substance: str, severity: str, reaction: str) -> None:
    """The patient did not bear it: from now on it is an allergy of the patient. `severity` is SV, MO or MI of table 0128.

    Raises Invalid without a substance, a severity or a description.
    """
    procedure, performed = done_or_running(uow, procedure_id)
    if not substance.strip() or not reaction.strip():
        raise Invalid("a reaction needs what it was to, and what was seen", error_code="101")
    if severity not in ("SV", "MO", "MI"):
        raise Invalid("a reaction is mild, moderate or severe", error_code="103")
    seen = AllergyData(kind=DRUG, code="", text=substance.strip(), severity=severity, reaction=reaction.strip())
    clinical.note_allergy(uow, procedure.order.patient_id, seen)
    uow.emit(orders.procedure_event("exam.reaction_noted", procedure, performed_id=performed.id, severity=severity))
