"""Commands for destinations: where partners are told, of what, in which message, and what that would look like."""

from dataclasses import fields
from typing import Any

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import utc_now
from ris.base.errors import Invalid, NotFound
from ris.base.uow import UnitOfWork
from ris.hl7.outbound import BUILDERS, ROLES, TELLS, preview
from ris.order.model import RequestedProcedure
from ris.outbox import queries
from ris.outbox import service as outbox
from ris.partner import service
from ris.partner.model import Destination, OnRefusal, Partner, Subscription
from ris.partner.service import DestinationData
from ris.processes.commands.changing import change
from ris.processes.context import Start

KEYS = tuple(field.name for field in fields(DestinationData))


@click.group()
def destination() -> None:
    """Destinations: where partners are told what happens, of which events, and in which message."""


@destination.command("list")
@click.pass_obj
def list_all(start: Start) -> None:
    """List the destinations with their address and what waits for them."""
    with start.open().read() as session:
        for row in queries.queues(session):
            state = f"  (held: {row.held_why})" if row.held else "" if row.active else "  (not active)"
            click.echo(f"{row.name}  {row.partner}  {row.address}  {row.waiting} waiting, {row.parked} parked{state}")


@destination.command()
@click.argument("name")
@click.pass_obj
def show(start: Start, name: str) -> None:
    """Show everything about a destination, and what it is told."""
    with start.open().read() as session:
        try:
            row = _found(session, name)
        except NotFound as error:
            raise click.ClickException(error.message) from error
        for key in KEYS:
            click.echo(f"{key} = {getattr(row, key)}")
        told = sa.select(Subscription).where(Subscription.destination_id == row.id).order_by(Subscription.event)
        for subscription in session.scalars(told):
            whose = "own orders" if subscription.own_orders_only else "all orders"
            click.echo(f"{subscription.event} -> {subscription.message} ({whose})")


@destination.command()
@click.argument("partner")
@click.argument("name")
@click.option("--host", required=True, help="Name or address of its receiver.")
@click.option("--port", required=True, type=int, help="Its port.")
@click.option("--role", type=click.Choice(list(ROLES)), help="Tell it what such a partner is usually told.")
@click.pass_obj
def add(start: Start, partner: str, name: str, host: str, port: int, role: str | None) -> None:
    """Add a destination of a partner; without a role it is told nothing yet."""

    def work(uow: UnitOfWork) -> None:
        partner_id = uow.session.scalar(sa.select(Partner.id).where(Partner.name == partner))
        if partner_id is None:
            raise NotFound(f"there is no partner {partner}")
        row = service.add_destination(uow, partner_id, DestinationData(name, host, port))
        if role:
            _tell_usual(uow, row, role)

    change(start, work)
    click.echo(f"{name} is added")


@destination.command("set")
@click.argument("name")
@click.argument("key", type=click.Choice(KEYS))
@click.argument("value")
@click.pass_obj
def set_value(start: Start, name: str, key: str, value: str) -> None:
    """Change one thing about a destination; the senders take it up with the next message."""

    def work(uow: UnitOfWork) -> None:
        row = _found(uow.session, name)
        data = DestinationData(**{**{each: getattr(row, each) for each in KEYS}, key: _read(key, value)})
        service.change_destination(uow, row.id, data)

    change(start, work)
    click.echo(f"{name}: {key} = {value}")


@destination.command()
@click.argument("name")
@click.argument("role", type=click.Choice(list(ROLES)))
@click.pass_obj
def role(start: Start, name: str, role: str) -> None:
    """Tell a destination what a partner of that kind is usually told."""
    change(start, lambda uow: _tell_usual(uow, _found(uow.session, name), role))
    click.echo(f"{name} is told as {role}")


@destination.command()
@click.argument("name")
@click.argument("event")
@click.argument("message", type=click.Choice(list(BUILDERS)))
@click.option("--all-orders", is_flag=True, help="Of everybody's orders, not only of those that the partner has placed.")
@click.pass_obj
def tell(start: Start, name: str, event: str, message: str, all_orders: bool) -> None:
    """Tell a destination of an event, in a message that is made for it."""

    def work(uow: UnitOfWork) -> None:
        if event not in TELLS[message]:
            raise Invalid(f"{message} tells of {', '.join(TELLS[message])}")
        service.subscribe(uow, _found(uow.session, name).id, event, message, own_orders_only=not all_orders)

    change(start, work)
    click.echo(f"{name}: {event} -> {message}")


@destination.command()
@click.argument("name")
@click.argument("event")
@click.pass_obj
def untell(start: Start, name: str, event: str) -> None:
    """Tell a destination of an event no more; what is on its way still arrives."""
    change(start, lambda uow: service.unsubscribe(uow, _found(uow.session, name).id, event))
    click.echo(f"{name} is not told of {event} any more")


@destination.command("preview")
@click.argument("name")
@click.argument("message", type=click.Choice(list(BUILDERS)))
@click.argument("accession_number")
@click.pass_obj
def show_message(start: Start, name: str, message: str, accession_number: str) -> None:
    """Show the message that would be sent for an exam now; nothing is stored or sent."""
    with start.open().read() as session:
        try:
            row = _found(session, name)
            exam = session.scalar(sa.select(RequestedProcedure.id).where(RequestedProcedure.accession_number == accession_number))
            if exam is None:
                raise NotFound(f"there is no exam {accession_number}")
            seen = preview.of_exam(session, exam, destination_id=row.id, message=message, now=utc_now())
        except NotFound as error:
            raise click.ClickException(error.message) from error
    click.echo(seen.text or f"{seen.event}: nothing is sent: {seen.nothing or seen.refusal}")
    for finding in seen.findings:
        click.echo(f"hl7apy: {finding}")


@destination.command()
@click.argument("name")
@click.argument("reason")
@click.pass_obj
def hold(start: Start, name: str, reason: str) -> None:
    """Let nothing more leave to a destination."""
    change(start, lambda uow: outbox.hold(uow, _found(uow.session, name).id, reason))
    click.echo(f"{name} is held")


@destination.command()
@click.argument("name")
@click.pass_obj
def release(start: Start, name: str) -> None:
    """Let what waits for a destination leave."""
    change(start, lambda uow: outbox.release(uow, _found(uow.session, name).id))
    click.echo(f"{name} is released")


def _tell_usual(uow: UnitOfWork, row: Destination, role: str) -> None:
    usual = ROLES[role]
    for event, message in usual.messages.items():
        service.subscribe(uow, row.id, event, message, own_orders_only=usual.own_orders_only)


def _found(session: Session, name: str) -> Destination:
    row = session.scalars(sa.select(Destination).where(Destination.name == name)).one_or_none()
    if row is None:
        raise NotFound(f"there is no destination {name}")
    return row


def _read(key: str, value: str) -> Any:
    """The value as its field wants it. Raises Invalid."""
    kind = type(getattr(DestinationData("", "", 0), key))
    try:
        if kind is bool:
            return {"true": True, "false": False}[value.lower()]
        return kind(value)
    except (KeyError, ValueError) as error:
        choices = " or ".join(OnRefusal) if kind is OnRefusal else "true or false" if kind is bool else "a number"
        raise Invalid(f"{key}: {choices}") from error
