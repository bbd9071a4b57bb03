"""Publication becomes a record for each recipient; what people do with these: a copy, once more, printed, not at all."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow, NotFound
from ris.base.ids import new_id
from ris.base.machine import Requirement
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.distribution import recipients, ways
from ris.distribution.model import Dispatch, Recipient
from ris.distribution.status import DISPATCH, ON_PAPER, PAPER, STANDING, Channel, DispatchState
from ris.distribution.ways import Way
from ris.order.model import Order
from ris.outbox import service as outbox
from ris.outbox.model import Delivery, DeliveryState
from ris.report.model import Report, ReportVersion
from ris.report.status import FIRST_LOOKS, VersionKind
from ris.task import service as task

UNDELIVERED = "result_undelivered"
_NOT_WANTED = "the recipient wants no results"


def distribute(uow: UnitOfWork, event: Event) -> None:
    """To hang on `report.published`: a record for each recipient, and none of an earlier version leaves any more.

    A first look goes by HL7 alone. A retraction goes to those who have had what it takes back, and to nobody else; whoever has had a
    version gets the next one too, also when nothing new shall go there.
    """
    if uow.is_quiet:
        return
    version = uow.session.get_one(ReportVersion, event.facts["version_id"])
    order = uow.session.get_one(Order, event.order_id)
    recipients.take_named(uow, order)
    earlier = _earlier(uow, version)
    _overtake(uow, earlier, version)
    had = {dispatch.recipient_id for dispatch in earlier if dispatch.state in STANDING}
    for recipient in recipients.of_order(uow.session, order.id):
        is_wanted = recipient.ended_at is None and version.kind is not VersionKind.retraction
        if is_wanted or recipient.id in had:
            _dispatch(uow, order, version, recipient, must=recipient.id in had)


@service
def send_copy(uow: UnitOfWork, *, report_id: int, referrer_id: int, reason: str = "") -> Recipient:
    """One more recipient, who gets what is published now and whatever follows. Raises Invalid as `recipients.add`."""
    report = uow.session.get(Report, report_id)
    if report is None:
        raise NotFound(f"report {report_id} does not exist")
    order = uow.session.get_one(Order, report.order_id)
    recipient = recipients.add(uow, order, referrer_id, reason)
    version = published_now(uow, report_id)
    if version is not None and version.kind is not VersionKind.retraction and not _has(uow, version, recipient):
        _dispatch(uow, order, version, recipient)
    return recipient


@service
def send_again(uow: UnitOfWork, dispatch_id: int, reason: str) -> Dispatch:
    """The version once more to the same recipient, by the way that holds now; a new record. Raises NotAllowedNow for one that waits.

    Raises Invalid without a reason, and NotAllowedNow for a version that another one has taken the place of.
    """
    before = _locked(uow, dispatch_id)
    said = _said(reason)
    version = uow.session.get_one(ReportVersion, before.version_id)
    newest = published_now(uow, before.report_id)
    if newest is not None and newest.id != version.id:
        raise NotAllowedNow(f"version {newest.number} has taken its place: that one goes to everybody who had this one")
    if before.state in (DispatchState.waiting, DispatchState.sending):
        raise NotAllowedNow("it is still on its way")
    recipient = uow.session.get_one(Recipient, before.recipient_id)
    again = _dispatch(uow, uow.session.get_one(Order, recipient.order_id), version, recipient, must=True, reason=said, anew=True)
    if again is None:
        raise NotAllowedNow("there is no way to this recipient")
    task.settle(uow, UNDELIVERED, Ref("dispatch", before.id))
    uow.emit(event_of(uow, "result.sent_again", again, before_id=before.id, reason=said))
    return again


@service
def drop(uow: UnitOfWork, dispatch_id: int, reason: str) -> Dispatch:
    """It shall not leave. Raises Invalid without a reason, NotAllowedNow for what has left."""
    dispatch = _locked(uow, dispatch_id)
    _step(uow, dispatch, "drop", reason=_said(reason))
    task.settle(uow, UNDELIVERED, Ref("dispatch", dispatch.id))
    uow.emit(event_of(uow, "result.dropped", dispatch, reason=dispatch.reason))
    return dispatch


@service
def mark_printed(uow: UnitOfWork, dispatch_ids: Iterable[int]) -> int:
    """A person has printed these, and posted or faxed them; how many waited still."""
    marked = 0
    for dispatch in [_locked(uow, key) for key in sorted(set(dispatch_ids))]:
        if dispatch.state is DispatchState.waiting and dispatch.channel in PAPER:
            _step(uow, dispatch, "mark_printed")
            dispatch.done_at, dispatch.done_by = uow.now, uow.actor.name
            uow.emit(event_of(uow, "result.printed", dispatch))
            marked += 1
    return marked


@service
def undo_printed(uow: UnitOfWork, dispatch_id: int) -> Dispatch:
    """It waits at the printer again. Raises NotAllowedNow for what was not printed, and for a version that does not hold any more."""
    dispatch = _locked(uow, dispatch_id)
    newest = published_now(uow, dispatch.report_id)
    if newest is not None and newest.id != dispatch.version_id:
        raise NotAllowedNow(f"version {newest.number} has taken its place: its recipient gets that one")
    _step(uow, dispatch, "undo_printed")
    dispatch.done_at, dispatch.done_by = None, ""
    uow.emit(event_of(uow, "result.printing_undone", dispatch))
    return dispatch


def published_now(uow: UnitOfWork, report_id: int) -> ReportVersion | None:
    """The newest version that anybody was told of."""
    return uow.session.scalars(
        sa.select(ReportVersion)
        .where(ReportVersion.report_id == report_id, ReportVersion.published_at.is_not(None))
        .order_by(ReportVersion.number.desc())
        .limit(1)
    ).one_or_none()


def event_of(uow: UnitOfWork, name: str, dispatch: Dispatch, **facts: object) -> Event:
    """An event about a record, with whose it is."""
    recipient = uow.session.get_one(Recipient, dispatch.recipient_id)
    order = uow.session.get_one(Order, recipient.order_id)
    said = {"report_id": dispatch.report_id, "version_id": dispatch.version_id, "referrer_id": recipient.referrer_id}
    return Event(
        name, Ref("dispatch", dispatch.id), patient_id=order.patient_id, order_id=order.id, site_id=dispatch.site_id,
        facts={**said, "channel": dispatch.channel, **facts},
    )  # fmt: skip


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _earlier(uow: UnitOfWork, version: ReportVersion) -> Sequence[Dispatch]:
    """Locked: one that is begun with is found as such, and with one that is here nobody begins any more."""
    uow.session.flush()
    return uow.session.scalars(
        sa.select(Dispatch)
        .where(Dispatch.report_id == version.report_id, Dispatch.version_id != version.id)
        .order_by(Dispatch.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _overtake(uow: UnitOfWork, earlier: Iterable[Dispatch], version: ReportVersion) -> None:
    is_retracted = version.kind is VersionKind.retraction
    reason = "it was retracted before it left" if is_retracted else f"version {version.number} took its place before it left"
    for dispatch in earlier:
        if dispatch.state in (DispatchState.waiting, DispatchState.failed):
            _step(uow, dispatch, "drop", reason=reason)
            task.settle(uow, UNDELIVERED, Ref("dispatch", dispatch.id))


def _has(uow: UnitOfWork, version: ReportVersion, recipient: Recipient) -> bool:
    known = sa.select(Dispatch.id).where(Dispatch.version_id == version.id, Dispatch.recipient_id == recipient.id)
    return uow.session.scalar(known.where(Dispatch.state != DispatchState.dropped).limit(1)) is not None


def _dispatch(
    uow: UnitOfWork, order: Order, version: ReportVersion, recipient: Recipient, *, must: bool = False, reason: str = "",
    anew: bool = False,
) -> Dispatch | None:  # fmt: skip
    """The record of a version for a recipient; `must`: who has had an earlier one cannot be left out. None where none goes."""
    way = ways.way_to(uow.session, recipients.survivor_of(uow.session, recipient), recipient.role, order)
    if version.kind in FIRST_LOOKS and way.channel is not Channel.hl7 and not must:
        return None
    if way.channel is Channel.none and must:
        way = Way(Channel.print, note="no results are wanted there, but what this one changes was sent")
    dispatch = uow.add(
        Dispatch(
            id=new_id(), report_id=version.report_id, version_id=version.id, recipient_id=recipient.id, site_id=order.site_id,
            series=_next_series(uow, version, recipient), channel=way.channel, address=way.address, delivery_id=None,
            state=DispatchState.waiting, created_at=uow.now, not_before=uow.now, tried_at=None, done_at=None, reason=reason or way.note,
        )
    )  # fmt: skip
    if way.channel is Channel.none:
        dispatch.state, dispatch.reason = DISPATCH.go("drop", dispatch.state), _NOT_WANTED
    uow.session.flush()
    if way.channel is Channel.hl7:
        _hand_over(uow, dispatch, version, way.destination_id or 0, anew=anew, reason=reason)
    uow.emit(event_of(uow, "result.dispatched", dispatch))
    return dispatch


def _hand_over(uow: UnitOfWork, dispatch: Dispatch, version: ReportVersion, destination_id: int, *, anew: bool, reason: str) -> None:
    """The delivery that a subscription has made is this recipient's too; else there is one more."""
    event = ways.published_event(uow.session, version)
    if event is None:
        raise NotAllowedNow("nobody was told of this version yet")
    delivery = ways.delivery_of(uow.session, event.id, destination_id)
    if delivery is None:
        delivery = outbox.tell(uow, event, destination_id, ways.message_for(uow.session, destination_id))
    elif anew:
        delivery = _once_more(uow, delivery, reason)
    _step(uow, dispatch, "hand_over")
    dispatch.delivery_id = delivery.id
    uow.session.flush()


