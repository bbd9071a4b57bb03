"""Coded findings of a report: categories such as BI-RADS and measurements, written with the draft and kept with each version."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid
from ris.base.uow import UnitOfWork
from ris.catalog.model import Procedure
from ris.catalog.records.field import YES, Field, Known, Number, Reference, Wrong, YesNo
from ris.catalog.records.record import Problem, Record
from ris.report.model import Report, ReportVersion
from ris.report.writing.model import DraftFinding, FindingCode, ProcedureScheme, VersionFinding

_VALUE = re.compile(r"\d{1,5}(?:\.\d{1,3})?")


@dataclass(frozen=True, slots=True)
class Finding:
    """`value` is that of a measurement, and empty for a category."""

    scheme: str
    code: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A scheme that the reports of a procedure have codes of."""

    scheme: str
    required: bool
    codes: tuple[FindingCode, ...]

    @property
    def is_measured(self) -> bool:
        return any(code.unit for code in self.codes)


@dataclass(frozen=True, slots=True)
class SchemeName(Field):
    required: bool = True
    longest: int = 24

    @property
    def told(self) -> str:
        return "1 to 24 letters, digits, blanks or -"

    def read(self, known: Known, text: str) -> Any:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 -]*", text):
            raise Wrong("is no name of a scheme", f"write {self.told}")
        return text


_SCHEME = SchemeName("scheme", "Scheme", "Such as BI-RADS, or what is measured, such as Nodule.")
_ACTIVE = YesNo("active", "In use", "A retired one is offered no more; reports that have it keep it.", default=YES)

FINDING_CODE = Record(
    "finding_code",
    "finding code",
    "Finding codes",
    "Categories and measurements that reports are coded with. Their full texts belong to who publishes them: bring yours in as a file.",
    FindingCode,
    (
        _SCHEME,
        Field("code", "Code", required=True, longest=12),
        Field("name", "Name", "As it is offered and written into the text.", required=True, longest=400),
        Field("unit", "Unit", "Of a measurement, such as mm; empty for a category.", longest=12),
        Number("position", "Place in the list", required=True, default="0", most=999),
        _ACTIVE,
    ),
    ("scheme", "code"),
    order=("scheme", "position", "code"),
)


def _is_known(known: Known, values: Mapping[str, Any]) -> Iterator[Problem]:
    known.session.flush()  # of a file the lines before
    if known.session.scalar(sa.select(FindingCode.id).where(FindingCode.scheme == values["scheme"]).limit(1)) is None:
        yield Problem("scheme", "has no codes yet", "add its finding codes first")


PROCEDURE_SCHEME = Record(
    "procedure_scheme",
    "coded scheme",
    "Coded schemes",
    "Which findings the reports of a procedure are coded with, and whether they are signed without.",
    ProcedureScheme,
    (
        Reference("procedure", "Procedure", to=Procedure),
        _SCHEME,
        YesNo("required", "Needed to sign", default=YES),
        _ACTIVE,
    ),
    ("procedure", "scheme"),
    _is_known,
    parent="procedure",
)


def asked(session: Session, kind_id: int | None) -> list[Asked]:
    """The schemes of a procedure of the catalogue, those that are needed first."""
    schemes = session.scalars(
        sa.select(ProcedureScheme)
        .where(ProcedureScheme.procedure_id == kind_id, ProcedureScheme.active)
        .order_by(ProcedureScheme.required.desc(), ProcedureScheme.scheme)
    ).all()
    codes = _codes(session, {row.scheme for row in schemes})
    return [Asked(row.scheme, row.required, tuple(code for code in codes if code.scheme == row.scheme)) for row in schemes]


def written(session: Session, report_id: int) -> dict[tuple[str, str], str]:
    """Scheme and code to the value of each finding of the draft."""
    rows = session.scalars(sa.select(DraftFinding).where(DraftFinding.report_id == report_id))
    return {(row.scheme, row.code): row.value for row in rows}


def write(uow: UnitOfWork, report: Report, findings: Collection[Finding]) -> None:
    """The findings of the draft from now on. Raises Invalid for an unknown code, a second category of a scheme, or no number."""
    known = {(code.scheme, code.code): code for code in _codes(uow.session, {finding.scheme for finding in findings})}
    categories = [finding.scheme for finding in findings if not finding.value]
    if len(categories) != len(set(categories)):
        raise Invalid("a report has one category of each scheme")
    wanted = {}
    for finding in findings:
        code = known.get((finding.scheme, finding.code))
        if code is None or bool(code.unit) != bool(finding.value):
            raise Invalid(f"{finding.scheme} {finding.code} is not offered: load the report again")
        value = finding.value.replace(",", ".")
        if code.unit and not _VALUE.fullmatch(value):
            raise Invalid(f"{finding.scheme} {code.name}: write a number in {code.unit}, such as 12 or 12.5")
        wanted[finding.scheme, finding.code] = value
    if written(uow.session, report.id) == wanted:
        return
    uow.touch()
    clear(uow, report)
    for (scheme, code_text), value in wanted.items():
        uow.add(DraftFinding(report_id=report.id, scheme=scheme, code=code_text, value=value))


def clear(uow: UnitOfWork, report: Report) -> None:
    """What was coded does not hold any more."""
    uow.session.execute(sa.delete(DraftFinding).where(DraftFinding.report_id == report.id))


def missing(session: Session, report: Report, kind_id: int | None) -> list[str]:
    """The schemes without which the report is not signed, and of which it has no code."""
    schemes = {scheme for scheme, _ in written(session, report.id)}
    return [each.scheme for each in asked(session, kind_id) if each.required and each.scheme not in schemes]


def keep(uow: UnitOfWork, report: Report, version: ReportVersion) -> None:
    """With the version, as they are called now."""
    found = written(uow.session, report.id)
    codes = {(code.scheme, code.code): code for code in _codes(uow.session, {scheme for scheme, _ in found}, also_retired=True)}
    for key, value in found.items():
        code = codes[key]
        uow.add(
            VersionFinding(version_id=version.id, scheme=code.scheme, code=code.code, name=code.name, value=value, unit=code.unit)
        )  # fmt: skip


def _codes(session: Session, schemes: Collection[str], *, also_retired: bool = False) -> list[FindingCode]:
    if not schemes:
        return []
    query = sa.select(FindingCode).where(FindingCode.scheme.in_(schemes)).order_by(FindingCode.position, FindingCode.code)
    return list(session.scalars(query if also_retired else query.where(FindingCode.active)))
