"""Files in the browser: brought, looked at line by line, taken in or thrown away; the answer flows while the file is read."""

import io
from collections.abc import Iterator, Sequence

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, stream_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from ris.base.csv_text import csv_text
from ris.base.errors import RisError
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.imports import KINDS, RECORDS, files
from ris.imports.kind import Finding, Kind, Verdict
from ris.imports.model import ImportFile
from ris.imports.run import Order, Result, Run
from ris.program import Program
from ris.staff.permission import Permission
from ris.web.access import may_anywhere, person, requires
from ris.web.page import changing, look, look_query, program, reading, use_key, used_before

bp = Blueprint("imports", __name__, url_prefix="/imports", template_folder="templates")
_SHOWN = {Verdict.wrong: 1000, Verdict.undecided: 1000, Verdict.changed: 500, Verdict.new: 50}
"""So many lines of each are on the page; the file of findings has all of them."""
_FINDINGS = ("line", "verdict", "about", "column", "what", "fix", "before", "after")


class Seen:
    """What a page shows of a run, filled while it goes on."""

    def __init__(self, run: Run, steps: Iterator[int]) -> None:
        self.run = run
        self.findings: dict[Verdict, list[Finding]] = {verdict: [] for verdict in Verdict}
        self.refused = ""
        self._steps = steps

    @property
    def result(self) -> Result:
        return self.run.result

    def progress(self) -> Iterator[int]:
        """Numbers of lines; to be drawn before anything else is asked."""
        try:
            yield from self._steps
        except RisError as error:
            self.refused = error.message
        except SQLAlchemyError:
            # The head of the page is gone already: it cannot become an error page any more.
            self.refused = "the database does not take it now, and nothing was changed: try again"

    def report(self, finding: Finding) -> None:
        if len(self.findings[finding.verdict]) < _SHOWN.get(finding.verdict, 0):
            self.findings[finding.verdict].append(finding)


@bp.get("")
@requires(Permission.IMPORT_RUN)
def index() -> ResponseReturnValue:
    kinds = _kinds()
    with reading() as session:
        recent = files.recent(session, [kind.name for kind in kinds])
    return render_template("imports/index.html", kinds=kinds, titles={name: kind.title for name, kind in KINDS.items()}, recent=recent)


@bp.get("/new/<name>")
@requires(Permission.IMPORT_RUN)
def new(name: str) -> ResponseReturnValue:
    return _form(_kind(name))


@bp.post("/new/<name>")
@requires(Permission.IMPORT_RUN)
def bring(name: str) -> ResponseReturnValue:
    kind = _kind(name)
    if (before := used_before()) is not None:
        return before
    sent = request.files.get("file")
    content = sent.stream.read(files.MOST_BYTES + 1) if sent else b""
    try:
        with changing() as uow:
            file_id = files.bring(uow, kind, (sent.filename if sent else "") or "file.csv", content).id
            target = url_for("imports.show", file_id=file_id)
            use_key(uow, target)
    except RisError as error:
        return _form(kind, error.message), error.http_status
    return redirect(target, 303)


@bp.get("/<int:file_id>")
@requires(Permission.IMPORT_RUN)
def show(file_id: int) -> ResponseReturnValue:
    """What the file would do as things are now; of one that was taken in what it did."""
    file, kind = _file(file_id)
    look("import", Ref("import", file_id), kind=kind.name)
    if file.applied_at is not None or not file.content:
        return render_template("imports/done.html", file=file, kind=kind, verdicts=list(Verdict), record=RECORDS.get(kind.name))
    seen = _seen(file, Order(kind, person().actor, file.name))
    return Response(stream_template("imports/run.html", file=file, kind=kind, seen=seen, applies=False, shown=_SHOWN))


@bp.post("/<int:file_id>/apply")
@requires(Permission.IMPORT_RUN)
def apply(file_id: int) -> ResponseReturnValue:
    file, kind = _file(file_id)
    if file.applied_at is not None:
        return redirect(url_for("imports.show", file_id=file_id), 303)
    tell = bool(kind.tells) and "tell" in request.form

    def note(uow: UnitOfWork, result: Result) -> None:
        files.applied(uow, file_id, result, told=tell)

    seen = _seen(file, Order(kind, person().actor, file.name, tell, note), applies=True)
    return Response(stream_template("imports/run.html", file=file, kind=kind, seen=seen, applies=True, shown=_SHOWN))


@bp.get("/<int:file_id>/findings.csv")
@requires(Permission.IMPORT_RUN)
def findings(file_id: int) -> ResponseReturnValue:
    file, kind = _file(file_id)
    look("import findings", Ref("import", file_id), kind=kind.name)
    parts = _findings(program(), file, Order(kind, person().actor, file.name))
    return Response(parts, mimetype="text/csv", headers={"Content-Disposition": f"attachment; filename={kind.name}-findings.csv"})


@bp.post("/<int:file_id>/throw-away")
@requires(Permission.IMPORT_RUN)
def throw_away(file_id: int) -> ResponseReturnValue:
    _file(file_id)
    with changing() as uow:
        files.throw_away(uow, file_id)
    flash("The file is thrown away; nothing was changed.")
    return redirect(url_for("imports.index"), 303)


def _seen(file: ImportFile, order: Order, *, applies: bool = False) -> Seen:
    run = Run(program(), order, io.BytesIO(file.content), lambda finding: seen.report(finding))
    seen = Seen(run, run.applying() if applies else run.looking())
    return seen


def _findings(program: Program, file: ImportFile, order: Order) -> Iterator[str]:
    """Every line but those that change nothing, a part of the file at a time."""
    gathered: list[Finding] = []
    run = Run(program, order, io.BytesIO(file.content), gathered.append)
    yield csv_text([_FINDINGS])
    for _ in run.looking():
        yield csv_text(_cells(finding) for finding in gathered if finding.verdict is not Verdict.unchanged)
        gathered.clear()


def _cells(finding: Finding) -> Sequence[str]:
    before, after = ("; ".join(f"{name}: {text}" for name, text in side.items()) for side in (finding.before, finding.after))
    return str(finding.line), finding.verdict, finding.about, finding.column, finding.what, finding.fix, before, after


def _form(kind: Kind, refused: str = "") -> str:
    look_query("import columns", {"kind": kind.name})
    return render_template("imports/new.html", kind=kind, refused=refused, most=files.MOST_BYTES // 1024 // 1024)


def _kinds() -> list[Kind]:
    return [kind for kind in KINDS.values() if may_anywhere(kind.permission)]


def _kind(name: str) -> Kind:
    """Of those that this person may take in."""
    if name not in KINDS or not may_anywhere(KINDS[name].permission):
        abort(404)
    return KINDS[name]


def _file(file_id: int) -> tuple[ImportFile, Kind]:
    with reading() as session:
        file = session.get(ImportFile, file_id)
    if file is None:
        abort(404)
    return file, _kind(file.kind)
