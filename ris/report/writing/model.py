"""Tables of what helps to write a report, and of the doubts that somebody signed against."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, references
from ris.catalog.model import Modality
from ris.patient.model import Sex


class ReportTemplate(Versioned, Base):
    """The text that a report begins with, where everything that it asks for holds; what it leaves open holds for all."""

    __tablename__ = "report_template"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    procedure_id: Mapped[int | None] = mapped_column(references("procedure.id"), index=True)
    modality: Mapped[Modality | None]
    site_id: Mapped[int | None] = mapped_column(references("site.id"))
    sex: Mapped[Sex | None]
    age_from: Mapped[int | None] = mapped_column(sa.Integer)
    """Whole years at the exam."""
    age_to: Mapped[int | None] = mapped_column(sa.Integer)
    """The last year that it holds for."""
    text: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)


class ImageViewer(Versioned, Base):
    """Where the images of a site are looked at."""

    __tablename__ = "image_viewer"

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(references("site.id"), unique=True)
    address: Mapped[str]
    """With the names of `ris.report.writing.viewer` in braces."""
    active: Mapped[bool] = mapped_column(default=True)


class OverriddenDoubt(Base):
    """A doubt about a text, and why it was signed all the same. Immutable, as the version is."""

    __tablename__ = "overridden_doubt"

    version_id: Mapped[int] = mapped_column(references("report_version.id"), primary_key=True)
    position: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    """Counted from 1, in reading order."""
    check: Mapped[str]
    """A name of `ris.report.writing.checks.CHECKS`."""
    says: Mapped[str]
    excerpt: Mapped[str]
    reason: Mapped[str]
