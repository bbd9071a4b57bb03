"""The Flask application: pages, gate, headers, errors that say why."""

import hashlib
import logging
from pathlib import Path
from typing import Any

from flask import Flask, g, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from ris.base.errors import RisError
from ris.catalog.model import Site
from ris.program import Program
from ris.staff.permission import Permission
from ris.web import access, page, security, words
from ris.web.navigation import NAVIGATION
from ris.web.pages import PAGES
from ris.web.patience import PatientFlask, count_commits
from ris.web.polls import Polls
from ris.web.session import AWAY, DatabaseSessions, current_session

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"


def create_app(program: Program) -> Flask:
    """An application over a program; one in each web process."""
    app = PatientFlask("ris.web", static_folder=str(STATIC), template_folder=str(STATIC.parent / "templates"))
    app.secret_key = program.settings.web.secret_key.get_secret_value()
    app.extensions["ris"] = program
    app.session_interface = sessions = DatabaseSessions(program)
    app.extensions["ris_polls"] = polls = Polls(program, app.wsgi_app, sessions.cookie)
    app.wsgi_app = polls.answer  # type: ignore[method-assign]
    if program.settings.web.behind_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    app.jinja_env.filters.update(page.FILTERS)
    app.jinja_env.globals.update(
        alerts_of=page.alerts_of, reached_of=page.reached_of, referrers_offered=page.referrers_offered, reasons_of=page.reasons_of
    )
    app.jinja_env.globals.update(of_page=words.PAGES, of_deed=words.of_deed, of_field=words.of_field)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    count_commits(program)
    security.protect(app, tls=program.settings.web.behind_proxy)
    access.guard(app, program)
    _choose_site(app)
    _errors(app)
    _templates(app, program)
    for blueprint in PAGES:
        app.register_blueprint(blueprint)
    return app


def _choose_site(app: Flask) -> None:
    @app.before_request
    def remember_site() -> None:
        row = current_session().row
        g.chosen_site = row.site_id if row is not None else None


def _errors(app: Flask) -> None:
    """Every refusal keeps its reason; what nobody foresaw says so and is in the log, without patient data."""

    @app.errorhandler(RisError)
    def refused(error: RisError) -> ResponseReturnValue:
        return _refusal(error.http_status, error.message)

    @app.errorhandler(OperationalError)
    def away(error: OperationalError) -> ResponseReturnValue:
        log.error("the database does not answer at %s: %s", request.endpoint, type(error.orig).__name__)
        return _refusal(503, AWAY)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> ResponseReturnValue:
        return _refusal(error.code or 500, error.description or error.name)

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> ResponseReturnValue:
        # An answer is owed; the text of the exception might name a patient, so only its kind and place go to the log.
        log.error("%s at %s", type(error).__name__, request.endpoint, exc_info=error if app.debug else None)
        return _refusal(500, "Something went wrong here. Nothing was changed; please try again.")


def _refusal(status: int, reason: str) -> ResponseReturnValue:
    if request.accept_mimetypes.best == "application/json":
        return jsonify(message=reason), status
    if not getattr(current_user, "is_authenticated", False):
        return render_template("error_bare.html", status=status, reason=reason), status
    return render_template("error.html", status=status, reason=reason), status


def _templates(app: Flask, program: Program) -> None:
    versions: dict[str, str] = {}

    def static_url(name: str) -> str:
        """The address of a file of ours with a hash of its content, so that a browser may keep it for ever."""
        if name not in versions:
            versions[name] = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
        return url_for("static", filename=name, v=versions[name])

    @app.context_processor
    def everywhere() -> dict[str, Any]:
        return {
            "static_url": static_url,
            "is_demo": program.settings.is_demo,
            "navigation": _navigation(),
            "sites": _sites(),
            "working_site": g.get("chosen_site"),
            "form_key": page.form_key,
            "search_url": url_for("search.index") if access.may_anywhere(Permission.PATIENT_READ) else "",
            "scan_url": url_for("scan.read") if access.may_anywhere(Permission.EXAM_READ) else "",
            "idle_seconds": program.settings.web.idle_minutes * 60,
        }


def _navigation() -> list[tuple[str, str, str]]:
    """Label, address and endpoint of every page that the person may open."""
    if not current_user.is_authenticated:
        return []
    return [
        (item.label, url_for(item.endpoint, **item.values), item.endpoint)
        for item in NAVIGATION
        if item.permission is None or access.may_anywhere(item.permission)
    ]


def _sites() -> list[Any]:
    if not current_user.is_authenticated:
        return []
    own = set().union(*(access.sites_for(permission) for permission in Permission))
    with page.reading() as session:
        return [site for site in session.query(Site).order_by(Site.name) if site.id in own]
