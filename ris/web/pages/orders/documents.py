"""Papers of an order in the browser: attached, taken out, and handed out so that no browser runs what is in them."""

import io

from flask import Response, abort, request, send_file
from flask.typing import ResponseReturnValue

from ris.base.errors import Invalid
from ris.base.ref import Ref
from ris.order import documents
from ris.order.model import DocumentKind
from ris.staff.permission import Permission
from ris.web.access import requires
from ris.web.form import Form
from ris.web.page import look, reading
from ris.web.pages.orders.views import bp, do, order_at, page_of

_SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'"


@bp.post("/orders/<int:order_id>/documents")
@requires(Permission.ORDER_ENTER)
def attach(order_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_ENTER)
    form = Form(request.form)
    kind = form.choice("document_kind", "The kind of document", DocumentKind)
    file = request.files.get("document")
    content = file.stream.read(documents.MOST_BYTES + 1) if file else b""
    try:
        documents.media_type_of(content)
    except Invalid as error:
        form.errors["document"] = f"{error.message[:1].upper()}{error.message[1:]}."
    if form.errors or kind is None:
        return page_of(page, attaching=form), 422
    name = file.filename if file and file.filename else ""
    return do(page, lambda uow: documents.attach(uow, order_id, kind=kind, name=name, content=content), "The document is attached.")


@bp.get("/orders/<int:order_id>/documents/<int:document_id>")
@requires(Permission.EXAM_READ)
def document(order_id: int, document_id: int) -> ResponseReturnValue:
    """Always as a file to be saved, of the type that its content has, and in a sandbox should a browser show it all the same."""
    page = order_at(order_id, Permission.EXAM_READ)
    with reading() as session:
        found = documents.document(session, order_id, document_id)
    if found is None:
        abort(404)
    row, content = found
    look("document", Ref("document", document_id), patient_id=page.order.patient_id, site_id=page.order.site_id)
    answer: Response = send_file(io.BytesIO(content), row.media_type, as_attachment=True, download_name=row.file_name)
    answer.headers["Content-Security-Policy"] = _SANDBOX
    return answer


@bp.post("/orders/<int:order_id>/documents/<int:document_id>/remove")
@requires(Permission.ORDER_ENTER)
def remove(order_id: int, document_id: int) -> ResponseReturnValue:
    page = order_at(order_id, Permission.ORDER_ENTER)
    reason = request.form.get("reason", "").strip()[:200]
    return do(page, lambda uow: documents.remove(uow, order_id, document_id, reason), "The document is taken out.")
