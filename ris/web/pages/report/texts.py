"""What the editor can put into the text: macros and templates, filled with what is known of the exam."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from ris.report.writing import macros, templates
from ris.report.writing.facts import facts_of
from ris.report.writing.merge import merged
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.page import current_user, exam_here, program, reading

bp = Blueprint("texts", __name__, url_prefix="/exams/<int:procedure_id>/texts")


@bp.get("")
@requires(Permission.REPORT_WRITE)
def show(procedure_id: int) -> ResponseReturnValue:
    """Fetched by the page of the report, whose opening is in the trail. Macros by their shortcut behind a dot, templates by their code."""
    exam_here(procedure_id, Permission.REPORT_WRITE)
    with reading() as session:
        facts = facts_of(session, procedure_id, program().clock())
        offered = [(f".{row.shortcut}", row.name, row.text) for row in macros.offered(session, current_user().id)]
        offered += [(row.code, row.name, row.text) for row in templates.offered(session, facts)]
    return jsonify([{"key": key, "name": name, "text": merged(text, facts)} for key, name, text in offered])
