"""Saving reference data: added, changed, taken back; each change is in the trail with what was before."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from ris.base.errors import Conflict, Duplicate, NotFound, Stale
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import CHANGED_MEANWHILE, Event, UnitOfWork, service
from ris.catalog.records.field import Known
from ris.catalog.records.history import history
from ris.catalog.records.record import Record


@service
def add(uow: UnitOfWork, record: Record, texts: Mapping[str, str]) -> Any:
    """A new row; a field that is not named has its default. Raises Rejected, and Duplicate where its key is another one's."""
    known = Known(uow.session)
    values = record.values(known, record.defaults() | dict(texts))
    key = record.key_of(values)
    if key in record.matching(uow.session, key[:1]):
        raise Duplicate(f"this {record.one} is there already: search for {' '.join(texts.get(name, '') for name in record.key)}")
    row = insert(uow, known, record, values)
    uow.session.flush()
    return row


@service
def change(uow: UnitOfWork, record: Record, row_id: int, texts: Mapping[str, str], *, row_version: int | None = None) -> Any:
    """A field that is not named stays, and so does its key. Raises Rejected, NotFound, and Stale when somebody else was faster."""
    row = _row(uow, record, row_id)
    if row_version is not None and row.row_version != row_version:
        raise Stale(CHANGED_MEANWHILE)
    known = Known(uow.session)
    texts = {name: text for name, text in texts.items() if name not in record.key}
    update(uow, known, record, row, record.values(known, record.texts(known, row) | texts))
    return row


@service
def undo(uow: UnitOfWork, record: Record, row_id: int, *, row_version: int) -> Any:
    """Gives back what the last change took away; undoing twice brings the change again.

    Raises Stale when somebody was faster, Conflict where nothing was changed yet.
    """
    last = next(iter(history(uow.session, record, row_id)), None)
    if last is None or not last.before:
        raise Conflict("nothing was changed since it was added: there is nothing to take back")
    return change(uow, record, row_id, last.before, row_version=row_version)


def insert(uow: UnitOfWork, known: Known, record: Record, values: Mapping[str, Any]) -> Any:
    """For who adds many; the key was looked for, and the caller flushes."""
    row = uow.add(record.model(id=new_id(), **values))
    facts = {"before": {}, "after": record.texts(known, row)}
    uow.emit(Event(f"catalog.{record.name}_added", Ref(record.name, row.id), facts=facts))
    return row


def update(uow: UnitOfWork, known: Known, record: Record, row: Any, values: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """What was before and what is now, of the fields that changed; both empty where none did."""
    old = record.texts(known, row)
    changed = {attribute: value for attribute, value in values.items() if getattr(row, attribute) != value}
    if not changed:
        return {}, {}
    uow.touch()
    for attribute, value in changed.items():
        setattr(row, attribute, value)
    new = record.texts(known, row)
    names = [name for name in new if new[name] != old[name]]
    before, after = ({name: texts[name] for name in names} for texts in (old, new))
    uow.emit(Event(f"catalog.{record.name}_changed", Ref(record.name, row.id), facts={"before": before, "after": after}))
    return before, after


def _row(uow: UnitOfWork, record: Record, row_id: int) -> Any:
    found = uow.session.scalars(
        sa.select(record.model).where(record.model.id == row_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound(f"there is no such {record.one}")
    return found
