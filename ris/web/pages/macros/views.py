"""Macros as a list and a form: who reads keeps their own, who has the right those of all; each change can be taken back."""

from collections.abc import Callable

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ris.base.errors import RisError
from ris.base.uow import UnitOfWork
from ris.catalog.records.field import Known
from ris.catalog.records.history import history
from ris.catalog.records.record import Rejected
from ris.report.writing import macros
from ris.report.writing.macros import MACRO, SHARED
from ris.report.writing.merge import MERGED
from ris.report.writing.model import Macro
from ris.staff.permission import Permission
from ris.web.access import may_anywhere, requires
from ris.web.form import Form
from ris.web.page import changing, current_user, look_query, reading, use_key, used_before

bp = Blueprint("macros", __name__, url_prefix="/macros", template_folder="templates")
_FIELDS = tuple(field for field in MACRO.fields if field.name != "shelf")


@bp.get("")
@requires(Permission.REPORT_WRITE)
def index() -> ResponseReturnValue:
    look_query("macros", {})
    with reading() as session:
        found = macros.of(session, current_user().id)
    return render_template("macros/index.html", rows=found, shared=SHARED)


@bp.get("/new")
@requires(Permission.REPORT_WRITE)
def new() -> ResponseReturnValue:
    return _page(Form(MACRO.defaults()))


@bp.post("/new")
@requires(Permission.REPORT_WRITE)
def add() -> ResponseReturnValue:
    form = Form(request.form)
    is_shared = form.value("shelf") == SHARED
    return _save(form, None, lambda uow: macros.add(uow, _texts(form), is_shared=is_shared), "The macro is added.")


@bp.get("/<int:macro_id>")
@requires(Permission.REPORT_WRITE)
def one(macro_id: int) -> ResponseReturnValue:
    row, texts = _shown(macro_id)
    return _page(Form(texts), row)


@bp.post("/<int:macro_id>")
@requires(Permission.REPORT_WRITE)
def change(macro_id: int) -> ResponseReturnValue:
    row, texts = _shown(macro_id)
    form = Form(texts | dict(request.form))
    return _save(form, row, lambda uow: macros.change(uow, macro_id, _texts(form), row_version=_version()), "The macro is changed.")


@bp.post("/<int:macro_id>/undo")
@requires(Permission.REPORT_WRITE)
def undo(macro_id: int) -> ResponseReturnValue:
    row, texts = _shown(macro_id)
    return _save(Form(texts), row, lambda uow: macros.undo(uow, macro_id, row_version=_version()), "The last change is taken back.")


def _save(form: Form, row: Macro | None, work: Callable[[UnitOfWork], Macro], done: str) -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    try:
        with changing() as uow:
            target = url_for("macros.one", macro_id=work(uow).id)
            use_key(uow, target)
    except Rejected as rejected:
        for problem in rejected.problems:
            form.errors.setdefault(problem.field, f"{MACRO.field(problem.field).label} {problem.what}: {problem.fix}.")
        return _page(form, row), rejected.http_status
    except RisError as error:
        return _page(form, row, refused=error.message), error.http_status
    flash(done)
    return redirect(target, 303)


def _page(form: Form, row: Macro | None = None, *, refused: str = "") -> str:
    with reading() as session:
        changes = history(session, MACRO, row.id) if row else []
    may_share = may_anywhere(Permission.MACRO_SHARE)
    return render_template(
        "macros/one.html", form=form, row=row, fields=_FIELDS, changes=changes, refused=refused, names=MERGED, shared=SHARED,
        may_share=may_share, may_change=row is None or row.shelf != SHARED or may_share,
    )  # fmt: skip


def _shown(macro_id: int) -> tuple[Macro, dict[str, str]]:
    with reading() as session:
        row = next((each for each in macros.of(session, current_user().id) if each.id == macro_id), None)
        if row is None:
            abort(404)
        return row, MACRO.texts(Known(session), row)


def _texts(form: Form) -> dict[str, str]:
    return {field.name: form.value(field.name) for field in _FIELDS if field.name in form.values}


def _version() -> int:
    return request.form.get("row_version", type=int) or 0
