"""Commands for the audit trail."""

import click

from ris.processes.context import Start


@click.group()
def audit() -> None:
    """The audit trail."""


@audit.command()
@click.pass_obj
def verify(start: Start) -> None:
    """Walk the whole chain of seals; status 1 when a link does not fit."""
    from ris.audit.seal import verify as verify_chain  # noqa: PLC0415

    ris = start.open()
    with ris.read() as session:
        found = verify_chain(session)
    click.echo(found)
