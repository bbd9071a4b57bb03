"""The interfaces page: destinations, deliveries, messages; hold, release, resend, skip."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import Invalid, NotFound, RisError
from ris.base.ref import Ref
from ris.hl7.charset import codec_for
from ris.hl7.er7 import Message
from ris.journal import queries as journal
from ris.outbox import queries as outbox
from ris.outbox import service
from ris.outbox.model import DeliveryState
from ris.staff.permission import Permission
from ris.web.access import may_anywhere, requires
from ris.web.page import changing, look, look_query, reading

bp = Blueprint("interfaces", __name__, url_prefix="/interfaces", template_folder="templates")


@bp.get("")
@requires(Permission.INTERFACE_READ)
def index() -> ResponseReturnValue:
    state, q = request.args.get("state", ""), request.args.get("q", "").strip()
    state = state if state in {s.value for s in DeliveryState} else ""
    look_query("interfaces", {"state": state, "q": q})
    with reading() as session:
        return render_template(
            "interfaces/index.html",
            queues=outbox.queues(session),
            deliveries=outbox.deliveries(session, states=(DeliveryState(state),) if state else ()),
            messages=journal.messages(session, q=q),
            state=state,
            q=q,
            may_manage=may_anywhere(Permission.INTERFACE_MANAGE),
        )


@bp.get("/messages/<int:message_id>")
@requires(Permission.INTERFACE_READ)
def message(message_id: int) -> ResponseReturnValue:
    """Raw and parsed; opening one is looking at a patient."""
    with reading() as session:
        found = journal.message(session, message_id)
        if found is None:
            raise NotFound("there is no such message")
        links = journal.links(session, message_id)
        patient_id = next((ref.id for ref in links if ref.kind == "patient"), None)
        look("message", Ref("message", message_id), patient_id=patient_id)
        return render_template(
            "interfaces/message.html",
            message=found,
            links=links,
            raw=_lines(found.raw, found.charset),
            answer=_lines(found.answer, found.charset),
            parsed=_parsed(found.raw, found.charset),
        )


@bp.post("/destinations/<int:destination_id>/hold")
@requires(Permission.INTERFACE_MANAGE)
def hold(destination_id: int) -> ResponseReturnValue:
    with changing() as uow:
        service.hold(uow, destination_id, request.form.get("reason", "").strip() or "held by hand")
    flash("The destination is held: nothing leaves until it is released.")
    return redirect(url_for("interfaces.index"), 303)


@bp.post("/destinations/<int:destination_id>/release")
@requires(Permission.INTERFACE_MANAGE)
def release(destination_id: int) -> ResponseReturnValue:
    with changing() as uow:
        service.release(uow, destination_id)
    flash("The destination is released: what waits leaves in its order.")
    return redirect(url_for("interfaces.index"), 303)


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
    return redirect(url_for("interfaces.index"), 303)


def _text(raw: bytes, charset: str) -> str:
    """Some bytes fit no character set: shown all the same, with a mark where they stand."""
    return raw.decode(codec_for(charset) or charset or "utf-8", errors="replace")


def _lines(raw: bytes, charset: str) -> list[str]:
    return [line for line in _text(raw, charset).replace("\n", "\r").split("\r") if line]


def _parsed(raw: bytes, charset: str) -> list[tuple[str, str]]:
    """Every field with a value, by its name; nothing for what is no HL7."""
    try:
        message = Message.parse(_text(raw, charset))
    except RisError:
        return []
    return [
        (f"{segment.name}{f'[{segment.sequence}]' if segment.sequence > 1 else ''}-{n}", segment.field(n).text)
        for segment in message.segments
        for n in range(1, segment.raw.count(message.delimiters.field) + 2)
        if not segment.field(n).is_empty
    ]
