"""The command that takes in a file of messages."""

import sys
from pathlib import Path

import click

from ris.hl7 import batch
from ris.hl7.intake import Intake
from ris.processes.context import Start
from ris.processes.inbox import listed


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def import_file(start: Start, file: Path) -> None:
    """Take in FILE: one message, several, or a batch in FHS and BHS. Ends with 1 when one of them was refused.

    Each is answered and journalled as if it had come by a connection; a message that was applied before is not applied again.
    """
    content = file.read_bytes()
    answers = list(batch.take(Intake(start.open()), content, f"file {file.name}"))
    click.echo("".join(f"{line}\n" for line in listed(answers)), nl=False)
    refused = sum(answer.is_refused for answer in answers)
    click.echo(f"{len(answers)} messages, {refused} refused", err=True)
    announced = batch.announced(content)
    if announced is not None and announced != len(answers):
        click.echo(f"the batch says that it holds {announced}", err=True)
        sys.exit(1)
    if refused or not answers:
        sys.exit(1)
