"""A message of ours that a partner refused, corrected by a person and sent under a new control id."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.base.ref import Ref
from ris.hl7.explain.diff import diff
from ris.hl7.outbound import store
from ris.outbox import queries as outbox
from ris.outbox.model import DeliveryState
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.page import changing, look, reading
from ris.web.pages.interfaces.blueprint import bp
from ris.web.pages.interfaces.message import one_a_line
from ris.web.pages.interfaces.shown import zone_of_reader


@bp.get("/deliveries/<int:delivery_id>/correct")
@requires(Permission.INTERFACE_MANAGE)
def correct_form(delivery_id: int) -> ResponseReturnValue:
    with reading() as session:
        row = _parked(session, delivery_id)
        return _form(session, row, one_a_line(store.text_of(session, delivery_id)))


@bp.post("/deliveries/<int:delivery_id>/correct")
@requires(Permission.INTERFACE_MANAGE)
def correct(delivery_id: int) -> ResponseReturnValue:
    """Compares first; sends what was compared."""
    text = one_a_line(request.form.get("text", ""))
    with reading() as session:
        row = _parked(session, delivery_id)
        if request.form.get("do") != "send" or text != one_a_line(request.form.get("compared", "")):
            return _form(session, row, text, compared=True)
        try:
            with changing() as uow:
                corrected_id = store.correct(uow, delivery_id, text).id
        except Invalid as error:
            return _form(session, row, text, refused=error.message), error.http_status
    flash("The corrected message is on its way.")
    return redirect(url_for("interfaces.delivery", delivery_id=corrected_id), 303)


def _parked(session: Session, delivery_id: int) -> outbox.DeliveryRow:
    """The delivery, once the look at its message is in the audit trail."""
    row = outbox.delivery(session, delivery_id)
    if row is None:
        raise NotFound("there is no such delivery")
    if row.state is not DeliveryState.parked:
        raise NotAllowedNow(f"the delivery is {row.state}: only a parked one is corrected")
    look("delivery", Ref("delivery", delivery_id), patient_id=row.patient_id, procedure_id=row.procedure_id)
    return row


def _form(session: Session, row: outbox.DeliveryRow, text: str, *, compared: bool = False, refused: str = "") -> str:
    before = one_a_line(store.text_of(session, row.id))
    return render_template(
        "interfaces/correct.html", row=row, text=text, compared=compared, diff=diff(before, text) if compared else [], refused=refused,
        zone=zone_of_reader(session),
    )  # fmt: skip
