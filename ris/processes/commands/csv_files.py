"""Commands for CSV files: reference data in and out, and what a house brings along when it goes live."""

from pathlib import Path
from typing import BinaryIO

import click

from ris.base.csv_text import csv_text
from ris.base.uow import SYSTEM
from ris.imports import KINDS
from ris.imports.kind import Finding, Verdict
from ris.imports.reading import BadFile
from ris.imports.run import Order, Result, apply, look
from ris.processes.context import Start

_SHOWN = (Verdict.wrong, Verdict.undecided, Verdict.changed)
_KIND = click.Choice(list(KINDS))


@click.command("import-csv")
@click.argument("kind", type=_KIND)
@click.argument("file", type=click.File("rb"))
@click.option("--apply", "applies", is_flag=True, help="Take it in; without this nothing is changed.")
@click.option("--tell", is_flag=True, help="Tell partners and patients of it, as of what people do; without this nobody hears of it.")
@click.pass_obj
def import_csv(start: Start, kind: str, file: BinaryIO, applies: bool, tell: bool) -> None:
    """Say what FILE would change, with everything that is wrong in it by line. Ends with 1 when a line is wrong.

    With --apply the whole file is taken in, or nothing of it.
    """
    order = Order(KINDS[kind], SYSTEM, Path(file.name).name, tell)
    work = apply if applies else look
    try:
        result = work(start.open(), order, file, _say, lambda lines: click.echo(f"{lines} lines", err=True))
    except BadFile as error:
        raise click.ClickException(error.message) from error
    click.echo(said(result, applies=applies))
    if not result.is_right:
        raise SystemExit(1)


@click.command("export-csv")
@click.argument("kind", type=click.Choice([name for name, kind in KINDS.items() if kind.export]))
@click.pass_obj
def export_csv(start: Start, kind: str) -> None:
    """Write what is here, as a file that can be taken in again."""
    wanted = KINDS[kind]
    click.echo(csv_text([wanted.column_names]), nl=False)
    with start.open().read() as session:
        for row in wanted.export(session) if wanted.export else ():
            click.echo(csv_text([row]), nl=False)


@click.command("columns-csv")
@click.argument("kind", type=_KIND)
def columns_csv(kind: str) -> None:
    """Say which columns a file has, and what is written into each."""
    for column in KINDS[kind].columns:
        must = " (needed)" if column.required else ""
        click.echo(f"{column.name}{must}: {column.told}{f'. {column.help}' if column.help else ''}")


def said(result: Result, *, applies: bool) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in result.became.items()) or "nothing in it"
    if not result.is_right:
        return f"{result.lines} lines: {counts}; nothing is taken in while a line is wrong"
    if result.applied:
        return f"{result.lines} lines: {counts}; it is taken in"
    return f"{result.lines} lines: {counts}; nothing is changed yet{'' if applies else ': --apply takes it in'}"


def _say(finding: Finding) -> None:
    if finding.verdict not in _SHOWN:
        return
    where = f"line {finding.line}{f', {finding.column}' if finding.column else ''}"
    if finding.verdict is Verdict.changed:
        changes = "; ".join(f"{name} {finding.before[name] or '(empty)'} -> {text or '(empty)'}" for name, text in finding.after.items())
        click.echo(f"{where}: {finding.about}: {changes}")
    else:
        click.echo(f"{where}: {finding.what}: {finding.fix}")
