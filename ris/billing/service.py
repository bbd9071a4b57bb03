"""Charges: of an exam by component and of what was given; held where no price is known, voided when it does not hold."""

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

import sqlalchemy as sa

from ris.base.clock import local
from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.billing.model import Charge, ChargeStatus, Component
from ris.catalog.model import Material, Procedure, Site
from ris.exam.performed import done_instead, given_in
from ris.order import service as orders
from ris.order.model import RequestedProcedure


def capture_technical(uow: UnitOfWork, event: Event) -> None:
    """The exam is completed: the room and the technologist are charged. Never raises: what has no price is held."""
    _capture(uow, event.about.id, Component.technical)


def capture_professional(uow: UnitOfWork, event: Event) -> None:
    """The final report is published: the reading is charged, once, whatever is added to it later."""
    if event.facts["kind"] in ("wet_read", "preliminary", "retraction"):
        return
    for procedure_id in event.facts["procedure_ids"]:
        _capture(uow, procedure_id, Component.professional)


def capture_supplies(uow: UnitOfWork, event: Event) -> None:
    """The exam is completed: what was given and has a price of its own is charged, each material in one line for all of it.

    What is not in the catalogue is held; what the catalogue gives no charge code is part of the exam's own charge.
    """
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    materials: dict[str, Material | None] = {}
    for given in given_in(uow.session, event.facts["performed_id"]):
        material = uow.session.get(Material, given.material_id) if given.material_id else None
        if material is None or material.charge_code:
            item = material.code if material else given.name
            materials[item] = material
            amounts[item] += given.amount
    for item, material in materials.items():
        price = material.charge_amount if material else None
        held = "the material is not in the catalogue" if material is None else "the material has no price" if price is None else ""
        amount = None if price is None else int((price * amounts[item]).to_integral_value(ROUND_HALF_UP))
        _keep(uow, event.about.id, Component.supply, material.charge_code if material else "", amount, held, item)


def void_technical(uow: UnitOfWork, event: Event) -> None:
    """The exam was not complete after all: its next completion is charged anew, and what was given with it."""
    for component in (Component.technical, Component.supply):
        for charge in uow.session.scalars(_in_force(event.about.id, component).with_for_update()).all():
            _void(uow, charge, "the completion of the exam was undone")


def void_professional(uow: UnitOfWork, event: Event) -> None:
    """The report is retracted: its reading is not charged. The next one is."""
    for procedure_id in event.facts["procedure_ids"]:
        charge = uow.session.scalars(_in_force(procedure_id, Component.professional).with_for_update()).one_or_none()
        if charge is not None:
            _void(uow, charge, f"the report was retracted: {event.facts['reason']}")


@service
def release(uow: UnitOfWork, *, charge_id: int, code: str, amount: int, reason: str) -> Charge:
    """A person gives a held charge its code and price (minor units), and says why. Raises NotAllowedNow when it is not held."""
    charge = uow.session.get(Charge, charge_id, with_for_update=True, populate_existing=True)
    if charge is None:
        raise NotFound(f"charge {charge_id} does not exist")
    if charge.status is not ChargeStatus.held:
        raise NotAllowedNow(f"the charge is {charge.status}")
    if not code.strip() or amount < 0:
        raise Invalid("a charge needs a code and an amount that is not negative")
    if not reason.strip():
        raise Invalid("a release needs a reason", error_code="101")
    uow.touch()
    charge.code, charge.amount, charge.status, charge.held_reason = code.strip(), amount, ChargeStatus.ready, ""
    procedure = uow.session.get_one(RequestedProcedure, charge.procedure_id)
    uow.emit(
        orders.procedure_event(
            "charge.released", procedure, Ref("charge", charge.id), code=charge.code, amount=amount, reason=reason.strip()
        )
    )
    return charge


def _capture(uow: UnitOfWork, procedure_id: int, component: Component) -> None:
    code, amount = _price(uow, uow.session.get_one(RequestedProcedure, procedure_id), component)
    _keep(uow, procedure_id, component, code, amount, _why_held(code, amount))


def _keep(uow: UnitOfWork, procedure_id: int, component: Component, code: str, amount: int | None, held: str, item: str = "") -> None:
    """The charge of a component, unless it is there: capturing twice changes nothing."""
    if uow.session.scalars(_in_force(procedure_id, component).where(Charge.item == item)).one_or_none() is not None:
        return
    exam = uow.session.get_one(RequestedProcedure, procedure_id)
    site = uow.session.get_one(Site, exam.site_id)
    charge = uow.add(
        Charge(
            id=new_id(), procedure_id=procedure_id, component=component, item=item, code=code, quantity=1, amount=amount,
            currency=site.currency, status=ChargeStatus.held if held else ChargeStatus.ready, held_reason=held,
            service_date=local(exam.ended_at or uow.now, site.zone).date(), captured_at=uow.now,
        )
    )  # fmt: skip
    uow.session.flush()
    uow.emit(orders.procedure_event("charge.captured", exam, Ref("charge", charge.id), component=component, held_reason=held))


def _in_force(procedure_id: int, component: Component) -> sa.Select[Charge]:
    return sa.select(Charge).where(
        Charge.procedure_id == procedure_id,
        Charge.component == component,
        Charge.status != ChargeStatus.voided,
        Charge.reverses_id.is_(None),
    )


def _void(uow: UnitOfWork, charge: Charge, reason: str) -> None:
    """Takes a charge out; one that has gone out is reversed by a line of the next file."""
    before = charge.status
    uow.touch()
    charge.status, charge.held_reason, charge.voided_reason = ChargeStatus.voided, "", reason
    uow.session.flush()
    reversal = uow.add(_reversal(uow, charge, reason)) if before is ChargeStatus.exported else None
    procedure = uow.session.get_one(RequestedProcedure, charge.procedure_id)
    uow.emit(
        orders.procedure_event(
            "charge.voided", procedure, Ref("charge", charge.id), component=charge.component, was=before, reason=reason,
            reversal_id=reversal.id if reversal else None,
        )
    )  # fmt: skip


def _reversal(uow: UnitOfWork, charge: Charge, reason: str) -> Charge:
    return Charge(
        id=new_id(), procedure_id=charge.procedure_id, component=charge.component, item=charge.item, code=charge.code,
        quantity=charge.quantity,
        amount=-(charge.amount or 0), currency=charge.currency, status=ChargeStatus.ready, service_date=charge.service_date,
        captured_at=uow.now, voided_reason=reason, reverses_id=charge.id,
    )  # fmt: skip


def _price(uow: UnitOfWork, exam: RequestedProcedure, component: Component) -> tuple[str, int | None]:
    """Of what was done, which need not be what was asked for."""
    done_id = done_instead(uow.session, exam.id) or exam.procedure_id
    known = uow.session.get(Procedure, done_id) if done_id else None
    if known is None:
        return "", None
    if component is Component.technical:
        return known.technical_code, known.technical_amount
    return known.professional_code, known.professional_amount


def _why_held(code: str, amount: int | None) -> str:
    if not code:
        return "the procedure has no charge code"
    return "the procedure has no price" if amount is None else ""
