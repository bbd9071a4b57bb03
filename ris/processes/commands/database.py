"""Commands for the database: bring up to date, check, copy, put back, let go."""

from pathlib import Path

import click
from alembic.util import CommandError

from ris.outbox import hold
from ris.processes import backup as copies
from ris.processes import database
from ris.processes.context import Start, answering
from ris.processes.partners import seed_partners


@click.group()
def db() -> None:
    """The database: schema, copies, and the release after a restore."""


@db.command()
@click.pass_obj
def upgrade(start: Start) -> None:
    """Bring the database to the newest schema, and add partners of the settings that are not there."""
    with answering():
        database.upgrade(start.settings)
    click.echo("the database has the newest schema")
    with start.open().uow() as uow:
        for partner in seed_partners(uow, start.settings.partner):
            click.echo(f"partner {partner.name} is added from the settings")


@db.command()
@click.pass_obj
def check(start: Start) -> None:
    """Say whether the database has the schema that the program needs."""
    try:
        database.check(start.settings)
    except CommandError as error:
        raise click.ClickException(f"{error}: run `manage.py db upgrade`") from error
    click.echo("the database has the schema that the program needs")


@db.command()
@click.pass_obj
def backup(start: Start) -> None:
    """Copy the database while it is in use; prints where the copy is."""
    ris = start.open()
    try:
        click.echo(copies.backup(ris))
    except copies.BackupError as error:
        raise click.ClickException(str(error)) from error


@db.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Put it over data; the former database is kept aside.")
@click.pass_obj
def restore(start: Start, file: Path, force: bool) -> None:
    """Put a copy back. Nothing is sent or exported afterwards until `db release`."""
    try:
        aside = copies.restore(start.settings, file, force=force)
    except copies.BackupError as error:
        raise click.ClickException(str(error)) from error
    if aside:
        click.echo(f"the former database is {aside}")
    click.echo("restored; everything outbound is held: look at it, then run `manage.py db release`")


@db.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def release(start: Start, yes: bool) -> None:
    """Let messages and exports go again after a restore."""
    ris = start.open()
    with ris.read() as session:
        why = hold.why_held(session)
    if not why:
        click.echo("nothing is held")
        return
    click.echo(f"held: {why}")
    if not yes:
        click.confirm("Send waiting messages to the partners and write exports?", abort=True)
    with ris.uow() as uow:
        released = hold.release_all(uow)
    click.echo(f"released; destinations that may send again: {released}")
