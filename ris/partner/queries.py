"""Finding the partner behind a message; frozen rows, taken up anew when they change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.partner.model import Partner


@dataclass(frozen=True, slots=True)
class PartnerRow:
    id: int
    name: str
    application: str
    facility: str
    charset: str
    zone: str
    authority: str
    site_id: int | None
    policies: Mapping[str, Any]

    @property
    def default_authority(self) -> str:
        """Who assigns a number that names no authority: never nobody, or the patients of two partners would become one."""
        return self.authority or self.facility or self.name


@dataclass(frozen=True, slots=True)
class Partners:
    """All active partners at one moment."""

    by_sender: Mapping[tuple[str, str], PartnerRow]
    by_name: Mapping[str, PartnerRow]

    def find(self, application: str, facility: str, default: str = "") -> PartnerRow | None:
        """By MSH-3 and MSH-4, else the partner that unknown senders are taken for."""
        return self.by_sender.get((application, facility)) or self.by_name.get(default)


def partners(session: Session) -> Partners:
    rows = [
        PartnerRow(p.id, p.name, p.application, p.facility, p.charset, p.zone, p.authority, p.site_id, p.policies)
        for p in session.scalars(sa.select(Partner).where(Partner.active).order_by(Partner.name))
    ]
    return Partners({(row.application, row.facility): row for row in rows}, {row.name: row for row in rows})
