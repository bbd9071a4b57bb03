"""Tables of protocol codes and of the protocol of each exam that needed one."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, references
from ris.catalog.model import Modality
from ris.protocol.status import ProtocolStatus, Urgency


class ProtocolCode(Versioned, Base):
    """A way of doing exams that a machine or a technologist knows by its code."""

    __tablename__ = "protocol_code"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    """(0040,0008) item: Code Value (0008,0100)."""
    name: Mapped[str]
    """Code Meaning (0008,0104)."""
    modality: Mapped[Modality]
    instructions: Mapped[str] = mapped_column(default="")
    """What is done, for who has not done it before."""
    active: Mapped[bool] = mapped_column(default=True)


class ExamProtocol(Versioned, Base):
    """How one exam shall be done, as it stands now; every earlier stand is in the trail."""

    __tablename__ = "exam_protocol"

    id: Mapped[Key]
    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"), unique=True)
    status: Mapped[ProtocolStatus]
    codes: Mapped[list[str]]
    """Of `protocol_code`, in the order in which they are done."""
    instructions: Mapped[str] = mapped_column(default="")
    urgency: Mapped[Urgency] = mapped_column(default=Urgency.elective)
    target_at: Mapped[datetime | None]
    """When the exam should have begun, from the approval on."""
    claimed_by_id: Mapped[int | None] = mapped_column(references("user_account.id"))
    claimed_by: Mapped[str] = mapped_column(default="")
    proposed_by_id: Mapped[int | None] = mapped_column(references("user_account.id"))
    proposed_by: Mapped[str] = mapped_column(default="")
    approved_by: Mapped[str] = mapped_column(default="")
    approved_at: Mapped[datetime | None]
    remark: Mapped[str] = mapped_column(default="")
    """Why it was sent back or rejected, or what the desk found out."""
    remark_by: Mapped[str] = mapped_column(default="")
