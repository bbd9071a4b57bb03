"""Whether a printed version still holds, for whoever has the paper: found by the digest that stands on it, told without the patient."""

import re
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Site
from ris.order.model import Order
from ris.report import versions
from ris.report.model import Report, ReportVersion
from ris.report.status import VersionKind

DIGEST = re.compile(r"[0-9a-f]{64}")
"""SHA-256 in hexadecimal digits: who has not seen the document cannot guess it."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Times are UTC, `zone` is the site's."""

    site_name: str
    zone: str
    number: int
    kind: VersionKind
    meaning: str
    signed_at: datetime
    is_published: bool
    is_unaltered: bool
    newest_number: int
    newest_kind: VersionKind
    newest_at: datetime

    @property
    def is_current(self) -> bool:
        """Whether it was published, no other has taken its place, and it is what was signed; a retraction takes back and is never it."""
        is_newest = self.is_published and self.number == self.newest_number
        return is_newest and self.is_unaltered and self.kind is not VersionKind.retraction

    @property
    def is_retracted(self) -> bool:
        return self.newest_kind is VersionKind.retraction


def address(public_url: str, version: ReportVersion) -> str:
    """What the code on the paper leads to; empty where the pages have no address outside."""
    return f"{public_url}/verify/{version.digest}" if public_url else ""


def verify(session: Session, digest: str) -> Verified | None:
    """None for a digest that no version has."""
    if not DIGEST.fullmatch(digest):
        return None
    found = session.execute(
        sa.select(ReportVersion, Site.name, Site.zone)
        .join(Report, Report.id == ReportVersion.report_id)
        .join(Order, Order.id == Report.order_id)
        .join(Site, Site.id == Order.site_id)
        .where(ReportVersion.digest == digest)
    ).first()
    if found is None:
        return None
    version, site_name, zone = found
    newest = (
        session.scalars(
            sa.select(ReportVersion)
            .where(ReportVersion.report_id == version.report_id, ReportVersion.published_at.is_not(None))
            .order_by(ReportVersion.number.desc())
            .limit(1)
        ).one_or_none()
        or version
    )
    return Verified(
        site_name, zone, version.number, version.kind, version.meaning, version.signed_at, version.published_at is not None,
        versions.verify(version), newest.number, newest.kind, newest.signed_at,
    )  # fmt: skip
