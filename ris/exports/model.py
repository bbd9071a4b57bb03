"""The bytes of each export file, so that a lost file is written again just as it was, whatever has changed since."""

from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, references


class ExportContent(Base):
    __tablename__ = "export_content"

    batch_id: Mapped[int] = mapped_column(references("export_batch.id"), primary_key=True, autoincrement=False)
    content: Mapped[bytes]
