"""How a command changes something: one unit of work, and a refusal as the sentence that it is."""

from collections.abc import Callable

import click

from ris.base.errors import RisError
from ris.base.uow import UnitOfWork
from ris.processes.context import Start


def change(start: Start, work: Callable[[UnitOfWork], object]) -> None:
    """Does the work and commits it. Raises ClickException with what a service refuses."""
    try:
        with start.open().uow() as uow:
            work(uow)
    except RisError as error:
        raise click.ClickException(error.message) from error
