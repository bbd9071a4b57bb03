"""What is kept of files that were written: the bytes of each export, and when the last downtime packet was."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, references


class ExportContent(Base):
    """A lost file is written again just as it was, whatever has changed since."""

    __tablename__ = "export_content"

    batch_id: Mapped[int] = mapped_column(references("export_batch.id"), primary_key=True, autoincrement=False)
    content: Mapped[bytes]


class DowntimePacket(Base):
    """When the last packet was written and, when none could be since, why not. One row."""

    __tablename__ = "downtime_packet"
    __table_args__ = (sa.CheckConstraint("id = 1", "only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    written_at: Mapped[datetime | None]
    place: Mapped[str] = mapped_column(default="")
    """Machine and folder."""
    failed_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="")
