"""What becomes of orders when their patient is merged, or the visit that they hang on is moved, merged or cancelled."""

import sqlalchemy as sa

from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork
from ris.order.model import Order
from ris.order.status import OrderStatus
from ris.task import service as task


def rows_of_patient(uow: UnitOfWork, patient_id: int) -> list[int]:
    """The orders that a merge of this patient would move."""
    return list(uow.session.scalars(sa.select(Order.id).where(Order.patient_id == patient_id).order_by(Order.id)))


def move_patient(uow: UnitOfWork, event: Event) -> None:
    """Orders of the merged patient become the survivor's; which ones is kept for the way back."""
    rows = rows_of_patient(uow, event.facts["loser_id"])
    event.facts["moved"][Order.__tablename__] = rows
    _give(uow, rows, event.facts["survivor_id"])


def return_patient(uow: UnitOfWork, event: Event) -> None:
    _give(uow, event.facts["moved"].get(Order.__tablename__, []), event.facts["loser_id"])


def _give(uow: UnitOfWork, order_ids: list[int], patient_id: int) -> None:
    for order in uow.session.scalars(sa.select(Order).where(Order.id.in_(order_ids))):
        uow.touch()
        order.patient_id = patient_id


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
