"""Puts the simulated peers on the command line: `simulate` an EHR, `send` files, `receive` whatever comes."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from time import time
from types import FrameType

import click

from ris.simulator import er7
from ris.simulator.ehr import Ehr
from ris.simulator.ledger import ACCEPTED, Ledger, Summary
from ris.simulator.mllp import Arrival, Client, NoAnswer, Receiver


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the RIS listens.")
@click.option("--port", default=2575, show_default=True, help="The port on which the RIS takes orders.")
@click.option("--listen-port", default=2576, show_default=True, help="The port on which the EHR takes results; 0 for any.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), default=12.0, show_default=True, help="Messages a minute.")
@click.option("--seconds", type=click.FloatRange(0), default=0.0, help="End after so long; 0 is until Ctrl-C or SIGTERM.")
@click.option("--patients", type=click.IntRange(1), default=50, show_default=True, help="Most patients to register.")
@click.option("--orders", type=click.IntRange(0), default=0, help="End as soon as so many orders are placed; 0 is without limit.")
@click.option("--seed", type=int, help="The same seed gives the same people and steps; from the clock when not given.")
@click.option("--ledger", type=click.Path(dir_okay=False), help="Keep the account in this file, and carry on from it.")
@click.option("--codes", default="", help="Procedure codes to order, separated by commas, instead of the built-in dozen.")
@click.option("--quiet", is_flag=True, help="Print the summary only.")
@click.pass_context
def simulate(
    context: click.Context,
    host: str,
    port: int,
    listen_port: int,
    rate: float,
    seconds: float,
    patients: int,
    orders: int,
    seed: int | None,
    ledger: str | None,
    codes: str,
    quiet: bool,
) -> None:
    """Play an EHR that sends patients and orders and takes results, and compare the two at the end."""
    account = Ledger(ledger)
    receiver = Receiver(port=listen_port)
    say = _unheard if quiet else click.echo
    seed = int(time()) if seed is None else seed
    chosen = [code.strip() for code in codes.split(",") if code.strip()]
    ehr = Ehr(host, port, receiver, account, rate, seed, patients=patients, codes=chosen, say=say)
    with _stopping(ehr.stop), _listening(receiver):
        say(f"EHR with seed {seed}: orders to {host}:{port}, results on port {receiver.port}")
        with ThreadPoolExecutor(1) as worker:
            worker.submit(ehr.run, seconds=seconds, orders=orders).result()
    _print_summary(account.summary())
    problems = account.problems()
    for problem in problems:
        click.echo(f"MISMATCH: {problem}")
    context.exit(1 if problems else 0)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=2575, show_default=True)
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait for each answer.")
@click.option("--verbose", is_flag=True, help="Print each answer whole.")
@click.pass_context
def send(context: click.Context, files: tuple[Path, ...], host: str, port: int, timeout: float, verbose: bool) -> None:
    """Send each message of each file over MLLP and print the answers."""
    client = Client(host, port, timeout)
    accepted = [_send_file(client, path, verbose=verbose) for path in files]
    client.close()
    context.exit(0 if all(accepted) else 1)


@click.command()
@click.option("--port", default=2576, show_default=True, help="0 for any.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--answer", type=click.Choice(["AA", "AE", "AR", "none", "late"]), default="AA", show_default=True)
@click.option("--late-seconds", default=10.0, show_default=True, help="How long a late answer takes.")
def receive(port: int, host: str, answer: str, late_seconds: float) -> None:
    """Listen for MLLP messages and print what arrives, one segment a line, until Ctrl-C or SIGTERM."""
    stopped: SimpleQueue[None] = SimpleQueue()
    receiver = Receiver(host, port, answer, late_seconds, on_arrival=_print_arrival)
    # A queue and not an Event: a handler must not take a lock that the interrupted code may hold.
    with _stopping(lambda: stopped.put(None)), _listening(receiver):
        click.echo(f"listening on {host}:{receiver.port}, answering {answer}")
        stopped.get()
    click.echo(f"{len(receiver.arrivals)} messages received")


def _unheard(line: str) -> None:
    """Takes the place of printing when nothing is to be printed."""


@contextmanager
def _stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` on SIGINT and SIGTERM, and puts the former handlers back."""

    def handle(number: int, frame: FrameType | None) -> None:
        stop()

    former = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def _listening(receiver: Receiver) -> Iterator[None]:
    try:
        receiver.start()
    except OSError as error:
        raise click.ClickException(f"cannot listen on {receiver.host}:{receiver.port}: {error}") from error
    try:
        yield
    finally:
        receiver.stop()


def _print_summary(summary: Summary) -> None:
    for name, count in asdict(summary).items():
        click.echo(f"{name.replace('_', ' '):<18}{count:>8}")


def _send_file(client: Client, path: Path, *, verbose: bool) -> bool:
    """Whether every message of the file was accepted."""
    messages = er7.messages_in(path.read_bytes())
    if not messages:
        click.echo(f"{path}: no HL7 message in this file")
        return False
    accepted = [_send_message(client, path, message, verbose=verbose) for message in messages]
    return all(accepted)


def _send_message(client: Client, path: Path, message: bytes, *, verbose: bool) -> bool:
    label = f"{path}: {er7.control_id(message) or '(no control id)'} {er7.kind(message)}"
    try:
        answer = er7.read(client.send(message))
    except NoAnswer as error:
        click.echo(f"{label}: {error}")
        return False
    code, text = er7.answer_in(answer)
    is_ours = er7.field(answer, "MSA", 2) == er7.control_id(message)
    stray = "" if is_ours else f" (in answer to {er7.field(answer, 'MSA', 2) or 'nothing'})"
    click.echo(f"{label}: {code or 'no MSA'} {text}".rstrip() + stray)
    if verbose:
        click.echo("\n".join(er7.lines(answer)))
    return is_ours and code in ACCEPTED


def _print_arrival(arrival: Arrival) -> None:
    segments = er7.lines(er7.read(arrival.payload)) or [er7.decode(arrival.payload)]
    heading = f"{arrival.at:%H:%M:%S} connection {arrival.connection}, {len(arrival.payload)} bytes"
    click.echo("\n".join([heading, *segments, ""]))
