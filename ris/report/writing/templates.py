"""The text that a report begins with: chosen by procedure, site, sex and age, edited as reference data."""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Modality, Procedure, Site
from ris.catalog.records.field import YES, Choice, Code, Field, Known, Lines, Number, Reference, YesNo
from ris.catalog.records.record import Problem, Record
from ris.patient.model import Sex
from ris.report.writing.facts import Facts
from ris.report.writing.merge import unknown_names
from ris.report.writing.model import ReportTemplate

OLDEST = 130
"""Years."""
SEXES = ((Sex.female, "female"), (Sex.male, "male"))


def _fits(_known: Known, values: Mapping[str, Any]) -> Iterator[Problem]:
    youngest, oldest = values["age_from"], values["age_to"]
    if youngest is not None and oldest is not None and youngest > oldest:
        yield Problem("age_to", "is less than the youngest age", "write that age or an older one")
    if values["procedure_id"] is not None and values["modality"] is not None:
        yield Problem("modality", "is there beside a procedure", "leave it open: the procedure has its own")
    if unknown := unknown_names(values["text"]):
        yield Problem("text", f"names {', '.join(unknown)} in braces", "write one of the names that docs/operate/reading.md lists")


REPORT_TEMPLATE = Record(
    "report_template",
    "report template",
    "Report templates",
    "The texts that reports begin with. Of those that fit an exam the one that names its procedure is taken, then its site, sex, age.",
    ReportTemplate,
    (
        Code("code", "Code"),
        Field("name", "Name", required=True, longest=120),
        Reference("procedure", "Procedure", "Empty: every procedure.", required=False, to=Procedure),
        Choice("modality", "Modality", "For every procedure of a modality.", required=False, of=Modality),
        Reference("site", "Site", "Empty: every site.", required=False, to=Site),
        Choice("sex", "Sex", required=False, of=Sex, labels=SEXES),
        Number("age_from", "From age", "Whole years at the exam.", most=OLDEST),
        Number("age_to", "To age", "The last year that it holds for.", most=OLDEST),
        Lines("text", "Text", "Fields in square brackets, what is merged in braces.", required=True, longest=20_000, rows=16),
        YesNo("active", "In use", "A retired one is taken no more.", default=YES),
    ),
    ("code",),
    _fits,
    listed=("code", "name", "procedure", "modality", "site", "sex", "age_from", "age_to", "active"),
)


def text_for(session: Session, facts: Facts) -> str:
    """Of the templates that fit the exam the one that asks for most; the procedure's own text is before those that do not name it."""
    template = next(iter(_fitting(session, facts)), None)
    if template is not None and template.procedure_id is not None:
        return template.text
    own = session.scalar(sa.select(Procedure.template).where(Procedure.id == facts.kind_id))
    return own or (template.text if template is not None else "")


def offered(session: Session, facts: Facts) -> list[ReportTemplate]:
    """Those that fit the exam, the best first."""
    return _fitting(session, facts)


def _fitting(session: Session, facts: Facts) -> list[ReportTemplate]:
    of, age = ReportTemplate, facts.age
    asks = [
        (of.procedure_id, of.procedure_id == facts.kind_id),
        (of.site_id, of.site_id == facts.site_id),
        (of.sex, of.sex == facts.sex),
        (of.modality, of.modality == facts.modality),
        (of.age_from, of.age_from <= age if age is not None else sa.false()),
        (of.age_to, of.age_to >= age if age is not None else sa.false()),
    ]
    fits = [sa.or_(column.is_(None), holds) for column, holds in asks]
    asking_most = [column.is_(None) for column, _ in asks]
    return list(session.scalars(sa.select(of).where(of.active, *fits).order_by(*asking_most, of.code)))
