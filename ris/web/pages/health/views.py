"""Health, readiness and metrics: no session, no patient, no audit entry."""

import hmac
import logging
from ipaddress import ip_address

import sqlalchemy as sa
from flask import Blueprint, Response, abort, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from ris.partner.model import Partner
from ris.web.access import public
from ris.web.page import program, reading
from ris.web.pages.health.metrics import exposition

log = logging.getLogger(__name__)

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@public
def alive() -> ResponseReturnValue:
    """The process answers; nothing else is looked at, so that a database that is away restarts no web server."""
    return _text("ok\n")


@bp.get("/readyz")
@public
def ready() -> ResponseReturnValue:
    """Whether pages can be served: 503 with the reason while the database does not answer."""
    try:
        with reading() as session:
            session.execute(sa.select(Partner.id).limit(1))
    except SQLAlchemyError as error:
        log.warning("not ready: %s", type(error).__name__)
        return _text("the database does not answer\n"), 503
    return _text("ready\n")


@bp.get("/metrics")
@public
def metrics() -> ResponseReturnValue:
    """Prometheus text format 0.0.4, for who brings the token; without one configured, for this machine alone."""
    if not _may_read():
        abort(401 if program().settings.web.metrics_token.get_secret_value() else 403)
    with reading() as session:
        text = exposition(session, program().clock())
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")


def _may_read() -> bool:
    token = program().settings.web.metrics_token.get_secret_value()
    if token:
        return hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {token}".encode())
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _text(text: str) -> Response:
    return Response(text, mimetype="text/plain")
