"""The radiologists' list before the exam: what needs a protocol, what waits for approval, what is back at the desk."""

from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork
from ris.order.status import Priority
from ris.protocol import service
from ris.protocol.queries import ToProtocolRow, to_protocol
from ris.staff.permission import Permission
from ris.web.worklists.listing import (
    Cell,
    Deed,
    Line,
    View,
    Worklist,
    clock_cell,
    duration,
    exam_cell,
    patient_cell,
    priority_cell,
    sought,
)


def lines(session: Session, view: View) -> list[Line]:
    return [_line(row, view) for row in to_protocol(session, list(view.zones))]


def _line(row: ToProtocolRow, view: View) -> Line:
    waited = int((view.now - row.placed_at).total_seconds()) // 60
    return Line(
        row.procedure_id,
        row.priority is Priority.stat,
        (
            priority_cell(row.priority),
            clock_cell(row.placed_at, row.zone, view, f"waits {duration(max(waited, 0))}"),
            patient_cell(row),
            exam_cell(row),
            Cell(row.reason),
            Cell(row.site_code, note=row.exam_status.replace("_", " ")),
            Cell(row.status, "status", f"by {row.proposed_by}" if row.proposed_by else ""),
            Cell(row.claimed_by, "person" if row.claimed_by else "text"),
            Cell(row.remark),
        ),
        ("open",),
        {"modality": row.modality, "site": row.site_code, "state": row.status},
        sought(row),
    )


def claim(uow: UnitOfWork, procedure_id: int, _answer: str) -> None:
    service.claim(uow, procedure_id)


WORKLIST = Worklist(
    name="protocol",
    title="Protocols",
    permission=Permission.PROTOCOL_PROPOSE,
    columns=("Priority", "Ordered", "Patient", "Exam", "Question", "Site", "Protocol", "At it", "Remark"),
    facets=("modality", "site", "state"),
    lines=lines,
    deeds=(Deed("open", "Protocol", "p", claim, "", "primary", leads_to="protocol.show"),),
    empty="Every exam that needs a protocol has one.",
    is_dated=False,
)
