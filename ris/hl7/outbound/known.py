"""What builders look at: rows by key, fetched for a whole group of messages with one query a table."""

import inspect
from collections import defaultdict, namedtuple
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from ris.base.prepared import Prepared, is_among
from ris.billing.model import Charge
from ris.catalog.model import Procedure, Resource, Room, Site
from ris.exam.model import PerformedProcedureStep
from ris.order.model import Order, RequestedProcedure
from ris.outbox.model import Delivery, StoredEvent
from ris.patient.model import Patient, PatientIdentifier, Visit
from ris.report.model import ReportProcedure, ReportVersion
from ris.scheduling.model import ScheduledProcedureStep
from ris.settings import Settings
from ris.staff.model import User

Row = TypeVar("Row")
Column = InstrumentedAttribute[Any]

_LEADS: Mapping[type[Any], tuple[tuple[Column, str], ...]] = {
    Order: (
        (RequestedProcedure.order_id, "id"),
        (Patient.id, "patient_id"),
        (Visit.id, "visit_id"),
        (Site.id, "site_id"),
    ),
    RequestedProcedure: (
        (Procedure.id, "procedure_id"),
        (Site.id, "site_id"),
        (PerformedProcedureStep.procedure_id, "id"),
        (ScheduledProcedureStep.procedure_id, "id"),
        (Charge.procedure_id, "id"),
        (ReportProcedure.procedure_id, "id"),
        (StoredEvent.procedure_id, "id"),
    ),
    StoredEvent: ((Delivery.event_id, "id"),),
    Patient: ((PatientIdentifier.patient_id, "id"), (Patient.id, "merged_into_id")),
    ReportVersion: ((ReportProcedure.report_id, "report_id"), (User.id, "signer_id")),
    ReportProcedure: ((RequestedProcedure.id, "procedure_id"),),
    PerformedProcedureStep: ((User.id, "technologist_id"),),
    ScheduledProcedureStep: ((Room.id, "room_id"),),
    Room: ((Site.id, "site_id"),),
}
"""What the rows of a table will be asked for next: column and the attribute that holds its key."""

_FACTS: Mapping[str, Column] = {
    "version_id": ReportVersion.id, "survivor_id": Patient.id, "loser_id": Patient.id, "other_order_id": Order.id,
}  # fmt: skip
_ABOUT: Mapping[str, Column] = {"step": ScheduledProcedureStep.id, "charge": Charge.id, "patient": Patient.id}


class Known:
    """Frozen rows as they were when first asked for. Whoever asks for one of a group's rows gets all of its kind fetched."""

    def __init__(self, session: Session, events: Iterable[StoredEvent] = ()) -> None:
        self._session = session
        self._found: dict[Column, dict[Any, list[Any]]] = defaultdict(dict)
        self._expected: dict[Column, set[Any]] = defaultdict(set)
        for event in events:
            self._expect_of(event)

    @property
    def settings(self) -> Settings:
        """Of the program whose session it is."""
        settings: Settings = self._session.info["settings"]
        return settings

    def one(self, model: type[Row], key: int | None) -> Row | None:
        """The row with this primary key."""
        if key is None:
            return None
        rows = self.all(model, model.id, key)  # type: ignore[attr-defined]  # every table that is asked has the key id
        return rows[0] if rows else None

    def need(self, model: type[Row], key: int) -> Row:
        """As `one`. Raises LookupError when there is none."""
        row = self.one(model, key)
        if row is None:
            raise LookupError(f"{model.__name__} {key} does not exist")
        return row

    def all(self, model: type[Row], column: Column, key: Any) -> list[Row]:
        """The rows with this value in the column, the oldest first."""
        found = self._found[column]
        if key not in found:
            self._fetch(model, column, {key, *self._expected.pop(column, ())} - found.keys())
        return found[key]

    def _fetch(self, model: type[Any], column: Column, keys: set[Any]) -> None:
        found = self._found[column]
        for key in keys:
            found[key] = []
        for row in map(_maker(column), _query(column).rows(self._session.connection(), keys=keys)):
            found[getattr(row, column.key)].append(row)
            for following, attribute in _LEADS.get(model, ()):
                self._expect(following, getattr(row, attribute))

    def _expect_of(self, event: StoredEvent) -> None:
        self._expect(Order.id, event.order_id)
        for name, column in _FACTS.items():
            self._expect(column, event.facts.get(name))
        for key in event.facts.get("resource_ids", ()):
            self._expect(Resource.id, key)
        if event.object_kind in _ABOUT:
            self._expect(_ABOUT[event.object_kind], event.object_id)

    def _expect(self, column: Column, key: object) -> None:
        if isinstance(key, int):
            self._expected[column].add(key)


@cache
def _query(column: Column) -> Prepared:
    model, columns = column.class_, sa.inspect(column.class_).column_attrs
    query = sa.select(*(attribute.columns[0] for attribute in columns)).where(is_among(column, "keys"))
    return Prepared(query.order_by(*sa.inspect(model).primary_key))


@cache
def _maker(column: Column) -> Callable[[Iterable[Any]], Any]:
    """Makes of a row what reads like an object of its model and leads nowhere else; the ORM takes three times as long for one."""
    model: Any = column.class_
    names = [attribute.key for attribute in sa.inspect(model).column_attrs]
    derived = dict(inspect.getmembers(model, lambda member: isinstance(member, property)))
    made: Any = type(model.__name__, (namedtuple(model.__name__, names),), {"__slots__": (), **derived})
    make: Callable[[Iterable[Any]], Any] = made._make
    return make
