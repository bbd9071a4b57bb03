"""The earlier exams of a patient as a reader wants them: those most like the exam at hand first, read here or elsewhere."""

import enum
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.catalog.model import Procedure, Site
from ris.order.model import Order, RequestedProcedure
from ris.order.queries import PROCEDURE_NAME
from ris.order.status import ProcedureStatus
from ris.patient.outside import outside_reports
from ris.report import versions
from ris.report.model import ReportProcedure, ReportVersion
from ris.report.status import FIRST_LOOKS, VersionKind

MOST = 60
"""Exams of a patient that are looked at, the newest."""
SHOWN = 30


class Kinship(enum.IntEnum):
    """How like the exam at hand an earlier one is: the lower the liker."""

    same = 0
    """Body region and modality."""
    region = 1
    modality = 2
    other = 3


@dataclass(frozen=True, slots=True)
class Prior:
    """An earlier exam; `text` is the final report as it stands now, and empty where there is none."""

    kinship: Kinship
    done_on: date
    """By the clock of its site."""
    procedure_name: str
    number: str
    """Its accession number, or what its source calls it."""
    author: str
    text: str
    procedure_id: int | None
    """None for what was done elsewhere."""
    source: str
    """Where it was done, if elsewhere."""
    unaltered: bool = True
    """That the signature covers the text."""

    @property
    def told(self) -> str:
        """As a report names what it was compared with."""
        return f"{self.procedure_name} of {self.done_on}{f' ({self.source})' if self.source else ''}"


def priors(session: Session, procedure_id: int, site_ids: Collection[int] | None) -> list[Prior]:
    """The most alike first, of these the newest; a report that was retracted or taken back is no text.

    `site_ids` are the sites whose reports the reader may see; None: all, for what names no more of an exam than its date.
    """
    exam = session.execute(
        sa.select(Order.patient_id, Procedure.region, Procedure.modality)
        .select_from(RequestedProcedure)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .where(RequestedProcedure.id == procedure_id)
    ).one()
    patient_id, region, modality = exam

    def kinship(other_region: str | None, other_modality: str | None) -> Kinship:
        is_region = bool(region) and other_region == region
        if is_region and other_modality == modality:
            return Kinship.same
        return Kinship.region if is_region else Kinship.modality if modality and other_modality == modality else Kinship.other

    found = [
        Prior(kinship(of_region, of_modality), local(at, zone).date(), name, number, *_said(version, key))
        for key, number, name, of_region, of_modality, at, zone, version in _here(session, patient_id, procedure_id, site_ids)
    ]
    found += [
        Prior(kinship(row.region, row.modality), row.study_date, row.procedure, row.number, row.author, row.text, None, row.source)
        for row in outside_reports(session, patient_id)
    ]
    return sorted(found, key=lambda prior: (prior.kinship, -prior.done_on.toordinal()))[:SHOWN]


def _said(version: ReportVersion | None, procedure_id: int) -> tuple[str, str, int, str, bool]:
    """The last fields of a `Prior` that was read here."""
    if version is None or version.kind is VersionKind.retraction:
        return ("", "", procedure_id, "", True)
    return (version.signer_name, version.text, procedure_id, "", versions.verify(version))


def _here(session: Session, patient_id: int, procedure_id: int, site_ids: Collection[int] | None) -> list[tuple[Any, ...]]:
    """Completed before the exam at hand, or after it: a report is sometimes written late."""
    at = RequestedProcedure.ended_at
    newest = (
        sa.select(ReportVersion.report_id, sa.func.max(ReportVersion.number).label("number"))
        .join(ReportProcedure, ReportProcedure.report_id == ReportVersion.report_id)
        .join(RequestedProcedure, RequestedProcedure.id == ReportProcedure.procedure_id)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .where(Order.patient_id == patient_id, ReportVersion.kind.not_in(FIRST_LOOKS), ~versions.is_withdrawn())
        .group_by(ReportVersion.report_id)
        .subquery()
    )
    query = (
        sa.select(
            RequestedProcedure.id, RequestedProcedure.accession_number, PROCEDURE_NAME, Procedure.region, Procedure.modality, at, Site.zone,
            ReportVersion,
        )
        .select_from(RequestedProcedure)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .outerjoin(ReportProcedure, ReportProcedure.procedure_id == RequestedProcedure.id)
        .outerjoin(newest, newest.c.report_id == ReportProcedure.report_id)
        .outerjoin(ReportVersion, sa.and_(ReportVersion.report_id == newest.c.report_id, ReportVersion.number == newest.c.number))
        .where(
            Order.patient_id == patient_id, RequestedProcedure.id != procedure_id,
            RequestedProcedure.status == ProcedureStatus.completed, at.is_not(None),
            *([RequestedProcedure.site_id.in_(site_ids)] if site_ids is not None else []),
        )
        .order_by(at.desc(), RequestedProcedure.id.desc())
        .limit(MOST)
    )  # fmt: skip
    return [tuple(row) for row in session.execute(query)]
