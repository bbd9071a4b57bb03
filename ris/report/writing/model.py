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


class Macro(Versioned, Base):
    """A text that its shortcut stands for, of one person or of all; every earlier stand is in the trail."""

    __tablename__ = "macro"
    __table_args__ = (sa.UniqueConstraint("shelf", "shortcut"),)

    id: Mapped[Key]
    shelf: Mapped[str]
    """Whose it is: see `ris.report.writing.macros.shelf_of`."""
    shortcut: Mapped[str]
    """Typed behind a dot."""
    name: Mapped[str]
    text: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)


class FindingCode(Versioned, Base):
    """A category of a scheme such as BI-RADS, or with a unit something that is measured."""

    __tablename__ = "finding_code"
    __table_args__ = (sa.UniqueConstraint("scheme", "code"),)

    id: Mapped[Key]
    scheme: Mapped[str]
    code: Mapped[str]
    name: Mapped[str]
    unit: Mapped[str] = mapped_column(default="")
    """Empty: a category, of which a report has one for each scheme."""
    position: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Rising down the list."""
    active: Mapped[bool] = mapped_column(default=True)


class ProcedureScheme(Versioned, Base):
    """That the reports of a procedure have coded findings of a scheme."""

    __tablename__ = "procedure_scheme"
    __table_args__ = (sa.UniqueConstraint("procedure_id", "scheme"),)

    id: Mapped[Key]
    procedure_id: Mapped[int] = mapped_column(references("procedure.id"))
    scheme: Mapped[str]
    required: Mapped[bool] = mapped_column(default=True)
    """Whether nothing is signed without one."""
    active: Mapped[bool] = mapped_column(default=True)


class DraftFinding(Base):
    """A coded finding of a report that is being written."""

    __tablename__ = "draft_finding"

    report_id: Mapped[int] = mapped_column(references("report.id"), primary_key=True)
    scheme: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(default="")
    """Of a measurement, a decimal number."""


class VersionFinding(Base):
    """A coded finding as it was signed. Immutable, as the version is."""

    __tablename__ = "version_finding"

    version_id: Mapped[int] = mapped_column(references("report_version.id"), primary_key=True)
    scheme: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    """As it was called then."""
    value: Mapped[str]
    unit: Mapped[str]
