"""Who may see a page: every view names its permission, one without is closed."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from flask import Flask, Response, abort, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user
from werkzeug.exceptions import NotFound

from ris.audit import service as audit
from ris.audit.model import Action, Outcome
from ris.base.errors import Unavailable
from ris.base.ref import Ref
from ris.base.uow import Actor
from ris.program import Program
from ris.staff.model import User
from ris.staff.permission import Permission
from ris.staff.queries import Rights, rights_of
from ris.web.session import AWAY, current_session

P = ParamSpec("P")
R = TypeVar("R")

_NEEDS = "needs_permission"
PUBLIC = "public"
SIGNED_IN = "signed in"


class Person(UserMixin):
    """Who is logged in, for the length of one request."""

    def __init__(self, user: User, rights: Rights) -> None:
        self.id = user.id
        self.login = user.login
        self.name = user.name
        self.must_change_password = user.must_change_password
        self.rights = rights

    def get_id(self) -> str:
        return str(self.id)

    @property
    def actor(self) -> Actor:
        return Actor("user", self.id, self.name, request.remote_addr or "")


def person() -> Person:
    """Who is logged in; only in views that need it."""
    return cast("Person", current_user._get_current_object())


def requires(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The view is for people who have the permission at some site; the view itself checks at which."""
    return _mark(permission)


def signed_in(view: Callable[P, R]) -> Callable[P, R]:
    """The view is for everybody who is logged in."""
    return _mark(SIGNED_IN)(view)


def public(view: Callable[P, R]) -> Callable[P, R]:
    """The view is for everybody."""
    return _mark(PUBLIC)(view)


def needed(app: Flask, endpoint: str) -> str | None:
    """The permission of an endpoint, PUBLIC, SIGNED_IN, or None where somebody forgot it."""
    if endpoint == "static" or endpoint.endswith(".static"):
        return PUBLIC
    return getattr(app.view_functions[endpoint], _NEEDS, None)


def _mark(need: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        setattr(view, _NEEDS, need)
        return view

    return decorate


def may(permission: Permission, site_id: int) -> bool:
    return person().rights.may(permission, site_id)


def may_anywhere(permission: Permission) -> bool:
    return current_user.is_authenticated and person().rights.may_anywhere(permission)


def sites_for(permission: Permission) -> frozenset[int]:
    """The sites at which the person has the permission."""
    return person().rights.sites(permission)


def not_here(permission: Permission, about: Ref | None = None) -> NotFound:
    """To be raised for what is at another site: it does not exist for this person, and the try is in the audit trail."""
    g.refused = (permission, about)
    return NotFound()


def guard(app: Flask, program: Program) -> None:
    """Puts the gate before every view of an application; fails closed."""
    manager = LoginManager()
    manager.session_protection = None
    manager.init_app(app)

    @manager.user_loader
    def load(user_id: str) -> Person | None:
        with program.read() as session:
            user = session.get(User, int(user_id))
            return Person(user, rights_of(session, user.id)) if user is not None and user.active else None

    @app.before_request
    def gate() -> ResponseReturnValue | None:
        if request.endpoint is None:
            return None
        need = needed(app, request.endpoint)
        if need == PUBLIC:
            return None
        if need is None:
            abort(404)
        if current_session().is_unknown:
            raise Unavailable(AWAY)
        if not current_user.is_authenticated:
            return _log_in_first()
        if person().must_change_password and request.endpoint not in _WITH_OLD_PASSWORD:
            return redirect(url_for("account.password"), 303)
        if need != SIGNED_IN and not may_anywhere(Permission(need)):
            raise not_here(Permission(need))
        return None

    @app.after_request
    def record_refusal(response: Response) -> Response:
        """Whatever a view answered with 404: the try is in the audit trail, whether the thing is elsewhere or nowhere."""
        is_of_a_view = request.endpoint is not None and needed(app, request.endpoint) != PUBLIC
        if response.status_code == NotFound.code and is_of_a_view and current_user.is_authenticated:
            _record_refusal(*g.get("refused", (None, None)))
        return response


_WITH_OLD_PASSWORD = ("account.password", "account.change_password", "account.log_out", "account.stay")


def _log_in_first() -> ResponseReturnValue:
    if request.method != "GET" or "X-Poll" in request.headers:
        abort(401)
    return redirect(url_for("account.log_in", next=request.full_path.rstrip("?")), 303)


def _record_refusal(permission: Permission | None, about: Ref | None) -> None:
    """Names the page and what it was asked for; an address as it was typed may hold anything and is not kept."""
    program: Any = current_app.extensions["ris"]
    detail = {"needs": permission.value} if permission else {}
    with program.uow(person().actor) as uow:
        audit.entry(uow, Action.read, str(request.endpoint), about or _asked_for(), outcome=Outcome.refused, detail=detail)


def _asked_for() -> Ref:
    """The thing that the address names by its key: `/exams/<int:procedure_id>/cancel` is about a procedure."""
    keys = [(name.removesuffix("_id"), value) for name, value in (request.view_args or {}).items() if isinstance(value, int)]
    return Ref(*keys[-1]) if keys else Ref("page", 0)
