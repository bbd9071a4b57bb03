"""Reactions to messages: the task about one that was set aside ends when a replay of it was applied, or it is let in again."""

from ris.base.uow import Event, UnitOfWork
from ris.task import service


def settle_replayed(uow: UnitOfWork, event: Event) -> None:
    """To hang on `message.replayed`."""
    if event.facts["state"] != "refused":
        service.settle(uow, "message_quarantined", event.about)


def settle_let_in(uow: UnitOfWork, event: Event) -> None:
    """To hang on `message.let_in`."""
    service.settle(uow, "message_quarantined", event.about)
