"""Commands that run for long: the supervisor, and each process by itself."""

from datetime import UTC, datetime

import click

from ris.processes.context import Start, log_to_stderr

# Each command loads its own process only: the listener need not know the browser's pages, nor the web server the scheduler.


@click.command()
@click.option("--no-simulator", is_flag=True, help="In demo mode: no simulated EHR.")
@click.pass_obj
def run(start: Start, no_simulator: bool) -> None:
    """Start everything on this machine: web, listener, sender and jobs; in demo mode a hospital and an EHR as well."""
    from ris.processes.run import supervise  # noqa: PLC0415

    log_to_stderr()
    raise SystemExit(supervise(start, with_simulator=not no_simulator))


@click.command()
@click.pass_obj
def web(start: Start) -> None:
    """Serve the browser's pages."""
    from ris.processes.web import serve  # noqa: PLC0415

    log_to_stderr()
    serve(start.open())


@click.command()
@click.pass_obj
def listener(start: Start) -> None:
    """Take HL7 messages over MLLP."""
    from ris.processes.listener import run as listen  # noqa: PLC0415

    log_to_stderr()
    listen(start.ready_settings())


@click.command()
@click.pass_obj
def sender(start: Start) -> None:
    """Send what partners have subscribed to."""
    from ris.processes.sender import run as send_on  # noqa: PLC0415

    log_to_stderr()
    send_on(start.ready_settings())


@click.group(invoke_without_command=True)
@click.pass_context
def jobs(context: click.Context) -> None:
    """Run what is due by the clock, until SIGTERM."""
    if context.invoked_subcommand is None:
        from ris.processes.jobs import run_forever  # noqa: PLC0415

        log_to_stderr()
        run_forever(context.obj.open())


@jobs.command("run")
@click.argument("name")
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="Business date of a nightly job; today's without it.")
@click.option("--again", is_flag=True, help="Although it is done: a lost file is written again, just as it was.")
@click.pass_obj
def run_job(start: Start, name: str, date: datetime | None, again: bool) -> None:
    """Run one job now; one that is done for its date is not done again."""
    from ris.processes.jobs import JOBS, run_by_hand  # noqa: PLC0415

    if name not in JOBS:
        raise click.BadParameter(f"there is no such job; there are {', '.join(JOBS)}", param_hint="NAME")
    log_to_stderr()
    ris = start.open()
    day = date.date() if date else datetime.now(UTC).date()
    click.echo(run_by_hand(ris, name, day, again=again))
