"""Polls without news, answered before anything else is asked: a hundred people keep lists open, and mostly nothing has changed.

What a list shows is found once for all who look at it. A poll whose answer would be "nothing new", or what somebody of the very same
rights was told a moment ago, is given that answer by `Polls.answer`, as long as whoever asks is still logged in; every other one goes
the whole way through the pages.
"""

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from sqlalchemy.exc import SQLAlchemyError
from werkzeug.http import parse_cookie

from ris.base.echo import Echo, Question, answer
from ris.program import Program
from ris.staff import service as staff
from ris.staff.model import WebSession
from ris.staff.queries import Rights, rights_of_many, sessions_of
from ris.web.security import HEADERS
from ris.web.session import POLL_HEADER

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

QUIET_S = 10
"""While nothing on it is changed a list is found anew so often: minutes of waiting pass, holds run out."""
EACH_S = 1.0
BURST = 3
"""While others commit all the time a list is looked after once in so many seconds; after a silence so many times at once."""
RIGHTS_FOR = timedelta(minutes=2)
"""So long a poll is answered here without going the whole way through the pages, which alone know what a list is for."""
VERSION = "v"
FORGOTTEN_S = 60
"""After so long without being asked for, a list is not kept any more."""
EARLIER = 6
"""So many versions of a list are remembered: whoever has one of them open is told only the rows that are others by now."""

Rows = Mapping[str, str]
"""The rows of a list by their keys, each with its version."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a list shows, and the version that is another as soon as it shows something else."""

    version: str
    content: Any
    rows: Rows = field(default_factory=dict)
    """Of a list of rows."""
    earlier: Mapping[str, Rows] = field(default_factory=dict)
    """The rows of the versions before this one."""
    drawn: dict[Hashable, tuple[str, bytes]] = field(default_factory=dict)
    """What polls were answered with, each with its content type, by `seen_by`."""

    def seen_by(self, known: str, rights: Rights) -> Hashable:
        """What an answer depends on beside the content: the version that the page has, and what its person may do where."""
        return known if known in self.earlier else "", rights.whole

    def unchanged_since(self, version: str) -> frozenset[str]:
        """The keys of the rows that whoever has that version open need not be told again."""
        before = self.earlier.get(version, {})
        return frozenset(key for key, of_row in self.rows.items() if before.get(key) == of_row)


Find = Callable[[], Shown]


@dataclass(slots=True)
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    shown: Shown | None = None
    questions: list[Question] = field(default_factory=list)
    answer: bytes = b""
    """What the database answered to the questions by which it was found; empty where that is not known for certain."""
    mark: str = ""
    looked_at: float = 0.0
    found_at: float = 0.0
    found_on: datetime | None = None
    """By the clock of the program, which says how long somebody waits."""
    asked_at: float = 0.0
    allowed: float = BURST


@dataclass(frozen=True, slots=True)
class _Asker:
    """A session that polls an address, and how what it shows is found."""

    key: Hashable
    find: Find
    token_hash: str
    site_id: int | None
    since: datetime


@dataclass(frozen=True, slots=True)
class _Sessions:
    """Those of all who poll, as they were when the database was last asked."""

    mark: str = ""
    asked: frozenset[str] = frozenset()
    found: Mapping[str, WebSession] = field(default_factory=dict)
    rights: Mapping[int, Rights] = field(default_factory=dict)


