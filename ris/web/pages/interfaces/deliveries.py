"""Deliveries: what waits, what is stuck and what has gone; send again, or skip with a reason."""

from dataclasses import dataclass

import sqlalchemy as sa
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import Invalid
from ris.outbox import queries as outbox
from ris.outbox import service
from ris.outbox.model import DeliveryState
from ris.partner.model import Destination
from ris.staff.permission import Permission
from ris.web.access import may_anywhere, requires
from ris.web.asked import AskedList, choice
from ris.web.page import changing, look_query, reading
from ris.web.pages.interfaces.blueprint import bp
from ris.web.pages.interfaces.shown import zone_of_reader

PAGE = 50


@dataclass(frozen=True, slots=True)
class Asked(AskedList):
    destination: str = ""
    """Its id."""
    state: str = ""


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


@bp.post("/deliveries/<int:delivery_id>")
@requires(Permission.INTERFACE_MANAGE)
def decide(delivery_id: int) -> ResponseReturnValue:
    """Resend the same bytes, or skip with a reason."""
    what = request.form.get("do", "")
    with changing() as uow:
        if what == "resend":
            service.resend(uow, delivery_id)
        elif what == "skip":
            service.skip(uow, delivery_id, request.form.get("reason", "").strip())
        else:
            raise Invalid("a delivery is resent or skipped")
    flash("It is sent again." if what == "resend" else "It is skipped; what waited behind it goes on.")
    return redirect(url_for("interfaces.deliveries"), 303)


def _page(session: Session, asked: Asked, before: int | None) -> tuple[outbox.DeliveryRow, ...]:
    """One more than a page shows, so that it is known whether there are older ones."""
    state = choice(DeliveryState, asked.state)
    destination_id = int(asked.destination) if asked.destination.isdigit() else None
    return outbox.deliveries(session, destination_id=destination_id, states=(state,) if state else (), before=before, limit=PAGE + 1)
