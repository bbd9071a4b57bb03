"""What can be done with partners: add and change them, the destinations that reach them, and what each is told."""

from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

from ris.base.errors import Duplicate, Invalid, NotFound, Stale
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.partner import policy
from ris.partner.model import Destination, OnRefusal, Partner, Subscription

Row = TypeVar("Row", Partner, Destination)
VERSIONS = ("2.3.1", "2.5.1")
LINKED = ("{study_instance_uid}", "{accession_number}")
"""What an address of a viewer may hold."""
MINUTES_OF_A_WEEK = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class PartnerData:
    """A partner as a form or the settings give it."""

    name: str
    application: str
    """Its MSH-3.1."""
    facility: str
    """Its MSH-4.1."""
    zone: str
    """IANA zone of its times without an offset."""
    charset: str = ""
    """Table 0211; what holds when its messages name none."""
    authority: str = ""
    site_id: int | None = None
    policies: dict[str, Any] = field(default_factory=dict)
    active: bool = True


@dataclass(frozen=True, slots=True)
class DestinationData:
    """A destination as a form or the settings give it."""

    name: str
    host: str
    port: int
    """1 to 65535."""
    transport: str = "mllp"
    version: str = "2.5.1"
    """2.3.1 or 2.5.1."""
    charset: str = "UNICODE UTF-8"
    """Table 0211."""
    ack_timeout_s: int = 30
    """1 to 600 seconds."""
    on_error: OnRefusal = OnRefusal.park
    """After AE and CE."""
    on_rejection: OnRefusal = OnRefusal.retry
    """After AR and CR."""
    alarm_minutes: int = 15
    """1 to 10080: a person is called when the oldest waiting delivery is older."""
    tls: bool = False
    authorities: str = ""
    """PEM file of who may vouch for it; empty: the authorities of the system."""
    certificate: str = ""
    """PEM file of our client certificate; empty: none."""
    certificate_key: str = ""
    """PEM file of its key; empty: it is in the same file."""
    report_pdf: bool = False
    """Reports go as a PDF file too."""
    study_link: str = ""
    """Address of a viewer with `{study_instance_uid}` or `{accession_number}` in it; empty: reports have no link."""
    active: bool = True


@service
def add(uow: UnitOfWork, data: PartnerData) -> Partner:
    """Raises Invalid naming the value, Duplicate when name, or application and facility, are another partner's."""
    _check_partner(uow, data, None)
    partner = uow.add(Partner(id=new_id(), **asdict(data)))
    uow.session.flush()
    uow.emit(Event("partner.added", Ref("partner", partner.id), site_id=data.site_id, facts={"name": data.name}))
    return partner


@service
def change(uow: UnitOfWork, partner_id: int, data: PartnerData, *, row_version: int | None = None) -> Partner:
    """Raises as `add`, NotFound, and Stale when it was changed since `row_version` was read."""
    partner = _found(uow, Partner, partner_id, row_version)
    _check_partner(uow, data, partner_id)
    changed = _assign(uow, partner, asdict(data))
    if changed:
        uow.emit(Event("partner.changed", Ref("partner", partner_id), site_id=data.site_id, facts={"changed": changed}))
    return partner


@service
def add_destination(uow: UnitOfWork, partner_id: int, data: DestinationData) -> Destination:
    """Raises Invalid naming the value, NotFound, Duplicate when the name is another destination's."""
    _found(uow, Partner, partner_id, None)
    _check_destination(uow, data, None)
    destination = uow.add(Destination(id=new_id(), partner_id=partner_id, **asdict(data)))
    uow.session.flush()
    uow.emit(Event("destination.added", Ref("destination", destination.id), facts={"partner_id": partner_id, "name": data.name}))
    return destination


@service
def change_destination(uow: UnitOfWork, destination_id: int, data: DestinationData, *, row_version: int | None = None) -> Destination:
    """Taken up by the senders with the next message. Raises as `add_destination`, and Stale."""
    destination = _found(uow, Destination, destination_id, row_version)
    _check_destination(uow, data, destination_id)
    changed = _assign(uow, destination, asdict(data))
    if changed:
        uow.emit(Event("destination.changed", Ref("destination", destination_id), facts={"changed": changed}))
    return destination


@service
def subscribe(uow: UnitOfWork, destination_id: int, event: str, message: str, *, own_orders_only: bool = True) -> Subscription:
    """From the next event of that name on; a second call changes which message it is and whose orders it tells."""
    _found(uow, Destination, destination_id, None)
    if not event.strip() or not message.strip():
        raise Invalid("a subscription names an event and a message", error_code="101")
    known = _subscription(uow, destination_id, event)
    subscription = known or uow.add(Subscription(id=new_id(), destination_id=destination_id, event=event))
    uow.touch()
    subscription.message, subscription.own_orders_only = message, own_orders_only
    uow.session.flush()
    _tell_subscription(uow, "destination.subscribed", destination_id, event, message=message, own_orders_only=own_orders_only)
    return subscription


