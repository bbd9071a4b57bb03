"""Files that were brought by the browser: kept until they are taken in or a week old, and what came of them."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key


class ImportFile(Base):
    __tablename__ = "import_file"

    id: Mapped[Key]
    kind: Mapped[str]
    """A key of `ris.imports.KINDS`."""
    name: Mapped[str]
    content: Mapped[bytes]
    """Empty once it is taken in, thrown away or old: it may name patients."""
    size: Mapped[int]
    brought_at: Mapped[datetime]
    brought_by: Mapped[str]
    told: Mapped[bool] = mapped_column(default=False)
    """Whether partners and patients were told."""
    applied_at: Mapped[datetime | None]
    applied_by: Mapped[str] = mapped_column(default="")
    counts: Mapped[dict[str, Any]]
    """Of the lines that were taken in, by verdict."""
