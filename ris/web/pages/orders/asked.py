"""The form of an order: what is read from it, and how a known order fills it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from ris.base.clock import from_wall_clock, local
from ris.catalog.model import OrderSet, Procedure
from ris.order import desk
from ris.order.model import DocumentKind, Order
from ris.order.service import OrderRequest, ProcedureRequest
from ris.order.status import Priority
from ris.referrer.queries import chosen
from ris.web.form import Form

ROWS = 4
"""So many procedures can be ordered at once."""
SIDES = (("L", "left"), ("R", "right"), ("B", "both"))
PRIORITIES = (
    (Priority.routine.value, "Routine"), (Priority.stat.value, "STAT"), (Priority.asap.value, "ASAP"),
    (Priority.preoperative.value, "Pre-op"), (Priority.callback.value, "Callback"), (Priority.timing_critical.value, "Timed"),
)  # fmt: skip
DOCUMENT_KINDS = (
    (DocumentKind.requisition.value, "Requisition"), (DocumentKind.consent.value, "Consent"),
    (DocumentKind.outside_report.value, "Report from outside"), (DocumentKind.other.value, "Other"),
)  # fmt: skip
LABELS = {
    "orderer_name": "Who orders", "orderer_number": "The orderer's number", "callback": "The callback number", "reason": "The reason",
    "clinical_information": "The clinical information", "danger": "The danger", "transport": "The transport", "diagnosis": "The diagnosis",
    "copies_to": "Copies to",
}  # fmt: skip
_LONG = {"reason": 500, "clinical_information": 2000, "copies_to": 500}


def details(form: Form, zone: str) -> dict[str, Any]:
    """What may be corrected later too, by the name of the order's column."""
    said: dict[str, Any] = {
        name: form.text(name, label, required=name == "reason", longest=_LONG.get(name, 200)) for name, label in LABELS.items()
    }
    said["orderer_name"], said["orderer_number"] = chosen(said["orderer_name"], said["orderer_number"])
    said["priority"] = form.choice("priority", "The priority", Priority, default=Priority.routine)
    said["requested_at"] = moment(form, "requested_at", "The time wished for", zone)
    return said


def request(
    form: Form, *, patient_id: int, site_id: int, zone: str, offered: Mapping[str, Procedure], sets: Mapping[str, OrderSet],
    partner_ids: Collection[int],
) -> OrderRequest:  # fmt: skip
    """The whole order; what is wrong stands in `form.errors`."""
    _unfold(form, offered, sets)
    procedures = _procedures(form, offered)
    partner_id = form.key("partner_id", "Who numbers the order", partner_ids, required=False)
    return OrderRequest(patient_id=patient_id, site_id=site_id, procedures=procedures, partner_id=partner_id, **details(form, zone))


def filled(order: Order, zone: str) -> Form:
    said = {name: str(getattr(order, name)) for name in desk.TEXTS}
    wished = f"{local(order.requested_at, zone):%Y-%m-%dT%H:%M}" if order.requested_at else ""
    return Form({**said, "priority": order.priority.value, "requested_at": wished, "row_version": str(order.row_version)})


def moment(form: Form, name: str, label: str, zone: str) -> datetime | None:
    """A local time of the site as a browser writes it."""
    text = form.text(name, label)
    if not text:
        return None
    try:
        return from_wall_clock(datetime.fromisoformat(text).replace(tzinfo=None), zone)
    except (ValueError, OverflowError):
        form.errors[name] = f"{label} is no time of the site's clock."
        return None


def exams(form: Form, offered: Mapping[str, Procedure], name: str = "procedure", side: str = "side") -> list[tuple[Procedure, str]]:
    """What stands in the rows `<name>_1` and so on: a procedure by its code, or as the list shows it (code, then name), and its side."""
    found = []
    for row in range(1, ROWS + 1):
        text = form.text(f"{name}_{row}", "The exam")
        procedure = offered.get(text.split(" ", 1)[0].upper()) if text else None
        if procedure is not None:
            said = form.value(f"{side}_{row}")
            found.append((procedure, said if said in dict(SIDES) else ""))
        elif text:
            form.errors[f"{name}_{row}"] = "There is no such exam: take one from the list."
    return found


def _unfold(form: Form, offered: Mapping[str, Procedure], sets: Mapping[str, OrderSet]) -> None:
    """Where the code of an order set was typed stand its procedures instead, in rows of their own."""
    rows: list[tuple[str, str]] = []
    for row in range(1, ROWS + 1):
        text, side = form.value(f"procedure_{row}"), form.value(f"side_{row}")
        chosen = sets.get(text.split(" ", 1)[0].upper()) if text else None
        if chosen is None:
            rows.append((text, side))
        else:
            rows += [(f"{code} {offered[code].name}", side) for code in chosen.procedures if code in offered]
    filled = [said for said in rows if said[0]]
    if len(filled) > ROWS:
        form.errors["procedure_1"] = f"These are {len(filled)} exams, and an order has at most {ROWS}: enter two orders."
    elif len(filled) > sum(bool(form.value(f"procedure_{row}")) for row in range(1, ROWS + 1)):
        for row, (text, side) in enumerate((*filled, *[("", "")] * (ROWS - len(filled))), start=1):
            form.values |= {f"procedure_{row}": text, f"side_{row}": side}


def _ask_for_sides(form: Form, offered: Mapping[str, Procedure]) -> None:
    for row in range(1, ROWS + 1):
        procedure = offered.get(form.value(f"procedure_{row}").split(" ", 1)[0].upper())
        if procedure is not None and procedure.sided and form.value(f"side_{row}") not in dict(SIDES):
            form.errors[f"side_{row}"] = f"{procedure.name} asks for a side: choose left, right or both."


def _procedures(form: Form, offered: Mapping[str, Procedure]) -> tuple[ProcedureRequest, ...]:
    _ask_for_sides(form, offered)
    wanted = tuple(desk.procedure_request(procedure, side) for procedure, side in exams(form, offered))
    if not wanted and not any(name.startswith("procedure_") for name in form.errors):
        form.errors["procedure_1"] = "An order asks for at least one exam."
    return wanted