@service
def unsubscribe(uow: UnitOfWork, destination_id: int, event: str) -> None:
    """What is already on its way still arrives. Raises NotFound when there is no such subscription."""
    known = _subscription(uow, destination_id, event)
    if known is None:
        raise NotFound(f"destination {destination_id} is not told of {event}")
    uow.touch()
    uow.session.delete(known)
    uow.session.flush()
    _tell_subscription(uow, "destination.unsubscribed", destination_id, event)


def _tell_subscription(uow: UnitOfWork, name: str, destination_id: int, event: str, **facts: Any) -> None:
    # Who is told was read once in this unit of work; what follows in it shall see the change.
    uow.session.info.pop("subscriptions", None)
    uow.emit(Event(name, Ref("destination", destination_id), facts={"event": event, **facts}))


def _subscription(uow: UnitOfWork, destination_id: int, event: str) -> Subscription | None:
    return uow.session.scalars(
        sa.select(Subscription).where(Subscription.destination_id == destination_id, Subscription.event == event)
    ).one_or_none()


def _found(uow: UnitOfWork, model: type[Row], key: int, row_version: int | None) -> Row:
    row = uow.session.get(model, key)
    if row is None:
        raise NotFound(f"{model.__tablename__} {key} does not exist")
    if row_version is not None and row.row_version != row_version:
        raise Stale("somebody else has changed this in the meantime: load it again")
    return row


def _assign(uow: UnitOfWork, row: Partner | Destination, values: dict[str, Any]) -> list[str]:
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    if changed:
        uow.touch()
    for name in changed:
        setattr(row, name, values[name])
    return changed


def _check_partner(uow: UnitOfWork, data: PartnerData, own_id: int | None) -> None:
    _required(name=data.name, application=data.application, facility=data.facility)
    try:
        ZoneInfo(data.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Invalid(f"zone: there is no time zone {data.zone!r}", error_code="103") from error
    policy.check(data.policies)
    is_same_sender = sa.and_(Partner.application == data.application, Partner.facility == data.facility)
    others = sa.select(Partner.id).where(sa.or_(Partner.name == data.name, is_same_sender), Partner.id != (own_id or 0))
    if uow.session.scalars(others.limit(1)).first() is not None:
        raise Duplicate("another partner has this name, or this application and facility")
    _check_port(uow, data, own_id)


def _check_port(uow: UnitOfWork, data: PartnerData, own_id: int | None) -> None:
    port = policy.policy(data.policies, "port")
    others = uow.session.execute(sa.select(Partner.id, Partner.policies).where(Partner.active))
    if port and any(policy.policy(agreed, "port") == port for other, agreed in others if other != own_id):
        raise Duplicate("policies: another partner has this port")


def _check_destination(uow: UnitOfWork, data: DestinationData, own_id: int | None) -> None:
    _required(name=data.name, host=data.host, transport=data.transport, charset=data.charset)
    if not 1 <= data.port <= 65535:
        raise Invalid("port: from 1 to 65535", error_code="102")
    if data.version not in VERSIONS:
        raise Invalid(f"version: {' or '.join(VERSIONS)}", error_code="103")
    if not 1 <= data.ack_timeout_s <= 600:
        raise Invalid("ack_timeout_s: from 1 to 600 seconds", error_code="102")
    if not 1 <= data.alarm_minutes <= MINUTES_OF_A_WEEK:
        raise Invalid(f"alarm_minutes: from 1 to {MINUTES_OF_A_WEEK}", error_code="102")
    if not data.tls and (data.authorities or data.certificate or data.certificate_key):
        raise Invalid("tls: is off, so that the files for it mean nothing", error_code="103")
    if data.certificate_key and not data.certificate:
        raise Invalid("certificate: is empty, while its key is given", error_code="101")
    if data.study_link and (wrong := _wrong_link(data.study_link)):
        raise Invalid(f"study_link: {wrong}", error_code="103")
    others = sa.select(Destination.id).where(Destination.name == data.name, Destination.id != (own_id or 0))
    if uow.session.scalars(others.limit(1)).first() is not None:
        raise Duplicate("another destination has this name")


def _wrong_link(template: str) -> str:
    """What is wrong with the address of a viewer; nothing with a right one."""
    if not template.startswith(("https://", "http://")) or any(char.isspace() for char in template):
        return "begins with https:// or http:// and has no blanks"
    rest = template
    for name in LINKED:
        rest = rest.replace(name, "")
    if rest == template or "{" in rest or "}" in rest:
        return f"holds {' or '.join(LINKED)}, and nothing else in braces"
    return ""


def _required(**values: str) -> None:
    for name, value in values.items():
        if not value.strip():
            raise Invalid(f"{name}: is empty", error_code="101")
