"""Composition root: settings become the engine, the sessions, and units of work with their hooks."""

from sqlalchemy.orm import Session

from ris.audit import model as audit_model
from ris.audit.service import record_event as audit_event
from ris.base.clock import Clock, utc_now
from ris.base.database import make_engine, make_sessions, read_session
from ris.base.orm import Base
from ris.base.uow import SYSTEM, Actor, UnitOfWork
from ris.billing import model as billing_model
from ris.catalog import model as catalog_model
from ris.exam import model as exam_model
from ris.journal import model as journal_model
from ris.order import model as order_model
from ris.outbox import model as outbox_model
from ris.outbox.record import record_event as outbox_event
from ris.partner import model as partner_model
from ris.patient import model as patient_model
from ris.reactions import react
from ris.report import model as report_model
from ris.scheduling import model as scheduling_model
from ris.settings import Settings
from ris.staff import model as staff_model
from ris.task import model as task_model

MODELS = (
    audit_model, billing_model, catalog_model, exam_model, journal_model, order_model, outbox_model, partner_model, patient_model,
    report_model, scheduling_model, staff_model, task_model,
)  # fmt: skip
"""Every floor's tables: a foreign key may name a table only once its module is loaded."""

METADATA = Base.metadata

HOOKS = (audit_event, outbox_event, react)
"""In this order: what has happened is written before what follows from it."""


class Ris:
    """Everything that a process needs: one per process, opened after any fork."""

    def __init__(self, settings: Settings, *, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.clock = clock
        self.engine = make_engine(settings.database_url, settings.database.key.get_secret_value() or None)
        self.sessions = make_sessions(self.engine)

    def uow(self, actor: Actor = SYSTEM) -> UnitOfWork:
        """A unit of work to be used with `with`; its settings slice is in `session.info["settings"]`."""
        session = self.sessions()
        session.info["settings"] = self.settings
        return UnitOfWork(session, actor, clock=self.clock, hooks=HOOKS)

    def read(self) -> Session:
        """A session for queries only, to be used with `with`."""
        return read_session(self.sessions)

    def close(self) -> None:
        self.engine.dispose()
