"""What every process has at hand: its settings, units of work to change things, sessions to read."""

from sqlalchemy.orm import Session

from ris.base.clock import Clock, utc_now
from ris.base.committed import Committed
from ris.base.database import make_engine, make_sessions, read_session
from ris.base.uow import SYSTEM, Actor, Hook, UnitOfWork
from ris.settings import Settings


class Program:
    """One per process, opened after any fork. The composition root gives it its hooks; edges are handed it."""

    hooks: tuple[Hook, ...] = ()

    def __init__(self, settings: Settings, *, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.clock = clock
        self.engine = make_engine(settings.database_url, settings.database.key.get_secret_value() or None)
        self.sessions = make_sessions(self.engine)
        self.committed = Committed(self.engine)

    def uow(self, actor: Actor = SYSTEM) -> UnitOfWork:
        """A unit of work to be used with `with`; services find the settings in `session.info["settings"]`."""
        session = self.sessions()
        session.info["settings"] = self.settings
        return UnitOfWork(session, actor, clock=self.clock, hooks=self.hooks)

    def read(self) -> Session:
        """A session for queries only, to be used with `with`; queries find the settings as services do."""
        session = read_session(self.sessions)
        session.info["settings"] = self.settings
        return session

    def close(self) -> None:
        self.committed.close()
        self.engine.dispose()
