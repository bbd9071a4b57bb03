"""The list of missing data: orders by what they lack and since when, each with what mends it, kept fresh as facts arrive."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, flash, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import Invalid, NotAllowedNow, RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.order import desk, revise
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.patient import alerts, clinical
from ris.patient.alerts import Alert
from ris.patient.model import ObservationKind
from ris.scheduling.rules import missing
from ris.scheduling.rules.missing import Lack, Lacking, LackingRow
from ris.staff.permission import Permission
from ris.web import live
from ris.web.access import may, may_anywhere, not_here, requires
from ris.web.page import changing, listed_sites, look_query, program, reading, use_key, used_before
from ris.web.pages.orders import asked
from ris.web.worklists.listing import duration

bp = Blueprint("missing", __name__, url_prefix="/missing", template_folder="templates")

LABELS = {
    Lack.code: ("Code not mapped", "Choose our exam for this order, or map the code once for all orders."),
    Lack.side: ("Side missing", "The catalogue asks for a side."),
    Lack.reason: ("Reason missing", "Ask the orderer what the exam shall answer."),
    Lack.telephone: ("Orderer's telephone missing", "Nobody can be called back about a finding."),
    Lack.weight: ("Weight missing", "Ask the patient; a value that a sender tells counts too."),
    Lack.kidneys: ("Creatinine or eGFR missing", "Ask the laboratory, whose result counts by itself, or enter a value that was told."),
    Lack.pregnancy: ("Pregnancy not known", "Ask the patient in the safety screen."),
    Lack.coverage: ("Nobody known who pays", "Ask the patient for the card of the insurer."),
}  # fmt: skip
CHANGED_MEANWHILE = "somebody else, or a message, was faster: the order does not lack this any more"


@dataclass(frozen=True, slots=True)
class Shown:
    """A row of the page: the head of a kind, or an order."""

    lack: Lack
    count: int
    row: LackingRow | None = None
    alerts: tuple[Alert, ...] = ()
    waits: str = ""


@bp.get("")
@requires(Permission.ORDER_ENTER)
def index() -> ResponseReturnValue:
    if "v" not in request.args:
        look_query("missing data", _filters())
    return _page()


@bp.post("/<int:procedure_id>/<what>")
@requires(Permission.ORDER_ENTER)
def mend(procedure_id: int, what: str) -> ResponseReturnValue:
    """Enters what was missing."""
    with reading() as session:
        exam = session.get(RequestedProcedure, procedure_id)
        site_id = exam.site_id if exam else None
    if site_id is None:
        abort(404)
    if not may(Permission.ORDER_ENTER, site_id):
        raise not_here(Permission.ORDER_ENTER, Ref("procedure", procedure_id))
    if (before := used_before()) is not None:
        return before
    target = url_for("missing.index", **_filters())
    try:
        with changing() as uow:
            procedure = orders.get_procedure(uow, procedure_id)
            if what not in MENDS:
                raise Invalid("this is not entered on the list")
            if what not in missing.lacks(uow.session, procedure_id, uow.now):
                raise NotAllowedNow(CHANGED_MEANWHILE)
            MENDS[Lack(what)](uow, procedure, request.form.get("value", "").strip())
            use_key(uow, target)
    except RisError as error:
        again = make_response(_page(refused=error.message))
        again.status_code = error.http_status
        return again
    flash("It is entered, and the order is off this list.")
    return redirect(target, 303)


# ── what can be entered at once ──────────────────────────────────────────────────────────────────────────────────────


def _text_of_order(name: str, label: str, longest: int) -> Callable[[UnitOfWork, RequestedProcedure, str], None]:
    def run(uow: UnitOfWork, procedure: RequestedProcedure, value: str) -> None:
        if not 0 < len(value) <= longest:
            raise Invalid(f"{label} has from 1 to {longest} characters", error_code="101")
        order = procedure.order
        desk.correct(uow, order.id, {name: value}, row_version=order.row_version)

    return run


def _side(uow: UnitOfWork, procedure: RequestedProcedure, value: str) -> None:
    if value not in dict(asked.SIDES) or procedure.procedure_id is None:
        raise Invalid("choose a side", error_code="101")
    revise.change(uow, procedure.id, revise.known_kind(uow, procedure.procedure_id), value, "the side was missing")


def _measured(kind: ObservationKind) -> Callable[[UnitOfWork, RequestedProcedure, str], None]:
    def run(uow: UnitOfWork, procedure: RequestedProcedure, value: str) -> None:
        units = list(clinical.MEASURED[kind])
        clinical.measure(uow, procedure.order.patient_id, kind, value, request.form.get("unit", units[0]))

    return run


MENDS: dict[str, Callable[[UnitOfWork, RequestedProcedure, str], None]] = {
    Lack.side: _side,
    Lack.reason: _text_of_order("reason", "the reason", 500),
    Lack.telephone: _text_of_order("callback", "the telephone number", 200),
    Lack.weight: _measured(ObservationKind.weight),
    Lack.kidneys: _measured(ObservationKind.creatinine),
}


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _page(refused: str = "") -> ResponseReturnValue:
    filters = _filters()
    now = program().clock()
    with reading() as session:
        found = missing.lacking(session, listed_sites(Permission.ORDER_ENTER), now, Lack(filters["lack"]) if "lack" in filters else None)
        known = alerts.of_patients(session, {row.patient_id for lacking in found for row in lacking.rows}, now)
    shown = list(_rows(found, filters.get("q", ""), known, now))
    return live.answer(
        "orders/missing.html", shown, filters, labels=LABELS, lacks=list(Lack), sides=asked.SIDES, refused=refused,
        shown_of_each=missing.SHOWN, total=sum(one.count for one in found), units=list(clinical.MEASURED[ObservationKind.creatinine]),
        row_version=lambda row: live.version([row], {}), mends=MENDS, may_map=may_anywhere(Permission.INTERFACE_MANAGE),
        may_set_rules=may_anywhere(Permission.RULE_MANAGE), may_screen=may_anywhere(Permission.PATIENT_SCREEN),
    )  # fmt: skip


def _rows(found: list[Lacking], sought: str, known: Mapping[int, tuple[Alert, ...]], now: datetime) -> Iterator[Shown]:
    """Each kind with its head and its orders."""
    words = sought.lower().split()
    for lacking in found:
        rows = [row for row in lacking.rows if all(word in _sought(row) for word in words)]
        if rows:
            yield Shown(lacking.lack, lacking.count)
        for row in rows:
            waits = duration(int((now - row.placed_at).total_seconds()) // 60)
            yield Shown(lacking.lack, lacking.count, row, known.get(row.patient_id, ()), waits)


def _sought(row: LackingRow) -> str:
    return f"{row.patient_name} {row.mrn or ''} {row.accession_number} {row.procedure_name} {row.orderer_name} {row.partner_code}".lower()


def _filters() -> dict[str, Any]:
    """Those that are set, from the address, or from the form of a row."""
    lack, sought = request.values.get("lack", ""), request.values.get("q", "").strip()
    return {name: value for name, value in (("lack", lack if lack in set(Lack) else ""), ("q", sought)) if value}
