"""The kinds of reference data, a list of each, and one to be changed, with its history and what is booked ahead."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from ris.base.csv_text import csv_text
from ris.base.errors import RisError
from ris.base.uow import UnitOfWork
from ris.catalog.model import Procedure
from ris.catalog.records import service
from ris.catalog.records.field import Field, Known, Reference
from ris.catalog.records.history import Change, history
from ris.catalog.records.record import Record, Rejected
from ris.imports import KINDS, RECORDS
from ris.scheduling.ahead import Ahead, appointments_ahead
from ris.staff.permission import Permission
from ris.web.access import may_anywhere, requires
from ris.web.form import Form
from ris.web.page import changing, look_query, program, reading, use_key, used_before

bp = Blueprint("catalog", __name__, url_prefix="/catalog", template_folder="templates")
_MOST = 300
"""So many lines of a list are shown; more are narrowed down."""


class Row(NamedTuple):
    id: int
    is_active: bool
    cells: tuple[str, ...]


class Shown(NamedTuple):
    """One of a kind as its page shows it."""

    id: int
    version: int
    texts: dict[str, str]
    procedure_id: int | None
    changes: list[Change]
    ahead: tuple[int, list[Ahead]]


@bp.get("")
@requires(Permission.CATALOG_MANAGE)
def index() -> ResponseReturnValue:
    with reading() as session:
        counts = {name: _counts(session, record) for name, record in RECORDS.items()}
    return render_template("catalog/index.html", records=RECORDS, counts=counts, may_import=may_anywhere(Permission.IMPORT_RUN))


@bp.get("/<name>")
@requires(Permission.CATALOG_MANAGE)
def show(name: str) -> ResponseReturnValue:
    record = _record(name)
    words, retired = request.args.get("q", "").strip()[:100], "retired" in request.args
    look_query("catalogue", {"kind": name, "q": words} if words else {"kind": name})
    with reading() as session:
        found = [row for row in rows_of(session, record) if (retired or row.is_active) and _fits(row, words)]
    return render_template(
        "catalog/list.html", record=record, rows=found[:_MOST], count=len(found), words=words, retired=retired,
        may_import=may_anywhere(Permission.IMPORT_RUN),
    )  # fmt: skip


@bp.get("/<name>.csv")
@requires(Permission.CATALOG_MANAGE)
def export(name: str) -> ResponseReturnValue:
    _record(name)
    kind = KINDS[name]
    look_query("catalogue export", {"kind": name})
    with reading() as session:
        text = csv_text([kind.column_names, *(kind.export(session) if kind.export else ())])
    return Response(text, mimetype="text/csv", headers={"Content-Disposition": f"attachment; filename={name}.csv"})


@bp.get("/<name>/new")
@requires(Permission.CATALOG_MANAGE)
def new(name: str) -> ResponseReturnValue:
    record = _record(name)
    asked = {field.name: request.args[field.name] for field in record.fields if field.name in request.args}
    return _page(record, Form(record.defaults() | asked))


@bp.post("/<name>/new")
@requires(Permission.CATALOG_MANAGE)
def add(name: str) -> ResponseReturnValue:
    record = _record(name)
    form = Form(request.form)
    return _save(record, form, None, lambda uow: service.add(uow, record, _texts(record, form)).id, f"The {record.one} is added.")


@bp.get("/<name>/<int:row_id>")
@requires(Permission.CATALOG_MANAGE)
def one(name: str, row_id: int) -> ResponseReturnValue:
    record = _record(name)
    shown = _shown(record, row_id)
    return _page(record, Form(shown.texts), shown)


@bp.post("/<name>/<int:row_id>")
@requires(Permission.CATALOG_MANAGE)
def change(name: str, row_id: int) -> ResponseReturnValue:
    record = _record(name)
    shown = _shown(record, row_id)
    form = Form(shown.texts | dict(request.form))
    if shown.ahead[0] and "confirmed" not in request.form and _is_felt(record, shown.texts, form):
        return _page(record, form, shown, asks=True), 409
    version = request.form.get("row_version", type=int)
    texts = _texts(record, form)
    done = f"The {record.one} is changed."
    return _save(record, form, shown, lambda uow: service.change(uow, record, row_id, texts, row_version=version).id, done)


@bp.post("/<name>/<int:row_id>/undo")
@requires(Permission.CATALOG_MANAGE)
def undo(name: str, row_id: int) -> ResponseReturnValue:
    record = _record(name)
    shown = _shown(record, row_id)
    version = request.form.get("row_version", type=int) or 0
    done = "The last change is taken back."
    return _save(record, Form(shown.texts), shown, lambda uow: service.undo(uow, record, row_id, row_version=version).id, done)


def _save(record: Record, form: Form, shown: Shown | None, work: Callable[[UnitOfWork], int], done: str) -> ResponseReturnValue:
    if (before := used_before()) is not None:
        return before
    try:
        with changing() as uow:
            target = url_for("catalog.one", name=record.name, row_id=work(uow))
            use_key(uow, target)
    except Rejected as rejected:
        for problem in rejected.problems:
            form.errors.setdefault(problem.field, f"{record.field(problem.field).label} {problem.what}: {problem.fix}.")
        return _page(record, form, shown), rejected.http_status
    except RisError as error:
        return _page(record, form, shown, refused=error.message), error.http_status
    flash(done)
    return redirect(target, 303)


def _page(record: Record, form: Form, shown: Shown | None = None, *, asks: bool = False, refused: str = "") -> str:
    is_procedure = record.name == "procedure"
    with reading() as session:
        parts = _parts(session, shown.id) if shown and is_procedure else []
        choices = {field.name: _choices(session, field) for field in record.fields}
    return render_template(
        "catalog/one.html", record=record, form=form, shown=shown, parts=parts, choices=choices, asks=asks, refused=refused,
    )  # fmt: skip


def _parts(session: Session, procedure_id: int) -> list[tuple[Record, list[Row]]]:
    """What belongs to a procedure: durations, steps, texts, needs."""
    return [(record, rows_of(session, record, record.model.procedure_id == procedure_id)) for record in RECORDS.values() if record.parent]


def rows_of(session: Session, record: Record, *where: sa.ColumnElement[bool]) -> list[Row]:
    known = Known(session)
    return [
        Row(row.id, row.active, tuple(_cell(known, field, row) for field in record.columns)) for row in record.rows(session, *where)
    ]  # fmt: skip


def _cell(known: Known, field: Field, row: Any) -> str:
    return field.shown(field.write(known, getattr(row, field.attribute)))


def _fits(row: Row, words: str) -> bool:
    whole = " ".join(row.cells).lower()
    return all(word in whole for word in words.lower().split())


def _counts(session: Session, record: Record) -> tuple[int, int]:
    """How many are in use, and how many are retired."""
    active = record.model.active
    counted: dict[bool, int] = dict(session.execute(sa.select(active, sa.func.count()).group_by(active)).all())
    return counted.get(True, 0), counted.get(False, 0)


def _choices(session: Session, field: Field) -> Sequence[tuple[str, str]]:
    """Code and name of what a field may lead to."""
    if not isinstance(field, Reference):
        return ()
    of: Any = field.to
    rows = session.execute(sa.select(of.code, of.name).where(getattr(of, "active", sa.true())).order_by(of.code))
    return [(code, name) for code, name in rows]


def _shown(record: Record, row_id: int) -> Shown:
    with reading() as session:
        row = next(iter(record.rows(session, record.model.id == row_id)), None)
        if row is None:
            abort(404)
        procedure_id = row.id if isinstance(row, Procedure) else getattr(row, "procedure_id", None)
        return Shown(
            row.id, row.row_version, record.texts(Known(session), row), procedure_id, history(session, record, row_id),
            _ahead(session, record, row, procedure_id),
        )  # fmt: skip


def _ahead(session: Session, record: Record, row: Any, procedure_id: int | None) -> tuple[int, list[Ahead]]:
    if not record.touches or procedure_id is None:
        return 0, []
    return appointments_ahead(
        session, program().clock(), procedure_id, room_id=getattr(row, "room_id", None), step=getattr(row, "step", None)
    )  # fmt: skip


def _is_felt(record: Record, texts: Mapping[str, str], form: Form) -> bool:
    return any(form.value(name) != texts[name].strip() for name in record.touches)


def _texts(record: Record, form: Form) -> dict[str, str]:
    return {field.name: form.value(field.name) for field in record.fields if field.name in form.values}


def _record(name: str) -> Record:
    if name not in RECORDS:
        abort(404)
    return RECORDS[name]
