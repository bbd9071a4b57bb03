"""Commands for the search over report texts."""

import click

from ris.processes.context import Start
from ris.report.finding import index


@click.group()
def search() -> None:
    """The index by which reports are found."""


@search.command()
@click.pass_obj
def rebuild(start: Start) -> None:
    """Write the index of every report anew, while the program goes on: after a restore of an older copy, or an upgrade that says so."""
    ris = start.open()
    last: int | None = 0
    count = 0
    while last is not None:
        with ris.uow() as uow:
            last, written = index.rebuild_some(uow, last)
        count += written
    click.echo(f"{count} reports can be found by their words")
