"""The users page: add, disable, new password, roles at sites, what somebody may read."""

import sqlalchemy as sa
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.errors import Forbidden, Invalid, RisError
from ris.base.ref import Ref
from ris.catalog.model import Procedure, Site
from ris.patient.email import is_address
from ris.staff import queries, reads, service
from ris.staff.model import Role
from ris.staff.permission import Permission
from ris.staff.queries import UserRow
from ris.staff.reads import Reads
from ris.web.access import may, not_here, person, requires, sites_for
from ris.web.page import changing, look, look_query, reading, use_key, used_before

bp = Blueprint("users", __name__, url_prefix="/users", template_folder="templates")


@bp.get("")
@requires(Permission.USER_MANAGE)
def index() -> ResponseReturnValue:
    look_query("users", {})
    return _index()


@bp.post("")
@requires(Permission.USER_MANAGE)
def add() -> ResponseReturnValue:
    """The password for the first login is shown once, on the page that answers."""
    if (before := used_before()) is not None:
        return before
    fields = {name: request.form.get(name, "").strip() for name in ("login", "family", "given", "practitioner_number")}
    try:
        with changing() as uow:
            user, password = service.add_person(uow, **fields)
            use_key(uow, url_for("users.show", user_id=user.id))
    except RisError as error:
        return _index(refused=error.message, kept=fields), error.http_status
    return _show(_user(user.id), password=password)


@bp.get("/<int:user_id>")
@requires(Permission.USER_MANAGE)
def show(user_id: int) -> ResponseReturnValue:
    user = _user(user_id)
    look("user", Ref("user", user_id))
    return _show(user)


@bp.post("/<int:user_id>/active")
@requires(Permission.USER_MANAGE)
def set_active(user_id: int) -> ResponseReturnValue:
    user = _manageable(user_id)
    active = request.form.get("active") == "yes"
    with changing() as uow:
        service.set_active(uow, user_id=user_id, active=active)
    flash(f"{user.login} may log in again." if active else f"{user.login} is disabled; every session of the account has ended.")
    return redirect(url_for("users.show", user_id=user_id), 303)


@bp.post("/<int:user_id>/password")
@requires(Permission.USER_MANAGE)
def reset(user_id: int) -> ResponseReturnValue:
    """A new password for one login, shown once; a second click makes no second one."""
    user = _manageable(user_id)
    if (before := used_before()) is not None:
        return before
    with changing() as uow:
        password = service.reset_password(uow, user_id=user_id)
        use_key(uow, url_for("users.show", user_id=user_id))
    return _show(user, password=password)


@bp.post("/<int:user_id>/email")
@requires(Permission.USER_MANAGE)
def set_email(user_id: int) -> ResponseReturnValue:
    """Where the program writes to the person when something waits for them."""
    user = _manageable(user_id)
    email = request.form.get("email", "").strip()
    if email and not is_address(email):
        return _show(user, refused="write an e-mail address like name@hospital.example, or nothing"), 422
    with changing() as uow:
        service.set_email(uow, user_id=user_id, email=email)
    flash("The e-mail address is kept." if email else "The program writes to this person no more.")
    return redirect(url_for("users.show", user_id=user_id), 303)


@bp.post("/<int:user_id>/roles")
@requires(Permission.USER_MANAGE)
def assign(user_id: int) -> ResponseReturnValue:
    _other_than_me(_user(user_id))
    role_id, site_id = _role_and_site()
    with changing() as uow:
        service.assign(uow, user_id=user_id, role_id=role_id, site_id=site_id)
    flash("The role is given; it holds from the next click.")
    return redirect(url_for("users.show", user_id=user_id), 303)


@bp.post("/<int:user_id>/roles/revoke")
@requires(Permission.USER_MANAGE)
def revoke(user_id: int) -> ResponseReturnValue:
    _other_than_me(_user(user_id))
    role_id, site_id = _role_and_site()
    with changing() as uow:
        service.revoke(uow, user_id=user_id, role_id=role_id, site_id=site_id)
    flash("The role is taken away.")
    return redirect(url_for("users.show", user_id=user_id), 303)


