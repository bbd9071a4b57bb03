"""Commands for messages that were set aside."""

import click

from ris.base.errors import Forbidden, RisError
from ris.base.uow import Actor
from ris.bootstrap import Ris
from ris.journal import service as journal
from ris.processes.context import Start
from ris.staff import service as staff
from ris.staff.permission import Permission
from ris.staff.queries import rights_of

PLACE = "command line"


@click.group()
def message() -> None:
    """Messages that stopped the program and were set aside."""


@message.command("let-in")
@click.argument("message_id", type=int)
@click.option("--login", prompt=True, help="Whose right it is; the trail names that person.")
@click.option("--password", prompt=True, hide_input=True)
@click.pass_obj
def let_in(start: Start, message_id: int, login: str, password: str) -> None:
    """Take a message again when its sender sends it, after the program has been repaired."""
    ris = start.open()
    try:
        with ris.uow(_person(ris, login, password)) as uow:
            journal.let_in(uow, message_id)
    except RisError as error:
        raise click.ClickException(error.message) from error
    click.echo(f"message {message_id} is taken when it comes again")


def _person(ris: Ris, login: str, password: str) -> Actor:
    """Who types; raises Forbidden for a wrong password, during the pause after several, and without the right."""
    with ris.uow() as uow:
        known = staff.log_in(uow, login=login, password=password, place=PLACE)
        actor = uow.actor
    if known.user_id is None:
        raise Forbidden("login or password is wrong, or it was tried too often: wait a minute")
    with ris.read() as session:
        if not rights_of(session, known.user_id).may_anywhere(Permission.INTERFACE_MANAGE):
            raise Forbidden(f"{login} has not the right {Permission.INTERFACE_MANAGE.value}")
    return actor
