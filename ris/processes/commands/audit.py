"""Commands for the audit trail."""

from pathlib import Path

import click

from ris.audit import seal
from ris.processes.backup import BackupError, audit_head
from ris.processes.context import Start


@click.group()
def audit() -> None:
    """The audit trail."""


@audit.command()
@click.option(
    "--manifest",
    "manifests",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Of an earlier copy, kept elsewhere: the chain must still lead through the head that it names. May be given several times.",
)
@click.pass_obj
def verify(start: Start, manifests: tuple[Path, ...]) -> None:
    """Walk the whole chain of seals; status 1 when a link does not fit."""
    ris = start.open()
    try:
        known = [audit_head(manifest) for manifest in manifests]
    except BackupError as error:
        raise click.ClickException(str(error)) from error
    with ris.read() as session:
        problems = seal.verify(session, known=known, now=ris.clock())
        position = seal.head(session).position
    for problem in problems:
        click.echo(problem)
    if problems:
        raise SystemExit(1)
    click.echo(f"{position} entries are sealed, and every link fits")