@bp.post("/<int:user_id>/reads")
@requires(Permission.USER_MANAGE)
def limit(user_id: int) -> ResponseReturnValue:
    """What the person may read; nothing ticked of a kind: everything."""
    _manageable(user_id)
    with reading() as session:
        modalities, subspecialties = _kinds(session)
    wanted = Reads(
        frozenset(modalities) & frozenset(request.form.getlist("modality")),
        frozenset(subspecialties) & frozenset(request.form.getlist("subspecialty")),
    )
    with changing() as uow:
        reads.limit(uow, user_id=user_id, reads=wanted)
    flash("The credentials are changed; they hold from the next click.")
    return redirect(url_for("users.show", user_id=user_id), 303)


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _index(*, refused: str = "", kept: dict[str, str] | None = None) -> str:
    q = request.args.get("q", "").strip().lower()
    with reading() as session:
        own = [row for row in queries.users(session) if _is_seen(row)]
    found = [row for row in own if q in f"{row.name} {row.login}".lower()]
    return render_template("users/index.html", users=found, total=len(own), q=q, refused=refused, kept=kept or {})


def _show(user: UserRow, *, password: str = "", refused: str = "") -> str:
    with reading() as session:
        return render_template(
            "users/show.html",
            user=user,
            password=password,
            refused=refused,
            roles=session.execute(sa.select(Role.id, Role.name).order_by(Role.name)).all(),
            own_sites=_sites(session),
            is_me=user.id == person().id,
            may_manage=_is_whole(user) and user.id != person().id,
            reads=reads.of(session, user.id),
            kinds=_kinds(session),
        )


def _kinds(session: Session) -> tuple[list[str], list[str]]:
    """Modalities and subspecialties of the exams in use."""
    modalities = session.scalars(sa.select(Procedure.modality).where(Procedure.active).distinct())
    subspecialties = session.scalars(sa.select(Procedure.subspecialty).where(Procedure.active, Procedure.subspecialty != "").distinct())
    return sorted(modalities), sorted(subspecialties)


def _sites(session: Session) -> list[tuple[int, str]]:
    wanted = sa.select(Site.id, Site.name).where(Site.id.in_(sites_for(Permission.USER_MANAGE))).order_by(Site.name)
    return [(site_id, name) for site_id, name in session.execute(wanted)]


# ── who may be managed ───────────────────────────────────────────────────────────────────────────────────────────────


def _site_ids(user: UserRow) -> set[int]:
    return {site_id for _, _, site_id, _ in user.roles}


def _is_seen(user: UserRow) -> bool:
    """An account without a role belongs to nobody yet; any other is seen where it has one."""
    sites = _site_ids(user)
    return not sites or bool(sites & sites_for(Permission.USER_MANAGE))


def _is_whole(user: UserRow) -> bool:
    """Whoever gets at an account gets all of its roles: one manages it who manages every site of it."""
    return _site_ids(user) <= sites_for(Permission.USER_MANAGE)


def _user(user_id: int) -> UserRow:
    with reading() as session:
        user = queries.user(session, user_id)
    if user is None:
        abort(404)
    if not _is_seen(user):
        raise not_here(Permission.USER_MANAGE, Ref("user", user_id))
    return user


def _manageable(user_id: int) -> UserRow:
    user = _user(user_id)
    _other_than_me(user)
    if not _is_whole(user):
        raise Forbidden("this account has roles at sites that you do not manage")
    return user


def _other_than_me(user: UserRow) -> None:
    if user.id == person().id:
        raise Forbidden("nobody changes the rights of an own account: another administrator does")


def _role_and_site() -> tuple[int, int]:
    role_id, site_id = request.form.get("role_id", type=int), request.form.get("site_id", type=int)
    if role_id is None or site_id is None:
        raise Invalid("a role and a site are needed", error_code="101")
    if not may(Permission.USER_MANAGE, site_id):
        raise not_here(Permission.USER_MANAGE, Ref("site", site_id))
    return role_id, site_id
