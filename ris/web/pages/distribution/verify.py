"""The public page behind the code on a printed report: whether that version still holds, and nothing of the patient."""

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue

from ris.report import verification
from ris.web.access import public
from ris.web.pace import Pace
from ris.web.page import reading

bp = Blueprint("verify", __name__, url_prefix="/verify", template_folder="templates")

PER_MINUTE = 30
"""Looks from one address; a scanner of paper needs fewer, a search for reports would need many more."""


@bp.record_once
def _limit(state: object) -> None:
    state.app.extensions["ris_verify_pace"] = Pace(PER_MINUTE, 60.0)  # type: ignore[attr-defined]


@bp.get("/<digest>")
@public
def show(digest: str) -> ResponseReturnValue:
    pace: Pace = current_app.extensions["ris_verify_pace"]
    wait_s = pace.wait(request.remote_addr or "")
    if wait_s:
        answer = render_template("distribution/verify.html", found=None, slow=True)
        return answer, 429, {"Retry-After": str(wait_s)}
    with reading() as session:
        found = verification.verify(session, digest.lower())
    return render_template("distribution/verify.html", found=found, slow=False), 200 if found else 404
