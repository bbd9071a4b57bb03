"""Commands for the first site and the first users of a new installation; afterwards pages do it."""

from collections.abc import Sequence
from zoneinfo import available_timezones

import click
import sqlalchemy as sa

from ris.base.errors import Conflict, NotFound, RisError
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork
from ris.catalog.model import Site
from ris.processes.context import Start
from ris.staff import service as staff


@click.group()
def user() -> None:
    """Users: the first administrator of a new installation is made here."""


@user.command()
@click.argument("login")
@click.option("--family", required=True)
@click.option("--given", required=True)
@click.option("--role", "roles", multiple=True, required=True, help="Code of a role; may be given several times.")
@click.option("--site", "sites", multiple=True, help="Code of a site; every site without it.")
@click.option("--practitioner-number", default="", help="XCN.1 in messages.")
@click.password_option()
@click.pass_obj
def add(
    start: Start,
    login: str,
    family: str,
    given: str,
    roles: tuple[str, ...],
    sites: tuple[str, ...],
    practitioner_number: str,
    password: str,
) -> None:
    """Add a user with roles at sites; asks for the password."""
    ris = start.open()
    try:
        with ris.uow() as uow:
            new = staff.add_user(uow, login=login, family=family, given=given, password=password, practitioner_number=practitioner_number)
            _assign(uow, new.id, roles, sites)
    except RisError as error:
        raise click.ClickException(error.message) from error
    click.echo(f"{login} is added")


@click.group()
def site() -> None:
    """Sites: the first one of a new installation is made here."""


@site.command("add")
@click.argument("code")
@click.argument("name")
@click.option("--zone", required=True, help="IANA zone of its wall clock, such as Europe/Berlin.")
@click.option("--currency", default="USD", show_default=True)
@click.pass_obj
def add_site(start: Start, code: str, name: str, zone: str, currency: str) -> None:
    """Add a site."""
    if zone not in available_timezones():
        raise click.BadParameter(f"there is no zone {zone}", param_hint="--zone")
    ris = start.open()
    try:
        with ris.uow() as uow:
            if uow.session.scalar(sa.select(Site.id).where(Site.code == code)):
                raise Conflict(f"there is a site {code} already")
            row = uow.add(Site(code=code, name=name, zone=zone, currency=currency))
            uow.session.flush()
            uow.emit(Event("catalog.site_added", Ref("site", row.id), site_id=row.id))
    except RisError as error:
        raise click.ClickException(error.message) from error
    click.echo(f"{code} is added")


def _assign(uow: UnitOfWork, user_id: int, roles: Sequence[str], sites: Sequence[str]) -> None:
    known_roles = staff.seed_roles(uow)
    known_sites = {row.code: row.id for row in uow.session.scalars(sa.select(Site))}
    if not known_sites:
        raise NotFound("there is no site yet: `manage.py site add` makes the first")
    for code in roles:
        for site_code in sites or known_sites:
            if code not in known_roles or site_code not in known_sites:
                raise NotFound(f"roles are {', '.join(sorted(known_roles))}; sites are {', '.join(sorted(known_sites))}")
            staff.assign(uow, user_id=user_id, role_id=known_roles[code], site_id=known_sites[site_code])
