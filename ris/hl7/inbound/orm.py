"""ORM^O01, OMG^O19 and OMI^O23 in: what a placer asks of its orders (HL7 v2.5.1 ch. 4.4, IHE RAD-2)."""

from ris.base.errors import Duplicate, Invalid, Location, Missing, NotAllowedNow, NotFound
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.hl7.er7 import Segment
from ris.hl7.inbound import alerting, clinical, naming
from ris.hl7.inbound.adt import found_patient, located, required_patient
from ris.hl7.inbound.controls import CONTROLS, NEEDS_KNOWN, NEEDS_PROCEDURE, TOLD, Action, Control
from ris.hl7.inbound.reading import Asked, Planned, Reading
from ris.hl7.inbound.request import order_request
from ris.order import placer
from ris.order import service as orders
from ris.order.model import Order
from ris.order.status import OrderStatus
from ris.patient import service as patients
from ris.patient.model import Patient, Visit
from ris.task import service as task

_ENDED = (OrderStatus.cancelled, OrderStatus.discontinued)


def read(uow: UnitOfWork, reading: Reading) -> None:
    """Every ORC with its OBRs is one order; a message is applied whole or not at all."""
    if not reading.asked:
        raise Missing("the message asks for nothing: neither ORC nor OBR", error_code="100", location=Location("ORC"))
    data = required_patient(reading)
    found = found_patient(uow, reading, data)
    wanted = reading.visit
    if wanted is not None and not patients.may_have_visit(uow, found, wanted):
        wanted = None
    is_replaced = any(asked.code == "RO" for asked in reading.asked)
    planned = [_plan(uow, reading, asked, found, is_replaced=is_replaced) for asked in reading.asked]
    with located("PID", 3):
        owns = reading.partner.agreed("order_owns_demographics")
        patient, visit = patients.upsert(uow, data, wanted, owns_demographics=owns)
    if not owns and found is not None:
        patients.note_difference(uow, patient, data)
    reading.touched.add(Ref("patient", patient.id))
    clinical.read(uow, reading, patient)
    alerting.read(uow, reading, patient)
    naming.read(uow, reading, patient)
    for plan in planned:
        _apply(uow, reading, plan, patient, visit)
    if reading.visit is not None and visit is None:
        _ask_about_visit(uow, reading)


def _plan(uow: UnitOfWork, reading: Reading, asked: Asked, patient: Patient | None, *, is_replaced: bool) -> Planned:
    """Every refusal that can be known is raised here, before anything changes."""
    head, control = asked.head, CONTROLS.get(asked.code)
    if control is None:
        raise Invalid(f"order control {asked.code} is not taken here", error_code="103", location=head.location(1))
    known = _known(uow, reading, asked, control)
    if known is not None and (patient is None or known.patient_id != patient.id):
        _conflict_task(reading, known)
        raise Duplicate("this order number belongs to another patient", location=head.location(2))
    action = _action(reading, asked, control.action, known, is_replaced=is_replaced)
    if action in NEEDS_PROCEDURE and not any(s.name == "OBR" for s in asked.segments):
        raise Missing("the order names no procedure: OBR is missing", error_code="100", location=Location("OBR"))
    if action is Action.change and known is not None and known.status in _ENDED:
        raise NotAllowedNow(f"the order is {known.status}: nothing can be changed any more", location=head.location(1))
    return Planned(asked, control, action, known)


def _action(reading: Reading, asked: Asked, action: Action, known: Order | None, *, is_replaced: bool) -> Action:
    """What is asked, seen what we know: a new order that is known is changed, a changed one that is not known may be placed."""
    head = asked.head
    if action is Action.told:
        action = TOLD.get(head.value(5).strip().upper(), Action.told)
    if known is not None:
        # A replacement that is in the same message (RO) is an order of its own; without one the order itself is replaced.
        meant = Action.cancel if is_replaced and action is Action.replace else action
        return Action.change if meant in NEEDS_PROCEDURE else meant
    if action in NEEDS_KNOWN:
        raise NotFound("we know no such order", location=head.location(3 if action is Action.number else 2))
    if action in (Action.change, Action.replace) and reading.partner.agreed("change_of_unknown_order") == "refuse":
        raise NotFound("we know no such order", location=head.location(2))
    if action is Action.parent or (is_replaced and action is Action.replace):
        return Action.parent
    if not asked.placer and reading.partner.agreed("missing_placer_number") == "refuse":
        raise Missing("the order has no number", location=head.location(2))
    return Action.place


def _known(uow: UnitOfWork, reading: Reading, asked: Asked, control: Control) -> Order | None:
    known: Order | None = None
    if asked.placer and control.action is not Action.number:
        known = uow.find(Order.placer_key, orders.placer_key(reading.partner.id, asked.namespace, asked.placer))
    if known is None and asked.filler:
        known = uow.find(Order.filler_number, asked.filler)
    return known


def _conflict_task(reading: Reading, known: Order) -> None:
    """To be raised apart from the message, which changes nothing."""
    reading.touched.add(Ref("order", known.id))
    reading.refusal_tasks.append(
        ("order_conflict", Ref("order", known.id), "a message names this order for another patient", known.site_id)
    )


def _apply(uow: UnitOfWork, reading: Reading, plan: Planned, patient: Patient, visit: Visit | None) -> None:
    order = plan.known
    if plan.action in (Action.place, Action.change):
        wanted = order_request(reading, plan.asked, patient, visit)
        with located(plan.asked.head.name, 2):
            order = orders.change(uow, order, wanted) if order is not None else orders.place(uow, wanted)
        reading.touched.update(Ref("procedure", p.id) for p in order.procedures)
    elif order is not None:
        _act(uow, reading, plan, order)
    if order is not None:
        reading.touched.add(Ref("order", order.id))
    reading.orders.append((plan, order))


def _ask_about_visit(uow: UnitOfWork, reading: Reading) -> None:
    """An order is never lost for a visit number that is another patient's: it stands without a visit."""
    for _, order in reading.orders:
        if order is not None:
            task.open(uow, "visit_conflict", Ref("order", order.id), "its visit number is another patient's", site_id=order.site_id)


def _act(uow: UnitOfWork, reading: Reading, plan: Planned, order: Order) -> None:
    """Everything that is done to an order we know, but for a change of what it asks for."""
    if plan.action is Action.cancel:
        _cancel(uow, reading, plan.asked.head, order)
    elif plan.action is Action.hold:
        with located("ORC", 1):
            placer.hold(uow, order.id, _reason(plan.asked.head) or "put on hold by the placer")
    elif plan.action is Action.release:
        with located("ORC", 1):
            placer.release(uow, order.id)
    elif plan.action is Action.number:
        with located("ORC", 2):
            number, namespace = plan.asked.placer, plan.asked.namespace
            placer.assign_number(uow, order, partner_id=reading.partner.id, number=number, namespace=namespace)
    elif plan.action is Action.told:
        placer.note_status(uow, order, plan.asked.head.value(5))


def _cancel(uow: UnitOfWork, reading: Reading, head: Segment, known: Order) -> None:
    try:
        orders.cancel(uow, known.id, _reason(head) or "cancelled by the placer")
    except NotAllowedNow as error:
        reading.refusal_tasks.append(("cancel_refused", Ref("order", known.id), error.message, known.site_id))
        error.location = head.location(1)
        raise


def _reason(head: Segment) -> str:
    return head.value(16, 2) or head.value(16)
