"""Writing the audit trail: one entry per event by itself, Read and Query entries for looking."""

from typing import Any

from ris.audit.model import Action, AuditEntry, Outcome
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork

_CREATING = ("placed", "registered", "booked", "captured", "added", "seeded", "opened")


def record_event(uow: UnitOfWork, event: Event) -> None:
    """The hook that gives every event its entry, in the same transaction."""
    verb = event.name.rpartition(".")[2]
    entry(
        uow,
        Action.create if verb in _CREATING else Action.update,
        event.name,
        event.about,
        patient_id=event.patient_id,
        procedure_id=event.procedure_id,
        site_id=event.site_id,
        detail=dict(event.facts),
    )


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
