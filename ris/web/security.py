"""What every answer carries and every change must bring: headers, a strict content policy, same origin, form tokens."""

import logging

from flask import Flask, Response, abort, request
from flask_wtf import CSRFProtect

from ris.base.errors import Unavailable
from ris.imports.files import MOST_BYTES
from ris.web.session import AWAY, current_session

log = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri /csp"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_AROUND_A_FILE = 64 * 1024
"""Bytes of the form that a file comes in."""
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

_FROM_ELSEWHERE = ("account.csp", "stop.stop")
"""What browsers and mail programs send by themselves: it changes nothing for whoever is logged in."""

csrf = CSRFProtect()


def protect(app: Flask, *, tls: bool) -> None:
    """Hangs all of it on an application; `tls` adds Strict-Transport-Security."""
    # The token is good as long as the session is.
    app.config.update(WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=False, MAX_CONTENT_LENGTH=4 * 1024 * 1024)
    app.before_request(_same_origin)
    app.before_request(_let_files_in)
    app.before_request(_session_is_known)
    csrf.init_app(app)

    @app.after_request
    def headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if tls:
            response.headers.setdefault("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
        if request.endpoint == "static":
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            response.headers["Cache-Control"] = "no-store"
        return response


def _let_files_in() -> None:
    """A file of many lines is larger than any form: where one is expected, from somebody who is logged in."""
    if request.endpoint == "imports.bring" and "_user_id" in current_session():
        request.max_content_length = MOST_BYTES + _AROUND_A_FILE


def _session_is_known() -> None:
    """Without its session no form token is right: the reason is the database, not the form."""
    if request.method not in SAFE_METHODS and current_session().is_unknown:
        raise Unavailable(AWAY)


def _same_origin() -> None:
    """A change comes from our own page: the browser says so in Origin, or it is refused."""
    if request.method in SAFE_METHODS or request.endpoint in _FROM_ELSEWHERE:
        return
    origin = request.headers.get("Origin")
    if origin != request.host_url.rstrip("/"):
        log.warning("refused a %s of %s: its origin is not this server", request.method, request.endpoint)
        abort(400, "This request did not come from a page of this server.")
