"""The search behind Ctrl+K, and its page for browsers without scripts."""

from dataclasses import asdict

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from ris.staff.permission import Permission
from ris.web.access import may_anywhere, requires, sites_for
from ris.web.page import look_query, reading
from ris.web.pages.search.found import Hit, hits

bp = Blueprint("search", __name__, url_prefix="/search", template_folder="templates")


@bp.get("")
@requires(Permission.PATIENT_READ)
def index() -> ResponseReturnValue:
    q = request.args.get("q", "").strip()[:100]
    found: list[Hit] = []
    if q:
        look_query("search", {"q": q})
        with reading() as session:
            found = hits(session, q, sites_for(Permission.EXAM_READ))
    if request.accept_mimetypes.best == "application/json":
        return jsonify([asdict(hit) for hit in found])
    return render_template("search/index.html", q=q, hits=found, may_register=may_anywhere(Permission.PATIENT_EDIT))
