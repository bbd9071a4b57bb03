"""Writing the audit trail: one entry per event by itself, Read and Query entries for looking."""

import functools
from typing import Any

from ris.audit.model import Action, AuditEntry, Outcome
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork

_CREATING = ("placed", "registered", "booked", "captured", "added", "seeded", "opened")
"""Last words of events that bring something into being."""
_REFUSING = ("questionnaire.code_refused", "staff.login_refused", "staff.password_refused")
_EXECUTING = ("staff.logged_in", "staff.logged_out", *_REFUSING)
"""Acts that change nothing that is kept."""


def record_event(uow: UnitOfWork, event: Event) -> None:
    """The hook that gives every event its entry, in the same transaction."""
    entry(
        uow,
        _action(event.name),
        event.name,
        event.about,
        patient_id=event.patient_id,
        procedure_id=event.procedure_id,
        site_id=event.site_id,
        outcome=Outcome.refused if event.name in _REFUSING else Outcome.success,
        detail=dict(event.facts),
    )


@functools.cache
def _action(name: str) -> Action:
    if name in _EXECUTING:
        return Action.execute
    return Action.create if name.replace("_", ".").rpartition(".")[2] in _CREATING else Action.update


def entry(
    uow: UnitOfWork,
    action: Action,
    what: str,
    about: Ref,
    *,
    patient_id: int | None = None,
    procedure_id: int | None = None,
    site_id: int | None = None,
    outcome: Outcome = Outcome.success,
    detail: dict[str, Any] | None = None,
) -> None:
    uow.append(
        AuditEntry,
        {
            "id": new_id(),
            "at": uow.now,
            "actor_kind": uow.actor.kind,
            "actor_id": uow.actor.id,
            "actor_name": uow.actor.name,
            "place": uow.actor.place,
            "action": action,
            "what": what,
            "object_kind": about.kind,
            "object_id": about.id,
            "patient_id": patient_id,
            "procedure_id": procedure_id,
            "site_id": site_id,
            "message_id": uow.message_id,
            "outcome": outcome,
            "detail": detail or {},
        },
    )
