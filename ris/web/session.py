"""Sessions kept on the server: the cookie holds a random token, the table its hash, and a deleted row is the end of it."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask, Request, Response, current_app, g, request
from flask import session as session_of_request
from flask.sessions import SessionInterface, SessionMixin
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.exc import OperationalError

from ris.base.uow import UnitOfWork
from ris.program import Program
from ris.staff import service as staff
from ris.staff.model import WebSession
from ris.web.patience import patiently

AWAY = "The database does not answer now. Nothing was changed; please try again."
POLL_HEADER = "X-Poll"
"""A request that carries it was made by the page, not by the person: it does not keep a session alive."""
_TOUCH_AFTER = timedelta(seconds=20)


class BrowserSession(dict[str, Any], SessionMixin):
    """What Flask and its extensions see of a session: who is logged in, the form secret, and messages for the next page."""

    def __init__(self, token: str = "", row: WebSession | None = None) -> None:
        super().__init__()
        self.token = token
        self.row = row
        self.is_unknown = False
        """Whether nobody can say who this is, because the database does not answer."""
        if row is not None:
            self["csrf_token"] = row.csrf_secret
            if row.user_id is not None:
                self["_user_id"] = str(row.user_id)


class DatabaseSessions(SessionInterface):
    """Loads the `web_session` row. What one page says on the next travels in a signed cookie of its own; it names no patient."""

    def __init__(self, program: Program) -> None:
        self.program = program
        web = program.settings.web
        self.idle = timedelta(minutes=web.idle_minutes)
        self.absolute = timedelta(hours=web.absolute_hours)
        self.secure = web.behind_proxy
        self.cookie = "__Host-ris" if self.secure else "ris"
        self.flash_cookie = f"{self.cookie}-said"
        self._signer = URLSafeSerializer(web.secret_key.get_secret_value(), salt="said")

    def open_session(self, app: Flask, request: Request) -> BrowserSession:
        try:
            session = patiently(lambda: self._load(request))
        except OperationalError:
            session = BrowserSession()
            session.is_unknown = True
        said = request.cookies.get(self.flash_cookie)
        if said:
            with suppress(BadSignature):
                session["_flashes"] = [tuple(pair) for pair in self._signer.loads(said)]
        return session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """The session's cookie changes only where a session begins or ends; see `begin` and `end`."""
        token = g.get("new_session_token")
        if token is not None:
            self._set_cookie(response, self.cookie, token)
        said = session.get("_flashes")
        if said:
            self._set_cookie(response, self.flash_cookie, str(self._signer.dumps(said)))
        elif self.flash_cookie in request.cookies:
            self._set_cookie(response, self.flash_cookie, "")

    def _load(self, request: Request) -> BrowserSession:
        token = request.cookies.get(self.cookie, "")
        if not token:
            return BrowserSession()
        with self.program.read() as session:
            row = session.get(WebSession, staff.token_hash(token))
        now = self.program.clock()
        if row is None or not staff.live_session(row, now=now, idle=self.idle, absolute=self.absolute):
            return BrowserSession()
        if POLL_HEADER not in request.headers and now - row.last_used_at > _TOUCH_AFTER:
            self._touch(row)
        return BrowserSession(token, row)

    def begin(self, uow: UnitOfWork, user_id: int) -> None:
        """A fresh token, also for somebody who had one: what was known before the login is worth nothing after it."""
        old = current_session()
        uow.session.execute(sa.delete(WebSession).where(WebSession.token_hash == staff.token_hash(old.token)))
        g.new_session_token = staff.open_session(uow, user_id=user_id, place=request.remote_addr or "")

    def step_up(self, uow: UnitOfWork) -> None:
        """The password was given again: the session goes on under a fresh token, with its form tokens and its age."""
        g.new_session_token = staff.renew_session(uow, g.get("new_session_token") or current_session().token)

    def end(self) -> None:
        g.new_session_token = ""

    def _touch(self, row: WebSession) -> None:
        with self.program.uow() as uow:
            known = uow.session.get(WebSession, row.token_hash)
            if known is not None:
                known.last_used_at = uow.now

    def _set_cookie(self, response: Response, name: str, value: str) -> None:
        if value:
            response.set_cookie(name, value, httponly=True, samesite="Lax", secure=self.secure, path="/")
        else:
            response.delete_cookie(name, httponly=True, samesite="Lax", secure=self.secure, path="/")


def current_session() -> BrowserSession:
    """The session of this request, out of Flask's proxy."""
    found = session_of_request._get_current_object()  # type: ignore[attr-defined]
    if not isinstance(found, BrowserSession):
        raise TypeError("no browser session here")
    return found


def sessions() -> DatabaseSessions:
    interface = current_app.session_interface
    if not isinstance(interface, DatabaseSessions):
        raise TypeError("sessions are not kept in the database")
    return interface
