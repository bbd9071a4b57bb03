"""The command that writes a downtime packet at once."""

import sys

import click

from ris.processes.context import Start


@click.command("downtime-packet")
@click.pass_obj
def downtime_packet(start: Start) -> None:
    """Write the lists and forms that a site works with while the program is away; a job does it every hour."""
    from ris.exports import downtime  # noqa: PLC0415 (loads what draws PDF files)

    try:
        click.echo(downtime.write(start.open()))
    except OSError as error:
        click.echo(f"it could not be written, and the last one is kept: {error.strerror}: {error.filename or ''}", err=True)
        sys.exit(1)
