"""What becomes of orders when the visit that they hang on is moved, merged or cancelled."""

import sqlalchemy as sa

from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork
from ris.order.model import Order
from ris.order.status import OrderStatus
from ris.task import service as task


def follow_visit(uow: UnitOfWork, event: Event) -> None:
    """The visit is another patient's now: so are its orders."""
    for order in _orders(uow, event):
        uow.touch()
        order.patient_id = event.patient_id or order.patient_id


def join_visit(uow: UnitOfWork, event: Event) -> None:
    """The visit was found to be another one: its orders hang on that."""
    for order in _orders(uow, event):
        uow.touch()
        order.visit_id = event.facts["into_visit_id"]


def ask_about_cancelled(uow: UnitOfWork, event: Event) -> None:
    """The patient is not coming: whether what was ordered is still wanted, nobody has said."""
    for order in _orders(uow, event):
        if order.status is OrderStatus.scheduled:
            task.open(uow, "visit_cancelled", Ref("order", order.id), "its visit is cancelled", site_id=order.site_id)


def _orders(uow: UnitOfWork, event: Event) -> list[Order]:
    uow.session.flush()
    return list(uow.session.scalars(sa.select(Order).where(Order.visit_id == event.about.id).order_by(Order.id)))
