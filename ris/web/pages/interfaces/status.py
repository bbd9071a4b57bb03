"""What flows now: one row a partner that sends and a destination that is sent to; hold and release."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import Invalid
from ris.exports import downtime
from ris.journal import rates as journal
from ris.notice import queries as notices
from ris.outbox import hold as outbound_hold
from ris.outbox import queries as outbox
from ris.outbox import rates as outgoing
from ris.outbox import service
from ris.staff.permission import Permission
from ris.web import live
from ris.web.access import may_anywhere, requires
from ris.web.page import changing, look_query, program, reading
from ris.web.pages.interfaces.blueprint import bp
from ris.web.pages.interfaces.shown import midnight, zone_of_reader
from ris.web.worklists.listing import duration

NOBODY_SENDS = "off"


@dataclass(frozen=True, slots=True)
class Connection:
    """One row; what one way has and the other has not is None."""

    row_id: str
    way: str
    """in or out."""
    name: str
    address: str
    state: str
    note: str
    last_at: datetime | None
    five_minutes: int
    hour: int
    failed_today: int
    waiting: int | None = None
    parked: int | None = None
    oldest: str = ""
    is_late: bool = False
    destination_id: int | None = None
    partner_id: int | None = None

    @property
    def is_held(self) -> bool:
        return self.state == "held"


@bp.get("")
@requires(Permission.INTERFACE_READ)
def index() -> ResponseReturnValue:
    if "X-Poll" not in request.headers:
        look_query("interfaces", {})
    with reading() as session:
        zone, now = zone_of_reader(session), program().clock()
        rows = connections(session, now, midnight(now, zone))
        all_held = outbound_hold.why_held(session)
    return live.answer(
        "interfaces/index.html", rows, {"zone": zone, "held": all_held}, zone=zone, all_held=all_held,
        may_manage=may_anywhere(Permission.INTERFACE_MANAGE), row_version=lambda row: live.version([row], {}),
    )  # fmt: skip


@bp.post("/destinations/<int:destination_id>/hold")
@requires(Permission.INTERFACE_MANAGE)
def hold(destination_id: int) -> ResponseReturnValue:
    reason = request.form.get("reason", "").strip()
    if not reason:
        raise Invalid("say why it is held: the next one who looks will want to know")
    with changing() as uow:
        service.hold(uow, destination_id, reason)
    flash("The destination is held: nothing leaves until it is released.")
    return redirect(url_for("interfaces.index"), 303)


@bp.post("/destinations/<int:destination_id>/release")
@requires(Permission.INTERFACE_MANAGE)
def release(destination_id: int) -> ResponseReturnValue:
    with changing() as uow:
        service.release(uow, destination_id)
    flash("The destination is released: what waits leaves in its order.")
    return redirect(url_for("interfaces.index"), 303)


def connections(session: Session, now: datetime, today: datetime) -> list[Connection]:
    """Those that send, then those that are sent to, each by name."""
    return [*_sources(session, now, today), *_destinations(session, now, today), *_mail(session, now, today), *_packet(session, now)]


def _sources(session: Session, now: datetime, today: datetime) -> Iterator[Connection]:
    for row in journal.sources(session, now, today):
        state = "active" if row.active else NOBODY_SENDS
        yield Connection(
            f"s-{row.partner_id}", "in", row.name, row.sender, state, "", row.last_at, row.five_minutes, row.hour, row.refused_today,
            partner_id=row.partner_id,
        )  # fmt: skip


def _destinations(session: Session, now: datetime, today: datetime) -> Iterator[Connection]:
    rates = outgoing.rates(session, now, today)
    for row in outbox.queues(session):
        rate = rates.get(row.destination_id, outgoing.Rate())
        state, note = _state(row)
        age = row.age(now)
        yield Connection(
            f"d-{row.destination_id}", "out", row.name, row.address, state, note, row.last_delivered_at,
            rate.five_minutes, rate.hour, rate.failed_today, row.waiting, row.parked,
            duration(int(age.total_seconds()) // 60) if age else "", row.is_alarming(now), row.destination_id,
        )  # fmt: skip


def _mail(session: Session, now: datetime, today: datetime) -> Iterator[Connection]:
    """E-mails to patients, once a mail server is set or something was to be sent."""
    server = program().settings.mail
    if not server.host and not notices.is_used(session):
        return
    row = notices.queue(session, now, today)
    age = row.age(now)
    state, note = ("running", "") if row.is_served else ("stopped", "no sender process")
    yield Connection(
        "mail", "out", "E-mails to patients", f"{server.host}:{server.port}" if server.host else "no mail server", state,
        row.reason or note, row.last_sent_at, row.sent_5m, row.sent_1h, row.refused_since, row.waiting, None,
        duration(int(age.total_seconds()) // 60) if age else "", row.is_alarming(now),
    )  # fmt: skip


def _packet(session: Session, now: datetime) -> Iterator[Connection]:
    """The files for the time when the program is away, once there is one or it was tried."""
    known = downtime.state(session)
    if known is None:
        return
    age = downtime.age(session, now)
    is_old = age is None or age > downtime.TOO_OLD
    yield Connection(
        "downtime", "out", "Downtime packet", known.place, "refused" if known.failed_at else "running", known.reason, known.written_at,
        0, 0, 0, None, None, duration(int(age.total_seconds()) // 60) if age and is_old else "", is_old,
    )  # fmt: skip


def _state(row: outbox.QueueRow) -> tuple[str, str]:
    """In a word, and why."""
    if not row.active:
        return NOBODY_SENDS, ""
    if row.held:
        return "held", row.held_why
    return ("running", "") if row.holder else ("stopped", "no sender process")
