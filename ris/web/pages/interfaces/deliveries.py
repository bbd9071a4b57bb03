"""Deliveries: what waits, what is stuck and what has gone; resend, skip, send once more, one or many."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.order.model import RequestedProcedure
from ris.outbox import queries as outbox
from ris.outbox import service
from ris.outbox.model import DeliveryState
from ris.partner.model import Destination
from ris.staff.permission import Permission
from ris.web.access import may_anywhere, requires
from ris.web.asked import AskedList, choice
from ris.web.page import changing, look, look_query, reading
from ris.web.pages.interfaces.blueprint import bp
from ris.web.pages.interfaces.shown import zone_of_reader

PAGE = 50


@dataclass(frozen=True, slots=True)
class Asked(AskedList):
    destination: str = ""
    """Its id."""
    state: str = ""
    number: str = ""
    """The accession number of one exam, whole: everything that was told of it."""


@dataclass(frozen=True, slots=True)
class Deed:
    run: Callable[[UnitOfWork, int, str], object]
    """With the delivery and the reason."""
    one: str
    many: str
    needs_reason: bool = True


DEEDS = {
    "resend": Deed(lambda uow, delivery_id, _: service.resend(uow, delivery_id), "It is sent again.", "are sent again", needs_reason=False),
    "skip": Deed(service.skip, "It is skipped; what waited behind it goes on.", "are skipped"),
    "repeat": Deed(service.repeat, "It is sent once more, in a new message.", "are sent once more"),
}


@bp.get("/deliveries")
@requires(Permission.INTERFACE_READ)
def deliveries() -> ResponseReturnValue:
    asked, before = Asked.of(request.args), request.args.get("before", "")
    look_query("deliveries", asked.set)
    with reading() as session:
        rows = _page(session, asked, int(before) if before.isdigit() else None)
        return render_template(
            "interfaces/deliveries.html",
            rows=rows[:PAGE],
            older=url_for("interfaces.deliveries", **asked.set, before=rows[PAGE - 1].id) if len(rows) > PAGE else None,
            asked=asked,
            states=list(DeliveryState),
            destinations=[tuple(row) for row in session.execute(sa.select(Destination.id, Destination.name).order_by(Destination.name))],
            zone=zone_of_reader(session),
            may_manage=may_anywhere(Permission.INTERFACE_MANAGE),
        )


@bp.post("/deliveries")
@requires(Permission.INTERFACE_MANAGE)
def decide_many() -> ResponseReturnValue:
    """Each by itself: one that has moved on in the meantime stops no other."""
    deed, reason = _deed()
    done = left = 0
    for delivery_id in _chosen(request.form):
        try:
            with changing() as uow:
                deed.run(uow, delivery_id, reason)
            done += 1
        except NotAllowedNow:
            left += 1
    flash(f"{done} {deed.many}." + (f" {left} were left as they are: this cannot be done with them now." if left else ""))
    return redirect(url_for("interfaces.deliveries", **Asked.of(request.form).set), 303)


@bp.get("/deliveries/<int:delivery_id>")
@requires(Permission.INTERFACE_READ)
def delivery(delivery_id: int) -> ResponseReturnValue:
    with reading() as session:
        row = outbox.delivery(session, delivery_id)
        if row is None:
            raise NotFound("there is no such delivery")
        look("delivery", Ref("delivery", delivery_id), patient_id=row.patient_id, procedure_id=row.procedure_id)
        return render_template(
            "interfaces/delivery.html", row=row, zone=zone_of_reader(session), may_manage=may_anywhere(Permission.INTERFACE_MANAGE),
            others=[r for r in outbox.of_event(session, event_id=row.event_id, destination_id=row.destination_id) if r.id != row.id],
        )  # fmt: skip


@bp.post("/deliveries/<int:delivery_id>")
@requires(Permission.INTERFACE_MANAGE)
def decide(delivery_id: int) -> ResponseReturnValue:
    """Resend the same bytes, skip with a reason, or send once more in a new message."""
    deed, reason = _deed()
    with changing() as uow:
        deed.run(uow, delivery_id, reason)
    flash(deed.one)
    return redirect(url_for("interfaces.delivery", delivery_id=delivery_id), 303)


def _deed() -> tuple[Deed, str]:
    """What is to be done, and the reason. Raises Invalid where it is nothing, or has no reason and needs one."""
    deed, reason = DEEDS.get(request.form.get("do", "")), request.form.get("reason", "").strip()
    if deed is None:
        raise Invalid("a delivery is resent, skipped or sent once more")
    if deed.needs_reason and not reason:
        raise Invalid("say why: whoever reads the trail will want to know")
    return deed, reason


def _chosen(form: MultiDict[str, str]) -> list[int]:
    """In the order in which they were made."""
    return sorted({int(text) for text in form.getlist("delivery") if text.isdigit()})


def _page(session: Session, asked: Asked, before: int | None) -> tuple[outbox.DeliveryRow, ...]:
    """One more than a page shows, so that it is known whether there are older ones; those of an exam are all on one."""
    state = choice(DeliveryState, asked.state)
    destination_id = int(asked.destination) if asked.destination.isdigit() else None
    if not asked.number:
        return outbox.deliveries(session, destination_id=destination_id, states=(state,) if state else (), before=before, limit=PAGE + 1)
    exam = session.scalars(sa.select(RequestedProcedure).where(RequestedProcedure.accession_number == asked.number.upper())).one_or_none()
    told = outbox.of_procedure(session, order_id=exam.order_id, procedure_id=exam.id) if exam else ()
    fitting = [row for row in told if state in (None, row.state) and destination_id in (None, row.destination_id)]
    return tuple(fitting[::-1][:PAGE])