class Polls:
    """One in each web process; `answer` stands before its application."""

    def __init__(self, program: Program, application: "WSGIApplication", cookie: str, *, ticks: Callable[[], float] = monotonic) -> None:
        web = program.settings.web
        self._program = program
        self._application = application
        self._cookie = cookie
        self._ticks = ticks
        self._idle, self._absolute = timedelta(minutes=web.idle_minutes), timedelta(hours=web.absolute_hours)
        self._kept: dict[Hashable, _Kept] = {}
        self._askers: dict[tuple[str, str], _Asker] = {}
        self._echo = Echo(program.engine)
        self._sessions = _Sessions()
        self._asking = threading.Lock()

    def answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """A poll without news (204), and one with news that were told to others of the same rights; everything else goes to the pages."""
        told = self._told(_token(environ, self._cookie), *asked_of(environ)) if _HEADER in environ else None
        if told is None:
            return self._application(environ, start_response)
        kind, body = told
        of_content = [("Content-Type", kind), ("Content-Length", str(len(body)))] if body else []
        start_response("200 OK" if body else "204 NO CONTENT", [*HEADERS.items(), ("Cache-Control", "no-store"), *of_content])
        return (body,) if body else ()

    def shown(self, key: Hashable, find: Find, *, anew: bool) -> Shown:
        """What the list of this key shows: in what is committed now (`anew`), or a moment ago where others have asked for it."""
        return self._shown(key, find, self._program.committed.mark(), anew=anew)

    def remember(self, token: str, address: str, key: Hashable, find: Find, session: WebSession) -> None:
        """A session that may has polled the address: the next time it need not go all the way, unless there is news."""
        now = self._program.clock()
        for old in [asked for asked, asker in list(self._askers.items()) if not _is_young(asker, now)]:
            self._askers.pop(old, None)
        self._askers[token, address] = _Asker(key, find, session.token_hash, session.site_id, now)

    def _shown(self, key: Hashable, find: Find, mark: str, *, anew: bool) -> Shown:
        kept = self._kept.get(key) or self._kept.setdefault(key, self._new())
        with kept.lock:
            now = kept.asked_at = self._ticks()
            if kept.shown is None or anew or _is_due(kept, mark, now):
                if kept.shown is None or self._is_old(kept, now) or not self._is_answered_as_before(kept):
                    kept.found_at, kept.found_on = now, self._program.clock()
                    kept.shown = self._found(kept, find, mark)
                kept.mark, kept.looked_at = mark, now
            return kept.shown

    def _is_old(self, kept: _Kept, now: float) -> bool:
        passed = abs(self._program.clock() - kept.found_on) if kept.found_on is not None else timedelta.max
        return now - kept.found_at > QUIET_S or passed > timedelta(seconds=QUIET_S)

    def _found(self, kept: _Kept, find: Find, mark: str) -> Shown:
        kept.answer = b""
        with self._echo.heard() as kept.questions:
            shown = find()
        answered = self._answer(kept.questions) if kept.questions else b""
        # What was committed between the finding and the asking is in the answer, but not in what was found.
        if self._program.committed.mark() == mark:
            kept.answer = answered
        return _after(kept.shown, shown)

    def _is_answered_as_before(self, kept: _Kept) -> bool:
        return kept.answer != b"" and self._answer(kept.questions) == kept.answer

    def _answer(self, questions: list[Question]) -> bytes:
        with self._program.read() as session:
            return answer(session, questions)

    def _told(self, token: str, address: str, known: str) -> tuple[str, bytes] | None:
        """Content type and body, which is empty where nothing is new; None: only the pages can answer."""
        asker = self._askers.get((token, address))
        if asker is None:
            return None
        mark = self._program.committed.mark()
        try:
            rights = self._rights_still(asker, mark)
            if rights is None:
                return None
            shown = self._shown(asker.key, asker.find, mark, anew=False)
        except SQLAlchemyError:
            return None
        return ("", b"") if shown.version == known else shown.drawn.get(shown.seen_by(known, rights))

    def _rights_still(self, asker: _Asker, mark: str) -> Rights | None:
        """What the person may do; None where the session does not count any more or the whole way has not been gone for long."""
        now = self._program.clock()
        session, rights = self._session(asker.token_hash, mark)
        if session is None or session.site_id != asker.site_id or not _is_young(asker, now):
            return None
        return rights if staff.live_session(session, now=now, idle=self._idle, absolute=self._absolute) else None

    def _session(self, token_hash: str, mark: str) -> tuple[WebSession | None, Rights | None]:
        """As they are now: after each commit those of all who poll are read at once."""
        with self._asking:
            if mark != self._sessions.mark or token_hash not in self._sessions.asked:
                asked = frozenset(asker.token_hash for asker in list(self._askers.values()))
                with self._program.read() as reading:
                    found = sessions_of(reading, asked)
                    rights = rights_of_many(reading, {row.user_id for row in found if row.user_id is not None})
                self._sessions = _Sessions(mark, asked, {row.token_hash: row for row in found}, rights)
            session = self._sessions.found.get(token_hash)
            return session, self._sessions.rights.get(session.user_id or 0) if session is not None else None

    def _new(self) -> _Kept:
        now = self._ticks()
        for key in [key for key, kept in list(self._kept.items()) if now - kept.asked_at > FORGOTTEN_S]:
            self._kept.pop(key, None)
        return _Kept(asked_at=now)


_HEADER = f"HTTP_{POLL_HEADER.upper().replace('-', '_')}"


def asked_of(environ: "WSGIEnvironment") -> tuple[str, str]:
    """The address of a poll without the version that it knows, and that version."""
    asked = parse_qsl(environ.get("QUERY_STRING", ""))
    address = f"{environ.get('PATH_INFO', '')}?{urlencode([pair for pair in asked if pair[0] != VERSION])}"
    return address, dict(asked).get(VERSION, "")


def _token(environ: "WSGIEnvironment", cookie: str) -> str:
    return parse_cookie(environ).get(cookie, "")


def _after(before: Shown | None, shown: Shown) -> Shown:
    """With the rows of the versions that are open somewhere; what was drawn of the same content is good for longer."""
    if before is None:
        return shown
    if before.version == shown.version:
        return replace(shown, earlier=before.earlier, drawn=before.drawn)
    return replace(shown, earlier=dict([*before.earlier.items(), (before.version, before.rows)][-EARLIER:]))


def _is_young(asker: _Asker, now: datetime) -> bool:
    return timedelta(0) <= now - asker.since < RIGHTS_FOR


def _is_due(kept: _Kept, mark: str, now: float) -> bool:
    """Whether what is kept may be something else by now, and its turn has come."""
    if mark == kept.mark:
        return now - kept.found_at > QUIET_S
    allowed = min(kept.allowed + (now - kept.looked_at) / EACH_S, BURST)
    if allowed < 1:
        return False
    kept.allowed = allowed - 1
    return True
