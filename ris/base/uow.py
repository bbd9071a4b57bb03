"""One unit of work: a session, who acts, what has happened; only an edge commits it.

A service emits events while it works. When the outermost service returns, each event is handed to the hooks that the
composition root hung here: reactions (which may call services and so emit more), the outbox, the audit.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute
from sqlalchemy.orm.exc import StaleDataError

from ris.base import sequence
from ris.base.clock import Clock, utc_now
from ris.base.database import is_postgresql
from ris.base.errors import Stale, Unavailable
from ris.base.prepared import Look, Prepared, is_among, look
from ris.base.ref import Ref
from ris.base.session import RowSession

P = ParamSpec("P")
R = TypeVar("R")
Row = TypeVar("Row", bound=DeclarativeBase)


CHANGED_MEANWHILE = "somebody else has changed this in the meantime: load it again"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it: a person at an address, a patient at a tablet, a partner behind a connection, or the program itself."""

    kind: str
    """user, tablet, partner or system."""
    id: int
    name: str
    place: str = ""
    """Network address or process."""


SYSTEM = Actor("system", 0, "RIS")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened: `name` is `<floor>.<past participle>`, `about` the thing that it happened to.

    `facts` name the immutable version and the state that the event reports, in values that JSON holds.
    """

    name: str
    about: Ref
    patient_id: int | None = None
    order_id: int | None = None
    procedure_id: int | None = None
    site_id: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


Hook = Callable[["UnitOfWork", Event], None]


class UnitOfWork:
    """Everything that one message group, request or job changes, in one transaction.

    Used as a context manager: leaving it well commits, an exception rolls back. `now` stands still inside.
    """

    def __init__(self, session: RowSession, actor: Actor, *, clock: Clock = utc_now, hooks: Sequence[Hook] = ()) -> None:
        self.session = session
        self.actor = actor
        self.clock = clock
        self.now = clock()
        self.message_id: int | None = None
        """The journal's row of the message that is being applied, for the trail."""
        self.is_quiet = False
        """Whether nobody outside hears of what it does: neither partners nor patients."""
        self.changes = 0
        """Rises with every change: a refusal after it may no longer be answered alone."""
        self._hooks = tuple(hooks)
        self._events: list[Event] = []
        self._depth = 0
        self._draining = False
        self._numbers: dict[str, list[int]] = defaultdict(list)
        self._found: dict[tuple[Any, Hashable], Any] = {}
        self._after_commit: list[Callable[[], None]] = []

    # ── changes ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, row: Row) -> Row:
        self.changes += 1
        self.session.add(row)
        return row

    def touch(self) -> None:
        """Says that a loaded row is about to be changed."""
        self.changes += 1

    def create(self, model: type[Row], **values: Any) -> Row:
        """As `add(Model(...))`, for a kind of row that comes by the thousand: see `RowSession.create`."""
        self.changes += 1
        return self.session.create(model, values)

    def append(self, table: type[Any], values: dict[str, Any]) -> None:
        """Collects a row of an append-only table; all rows of a table go in with one statement at the flush."""
        self.session.append(table, values)

    def emit(self, event: Event) -> None:
        self.changes += 1
        self._events.append(event)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Something that others may know only once it is true: a wake-up, a counter."""
        self._after_commit.append(action)

    def number(self, name: str) -> int:
        """The next number of a sequence of `ris.base.sequence`."""
        if not self._numbers[name]:
            self.reserve(1, name)
        return self._numbers[name].pop()

    def reserve(self, count: int, *names: str) -> None:
        """Fetches `count` numbers of each of the sequences at once."""
        if count:
            for name, numbers in sequence.take(self.session, names, count).items():
                self._numbers[name] = numbers[::-1] + self._numbers[name]

    # ── look-ups ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def load(self, wanted: Mapping[InstrumentedAttribute[Any], Collection[str]], *beside: Look[Any]) -> list[Any]:
        """Fetches the rows with these keys for `find`, and remembers also what is not there; returns what is asked beside.

        One statement asks all tables which of the keys they hold, so that a table is read only when it holds one.
        """
        columns = tuple(wanted)
        keys = {f"keys_{position}": wanted[column] for position, column in enumerate(columns)}
        held, *answers = look(self.session.connection(), [Look(_which_are_held(columns), list, **keys), *beside])
        for position, column in enumerate(columns):
            self._found.update(dict.fromkeys(((column, key) for key in wanted[column]), None))
            self.load_rows(column, [key for table, key in held if table == position])
        return answers

    def load_rows(self, column: InstrumentedAttribute[Any], keys: Collection[Hashable]) -> None:
        """Fetches the rows whose `column` is among `keys`, all of which are known to be there."""
        if keys:
            for row in self.session.scalars(sa.select(column.class_).where(column.in_(keys))):
                self._found[column, getattr(row, column.key)] = row

    def find(self, column: InstrumentedAttribute[Any], key: Hashable) -> Any | None:
        """The row with that key, from what was loaded or put before, else from the database; None when there is none."""
        if (column, key) not in self._found:
            self._found[column, key] = self.session.scalars(sa.select(column.class_).where(column == key)).one_or_none()
        return self._found[column, key]

    def put(self, column: InstrumentedAttribute[Any], key: Hashable, row: Any) -> None:
        """Makes a new row known to `find` before it is flushed."""
        self._found[column, key] = row

    def get(self, model: type[Row], key: int) -> Row | None:
        return self.session.get(model, key)

    def lock(self, *keys: str) -> None:
        """Waits until nobody else works on these patients, orders or messages; to be taken before what they guard is read.

        PostgreSQL: transaction-level advisory locks in sorted order, so that two who take theirs at once cannot wait for
        each other. SQLite has one writer at a time already.
        """
        if is_postgresql(self.session) and keys:
            _LOCK.rows(self.session.connection(), keys=keys)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def drain(self) -> None:
        """Hands every event that has been emitted to the hooks, those of the hooks themselves too."""
        if self._draining:
            return
        self._draining = True
        try:
            while self._events:
                event = self._events.pop(0)
                for hook in self._hooks:
                    hook(self, event)
        finally:
            self._draining = False

    def flush(self) -> None:
        """Lets every event take effect and writes all that is pending; raises Stale where somebody else was faster."""
        self._write(self.session.flush)

    def finish(self) -> None:
        """The flush before the commit: nothing is changed any more after it."""
        self._write(self.session.write)

    def commit(self) -> None:
        self.finish()
        self.session.commit()
        actions, self._after_commit = self._after_commit, []
        for action in actions:
            action()

    def see(self, kind: type[Any]) -> None:
        """Writes what is pending when something of this kind is, so that a query finds it: the session does not see to it by itself."""
        if any(isinstance(row, kind) for row in (*self.session.new, *self.session.deleted)):
            self.session.flush()

    def forget(self) -> None:
        """Writes what is pending and lets go of every row, so that a unit of work of many thousand rows holds few in memory."""
        self.flush()
        self.session.expunge_all()
        self._found.clear()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What fails inside leaves nothing behind, no rows and no events, and the unit of work goes on."""
        self.flush()
        inner = self.session.begin_nested()
        try:
            yield
            self.flush()
        except BaseException:
            self._events.clear()
            self._found.clear()
            self.session.discard()
            inner.rollback()
            raise
        inner.commit()

    def _write(self, how: Callable[[], object]) -> None:
        self.drain()
        try:
            how()
        except StaleDataError as error:
            raise Stale(CHANGED_MEANWHILE) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                self.commit()
            else:
                self.session.rollback()
                if isinstance(error, StaleDataError):
                    raise Stale(CHANGED_MEANWHILE) from error
        except BaseException:
            self.session.rollback()
            raise
        finally:
            self.session.close()


