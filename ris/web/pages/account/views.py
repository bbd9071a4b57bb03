"""Who one is: log in, log out, change the password, choose the site to work at."""

import logging
import math
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from ris.base.errors import Invalid
from ris.base.uow import Actor
from ris.staff import service
from ris.staff.permission import Permission
from ris.web.access import may_anywhere, person, public, signed_in
from ris.web.navigation import NAVIGATION
from ris.web.page import changing, program
from ris.web.security import csrf
from ris.web.session import current_session, sessions

bp = Blueprint("account", __name__, template_folder="templates")
log = logging.getLogger(__name__)

_LONGEST = 1000
"""Nobody's login or password is longer; hashing more would only cost time."""


@bp.get("/")
@signed_in
def home() -> ResponseReturnValue:
    """The first page that the person may open."""
    for item in NAVIGATION:
        if item.permission is None or may_anywhere(item.permission):
            return redirect(url_for(item.endpoint, **item.values))
    return render_template("account/nothing.html")


@bp.get("/login")
@public
def log_in() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(url_for("account.home"))
    return render_template("account/login.html", next=request.args.get("next", ""), refused="")


@bp.post("/login")
@csrf.exempt  # nobody has a session yet; the origin of the request is checked for every POST
@public
def check_login() -> ResponseReturnValue:
    login, password = request.form.get("login", "")[:_LONGEST], request.form.get("password", "")[:_LONGEST]
    place = request.remote_addr or ""
    with program().uow(Actor("user", 0, "nobody", place)) as uow:
        outcome = service.log_in(uow, login=login, password=password, place=place)
        if outcome.user_id is not None:
            sessions().begin(uow, outcome.user_id)
    if outcome.user_id is not None:
        return redirect(_own_page(request.form.get("next", "")), 303)
    if outcome.wait is not None:
        seconds = math.ceil(outcome.wait.total_seconds())
        refused, status = f"Too many failed tries. Please wait {seconds} s and try again.", 429
    else:
        refused, status = "This login and password do not belong together.", 403
    return render_template("account/login.html", next=request.form.get("next", ""), login=login, refused=refused), status


@bp.post("/logout")
@signed_in
def log_out() -> ResponseReturnValue:
    with changing() as uow:
        service.log_out(uow, token=current_session().token)
    sessions().end()
    return redirect(url_for("account.log_in"), 303)


@bp.get("/password")
@signed_in
def password() -> ResponseReturnValue:
    return render_template("account/password.html", refused="")


@bp.post("/password")
@signed_in
def change_password() -> ResponseReturnValue:
    new = request.form.get("new", "")
    try:
        if new != request.form.get("again", ""):
            raise Invalid("the new password was not repeated the same")
        with changing() as uow:
            service.change_password(uow, user_id=person().id, old=request.form.get("old", "")[:_LONGEST], new=new)
            sessions().begin(uow, person().id)
    except Invalid as error:
        return render_template("account/password.html", refused=error.message), error.http_status
    flash("Your password is changed; your other sessions are ended.")
    return redirect(url_for("account.home"), 303)


@bp.post("/site")
@signed_in
def choose_site() -> ResponseReturnValue:
    site_id = request.form.get("site_id", type=int)
    if site_id is not None and not any(site_id in person().rights.sites(p) for p in Permission):
        abort(404)
    with changing() as uow:
        service.work_at(uow, user_id=person().id, token=current_session().token, site_id=site_id)
    return redirect(_own_page(request.form.get("next", "")), 303)


@bp.post("/stay")
@signed_in
def stay() -> ResponseReturnValue:
    """The person is still here: any request that is no poll says so."""
    return Response(status=204)


@bp.post("/csp")
@csrf.exempt  # sent by the browser itself
@public
def csp() -> ResponseReturnValue:
    """The browser reports what our policy stopped: a fault of ours, or an attack."""
    report = request.get_json(force=True, silent=True)
    told = report.get("csp-report", {}) if isinstance(report, dict) else {}
    directive, blocked = (str(told.get(name, ""))[:100] for name in ("effective-directive", "blocked-uri"))
    # The address of the page may hold what somebody searched for, so it stays out of the log.
    log.error("content policy: %r refused %r", directive, urlsplit(blocked).netloc or blocked.partition(":")[0])
    return Response(status=204)


def _own_page(address: str) -> str:
    """The address, when it is a page of this server; else the first page."""
    parts = urlsplit(address)
    is_own = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return address if is_own else url_for("account.home")
