"""Commands for partners: who they are, what is agreed with them, and what their codes are here."""

from dataclasses import fields, replace
from typing import Any

import click
import sqlalchemy as sa

from ris.base.errors import Invalid, NotFound
from ris.base.uow import UnitOfWork
from ris.catalog import service as catalog
from ris.catalog.model import CodeMap, Site
from ris.partner import policy, service
from ris.partner.model import Partner
from ris.partner.service import PartnerData
from ris.processes.commands.changing import change
from ris.processes.context import Start

TEXTS = ("name", "application", "facility", "zone", "charset", "authority")


@click.group()
def partner() -> None:
    """Partners: the systems that send to us, what is agreed with each, and its codes."""


@partner.command("list")
@click.pass_obj
def list_all(start: Start) -> None:
    """List the partners with their MSH-3 and MSH-4."""
    with start.open().read() as session:
        for row in session.scalars(sa.select(Partner).order_by(Partner.name)):
            click.echo(f"{row.name}  {row.application} {row.facility}  {row.zone}{'' if row.active else '  (not active)'}")


@partner.command()
@click.argument("name")
@click.pass_obj
def show(start: Start, name: str) -> None:
    """Show everything that is agreed with a partner, and its codes."""
    with start.open().read() as session:
        row = session.scalars(sa.select(Partner).where(Partner.name == name)).one_or_none()
        if row is None:
            raise click.ClickException(f"there is no partner {name}")
        for field in TEXTS:
            click.echo(f"{field} = {getattr(row, field)}")
        for known, described in policy.POLICIES.items():
            click.echo(f"{known} = {policy.policy(row.policies, known)}  # {described.meaning}")
        for code in session.scalars(sa.select(CodeMap).where(CodeMap.partner_id == row.id).order_by(CodeMap.kind, CodeMap.their_code)):
            click.echo(f"{code.kind} {code.their_code} -> {code.our_code}")


@partner.command()
@click.argument("name")
@click.option("--application", required=True, help="Its MSH-3.1.")
@click.option("--facility", required=True, help="Its MSH-4.1.")
@click.option("--zone", required=True, help="IANA zone of its times without an offset.")
@click.option("--authority", default="", help="Assigning authority of identifiers that name none.")
@click.option("--charset", default="", help="The MSH-18 value that holds when a message names none.")
@click.option("--site", default="", help="Code of the site where its orders are done.")
@click.pass_obj
def add(start: Start, name: str, application: str, facility: str, zone: str, authority: str, charset: str, site: str) -> None:
    """Add a partner; the listener knows it at once."""

    def work(uow: UnitOfWork) -> None:
        data = PartnerData(name, application, facility, zone, charset=charset, authority=authority, site_id=_site(uow, site))
        service.add(uow, data)

    change(start, work)
    click.echo(f"{name} is added")


@partner.command("set")
@click.argument("name")
@click.argument("key")
@click.argument("value")
@click.pass_obj
def set_value(start: Start, name: str, key: str, value: str) -> None:
    """Change one thing: a field (name, application, facility, zone, charset, authority, site, active) or a policy."""

    def work(uow: UnitOfWork) -> None:
        row = _found(uow, name)
        service.change(uow, row.id, _changed(uow, row, key, value))

    change(start, work)
    click.echo(f"{name}: {key} = {value}")


@partner.command("map")
@click.argument("name")
@click.argument("kind", type=click.Choice(list(catalog.MAPPED_KINDS)))
@click.argument("their_code")
@click.argument("our_code")
@click.pass_obj
def map_code(start: Start, name: str, kind: str, their_code: str, our_code: str) -> None:
    """Say what a code of the partner's is here; what waited for it is resolved."""
    change(start, lambda uow: catalog.map_code(uow, partner_id=_found(uow, name).id, kind=kind, their_code=their_code, our_code=our_code))
    click.echo(f"{kind} {their_code} -> {our_code}")


@partner.command()
@click.argument("name")
@click.argument("kind", type=click.Choice(list(catalog.MAPPED_KINDS)))
@click.argument("their_code")
@click.pass_obj
def unmap(start: Start, name: str, kind: str, their_code: str) -> None:
    """Forget what a code of the partner's is here."""
    change(start, lambda uow: catalog.unmap_code(uow, partner_id=_found(uow, name).id, kind=kind, their_code=their_code))
    click.echo(f"{kind} {their_code} is not mapped any more")


def _found(uow: UnitOfWork, name: str) -> Partner:
    row = uow.session.scalars(sa.select(Partner).where(Partner.name == name)).one_or_none()
    if row is None:
        raise NotFound(f"there is no partner {name}")
    return row


def _site(uow: UnitOfWork, code: str) -> int | None:
    site_id = uow.session.scalar(sa.select(Site.id).where(Site.code == code)) if code else None
    if code and site_id is None:
        raise Invalid(f"there is no site {code}")
    return site_id


def _changed(uow: UnitOfWork, row: Partner, key: str, value: str) -> PartnerData:
    known: dict[str, Any] = {field.name: getattr(row, field.name) for field in fields(PartnerData)}
    data = PartnerData(**known)
    if key in TEXTS:
        return PartnerData(**{**known, key: value})
    if key == "site":
        return replace(data, site_id=_site(uow, value))
    if key == "active":
        if value.lower() not in ("true", "false"):
            raise Invalid("active: true or false")
        return replace(data, active=value.lower() == "true")
    return replace(data, policies={**row.policies, key: policy.read(key, value)})
