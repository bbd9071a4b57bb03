"""What an answer may say beside its code: the number that the placer gives to an order which we announced (IHE RAD TF-2 RAD-3: SN, NA)."""

import sqlalchemy as sa

from ris.base.errors import Duplicate
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.hl7 import charset, er7
from ris.hl7.inbound.request import order_numbers
from ris.journal.model import Message
from ris.order import placer
from ris.order.model import Order
from ris.task import service as task

ASSIGNED = "NA"
"""ORC-1, table 0119."""


def take_numbers(uow: UnitOfWork, message_id: int, answer: bytes) -> None:
    """Notes the placer numbers of an ORR^O02, ORG^O20 or ORI^O24; a number that is another order's becomes a task."""
    if f"|{ASSIGNED}|".encode() not in answer:
        return
    response = er7.Message.parse(charset.decode(answer, None).text)
    groups = [group for group in response.groups(("ORC", "OBR")) if group[0].value(1) == ASSIGNED]
    partner_id = uow.session.scalar(sa.select(Message.partner_id).where(Message.id == message_id))
    if partner_id is None:
        return
    for group in groups:
        (number, namespace), filler = order_numbers(group)
        order = uow.find(Order.filler_number, filler) if filler else None
        # Without a number of the placer's the reader takes ours for it.
        if order is not None and number != filler:
            _assign(uow, order, partner_id, number, namespace)


def _assign(uow: UnitOfWork, order: Order, partner_id: int, number: str, namespace: str) -> None:
    try:
        placer.assign_number(uow, order, partner_id=partner_id, number=number, namespace=namespace)
    except Duplicate as refusal:
        task.open(uow, "order_conflict", Ref("order", order.id), f"the placer's answer: {refusal.message}", site_id=order.site_id)
