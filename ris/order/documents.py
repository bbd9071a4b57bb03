"""Papers of an order: requisitions, consents and reports from outside, as PDF files or pictures; kept as they came."""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Conflict, Invalid, NotFound
from ris.base.ids import new_id
from ris.base.uow import UnitOfWork, service
from ris.order.model import DocumentContent, DocumentKind, OrderDocument
from ris.order.service import get, order_event

MOST_BYTES = 3_500_000
"""Of one file; a request of the browser is not let grow far beyond it."""
MOST_OF_AN_ORDER = 50
LONGEST_NAME = 100
_BEGINNINGS = ((b"%PDF-", "application/pdf"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))
"""What a file is says its content, never its name or its sender."""
ENDINGS = {"application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg"}


@dataclass(frozen=True, slots=True)
class DocumentRow:
    document_id: int
    order_id: int
    kind: DocumentKind
    name: str
    media_type: str
    size: int
    added_by: str
    added_at: datetime

    @property
    def file_name(self) -> str:
        """A name for a disk, with the ending of what it is."""
        ending = ENDINGS[self.media_type]
        return self.name if self.name.lower().endswith(ending) else self.name + ending


_COLUMNS = (
    OrderDocument.id, OrderDocument.order_id, OrderDocument.kind, OrderDocument.name, OrderDocument.media_type, OrderDocument.size,
    OrderDocument.added_by, OrderDocument.added_at,
)  # fmt: skip


def documents(session: Session, order_id: int) -> list[DocumentRow]:
    """Without those that were taken out."""
    rows = session.execute(
        sa.select(*_COLUMNS).where(OrderDocument.order_id == order_id, OrderDocument.removed_at.is_(None)).order_by(OrderDocument.id)
    )
    return [DocumentRow(*row) for row in rows]


def document(session: Session, order_id: int, document_id: int) -> tuple[DocumentRow, bytes] | None:
    """One paper with its content; None where the order has no such paper any more."""
    found = next((row for row in documents(session, order_id) if row.document_id == document_id), None)
    if found is None:
        return None
    return found, session.scalars(sa.select(DocumentContent.content).where(DocumentContent.document_id == document_id)).one()


def media_type_of(content: bytes) -> str:
    """What a file is, by its first bytes. Raises Invalid for one that is empty, too large or of no kind that is kept."""
    if not content:
        raise Invalid("the file is empty")
    if len(content) > MOST_BYTES:
        raise Invalid(f"a file has at most {MOST_BYTES / 1e6} MB: scan it in shades of grey, or in parts")
    found = next((media_type for beginning, media_type in _BEGINNINGS if content.startswith(beginning)), None)
    if found is None:
        raise Invalid("only PDF, PNG and JPEG files can be attached")
    return found


@service
def attach(uow: UnitOfWork, order_id: int, *, kind: DocumentKind, name: str, content: bytes) -> OrderDocument:
    """Keeps a file with the order; the same file again is no change.

    Raises Invalid for one that is empty, too large or neither PDF, PNG nor JPEG, Conflict where the order has enough of them.
    """
    media_type = media_type_of(content)
    order = get(uow, order_id)
    digest = hashlib.sha256(content).hexdigest()
    known = _kept(uow, order_id)
    same = next((row for row in known if row.sha256 == digest), None)
    if same is not None:
        return same
    if len(known) >= MOST_OF_AN_ORDER:
        raise Conflict(f"an order has at most {MOST_OF_AN_ORDER} documents")
    row = uow.add(
        OrderDocument(
            id=new_id(), order_id=order_id, kind=kind, name=_clean(name) or kind.value.replace("_", " "), media_type=media_type,
            size=len(content), sha256=digest, added_by=uow.actor.name, added_at=uow.now, removed_at=None, removed_by="", removed_reason="",
        )
    )  # fmt: skip
    uow.add(DocumentContent(document_id=row.id, content=content))
    uow.emit(order_event("order.document_added", order, document_id=row.id, kind=kind.value))
    return row


@service
def remove(uow: UnitOfWork, order_id: int, document_id: int, reason: str) -> None:
    """Takes a paper out that does not belong there; what it was stays for the trail. Raises Invalid without a reason, NotFound."""
    if not reason.strip():
        raise Invalid("say why the document is taken out", error_code="101")
    order = get(uow, order_id)
    row = next((row for row in _kept(uow, order_id) if row.id == document_id), None)
    if row is None:
        raise NotFound("the order has no such document")
    uow.touch()
    row.removed_at, row.removed_by, row.removed_reason = uow.now, uow.actor.name, reason.strip()
    uow.emit(order_event("order.document_removed", order, document_id=document_id, reason=reason.strip()))


def _kept(uow: UnitOfWork, order_id: int) -> Sequence[OrderDocument]:
    return uow.session.scalars(sa.select(OrderDocument).where(OrderDocument.order_id == order_id, OrderDocument.removed_at.is_(None))).all()


def _clean(name: str) -> str:
    """The last part of a path, without what a disk or a header would take for something else."""
    last = PurePosixPath(name.replace("\\", "/")).name
    plain = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c)[0] in "LNPSZ" and c not in '<>:"|?*;%')
    return plain.strip(" .")[-LONGEST_NAME:]