_LOCK = Prepared(
    sa.text(
        "SELECT pg_advisory_xact_lock(key) FROM "
        "(SELECT DISTINCT hashtextextended(name, 0) AS key FROM unnest(CAST(:keys AS text[])) AS name ORDER BY key) AS sorted"
    )
    .bindparams(sa.bindparam("keys", type_=sa.ARRAY(sa.Text)))
    .columns(sa.column("pg_advisory_xact_lock", sa.Text))
)


@functools.cache
def _which_are_held(columns: tuple[InstrumentedAttribute[str], ...]) -> Prepared:
    """Position of the column and key, for every key of `keys_<position>` that the column holds."""
    return Prepared(
        sa.union_all(
            *(
                sa.select(sa.literal_column(str(position), sa.Integer).label("position"), column.label("key")).where(
                    is_among(column, f"keys_{position}")
                )
                for position, column in enumerate(columns)
            )
        )
    )


def service(function: Callable[Concatenate[UnitOfWork, P], R]) -> Callable[Concatenate[UnitOfWork, P], R]:
    """Marks what can be done from outside: when the outermost such function returns, its events take effect."""

    @functools.wraps(function)
    def wrapper(uow: UnitOfWork, /, *args: P.args, **kwargs: P.kwargs) -> R:
        uow._depth += 1
        try:
            result = function(uow, *args, **kwargs)
        finally:
            uow._depth -= 1
        if uow._depth == 0:
            uow.drain()
        return result

    return wrapper


RETRIED = ("40001", "40P01")
"""Serialisation failure and deadlock: the whole unit of work may run again. A lost connection is never retried."""


def is_passing(error: exc.DBAPIError) -> bool:
    """Whether the database only asks that the whole unit of work runs again: others came between, or SQLite has another writer."""
    return getattr(error.orig, "sqlstate", None) in RETRIED or str(error.orig) == "database is locked"


def retrying(work: Callable[[], R], attempts: int = 4) -> R:
    """Runs a whole unit of work, again when the database asks for that; raises Unavailable when it is away or full."""
    for attempt in range(attempts):
        try:
            return work()
        except exc.OperationalError as error:
            state = getattr(error.orig, "sqlstate", None)
            if state in RETRIED and attempt + 1 < attempts:
                continue
            raise Unavailable("the database is not available: try again") from error
    raise AssertionError("unreachable")