def _once_more(uow: UnitOfWork, delivery: Delivery, reason: str) -> Delivery:
    if delivery.state in (DeliveryState.delivered, DeliveryState.skipped):
        return outbox.repeat(uow, delivery.id, reason)
    return outbox.resend(uow, delivery.id)


def _next_series(uow: UnitOfWork, version: ReportVersion, recipient: Recipient) -> int:
    known = sa.select(sa.func.max(Dispatch.series)).where(Dispatch.version_id == version.id, Dispatch.recipient_id == recipient.id)
    last = uow.session.scalar(known)
    return 0 if last is None else last + 1


def _said(reason: str) -> str:
    said = reason.strip()[: recipients.LONGEST_REASON]
    if not said:
        raise Invalid("give a reason", error_code="101")
    return said


def _locked(uow: UnitOfWork, dispatch_id: int) -> Dispatch:
    uow.session.flush()  # what is read anew must not take back what this unit of work has changed
    dispatch = uow.session.get(Dispatch, dispatch_id, with_for_update=True, populate_existing=True)
    if dispatch is None:
        raise NotFound(f"dispatch {dispatch_id} does not exist")
    return dispatch


def _step(uow: UnitOfWork, dispatch: Dispatch, name: str, *, reason: str = "") -> None:
    def holds(requirement: Requirement) -> bool:
        return dispatch.channel in PAPER if requirement is ON_PAPER else bool(reason)

    state = DISPATCH.go(name, dispatch.state, holds)
    uow.touch()
    dispatch.state, dispatch.reason = state, reason or dispatch.reason
