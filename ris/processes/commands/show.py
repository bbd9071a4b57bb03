"""Commands that only look: what the program consists of, and whether the machine is fit for it."""

import click

from ris.processes.context import Start


@click.command()
def routes() -> None:
    """Print the tables: message readers, outbound builders, worklists, pages, exports, jobs, reactions."""
    from ris.processes.routes import tables  # noqa: PLC0415 (loads the whole program)

    for title, names in tables():
        click.echo(f"\n{title}")
        for name in names:
            click.echo(f"  {name}")


@click.command()
@click.pass_obj
def doctor(start: Start) -> None:
    """Look at the configuration, the database and the machine; says what to do for each fault."""
    from ris.processes.doctor import examine  # noqa: PLC0415 (loads the database driver)

    findings = examine(start.settings)
    for finding in findings:
        click.echo(f"{'ok   ' if finding.well else 'FAULT'} {finding.what}{'' if finding.well else ': ' + finding.advice}")
    raise SystemExit(0 if all(f.well for f in findings) else 1)
