"""What an operator types: one group of commands, each topic in its own module."""

from pathlib import Path

import click

from ris.processes.commands.audit import audit
from ris.processes.commands.csv_files import columns_csv, export_csv, import_csv
from ris.processes.commands.database import db
from ris.processes.commands.destination import destination
from ris.processes.commands.downtime import downtime_packet
from ris.processes.commands.import_file import import_file
from ris.processes.commands.message import message
from ris.processes.commands.partner import partner
from ris.processes.commands.search import search
from ris.processes.commands.serve import jobs, listener, run, sender, web
from ris.processes.commands.show import doctor, routes
from ris.processes.commands.user import site, user
from ris.processes.context import DEMO_FILE, Start


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="RIS_CONFIG",
    help="Settings file; config/demo.toml when there is none.",
)
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """A radiology information system: orders in, exams planned and done, reports signed, charges out."""
    context.obj = start = Start(config or (DEMO_FILE if DEMO_FILE.exists() else None))
    context.call_on_close(start.close)


COMMANDS = (
    run, web, listener, sender, jobs, db, site, user, partner, destination, downtime_packet, import_file, import_csv, export_csv,
    columns_csv, message, search, routes, audit, doctor,
)  # fmt: skip
for command in COMMANDS:
    main.add_command(command)
