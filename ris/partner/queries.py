"""Finding the partner behind a message; frozen rows, taken up anew when they change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.partner.model import Destination, Partner
from ris.partner.policy import policy


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
    codes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Kind and code of the partner's to what we mean by it; procedures apart."""

    def agreed(self, name: str) -> Any:
        """The value of a policy."""
        return policy(self.policies, name)

    def our(self, kind: str, code: str) -> str:
        """What we call it; a code that nobody has mapped stays as it is, and nothing waits for that."""
        return self.codes.get((kind, code), code) if self.codes else code

    @property
    def default_authority(self) -> str:
        """Who assigns a number that names no authority: never nobody, or the patients of two partners would become one."""
        return self.authority or self.facility or self.name


@dataclass(frozen=True, slots=True)
class Partners:
    """All active partners at one moment."""

    by_sender: Mapping[tuple[str, str], PartnerRow]
    by_name: Mapping[str, PartnerRow]
    by_port: Mapping[int, PartnerRow] = field(default_factory=dict)

    def find(self, application: str, facility: str, default: str = "") -> PartnerRow | None:
        """By MSH-3 and MSH-4, else the partner that unknown senders are taken for."""
        return self.by_sender.get((application, facility)) or self.by_name.get(default)


def partners(session: Session, codes: Mapping[int, Mapping[tuple[str, str], str]] | None = None) -> Partners:
    """`codes`: what each partner's codes are here, by its key."""
    rows = [
        PartnerRow(
            p.id, p.name, p.application, p.facility, p.charset, p.zone, p.authority, p.site_id, p.policies, (codes or {}).get(p.id, {})
        )
        for p in session.scalars(sa.select(Partner).where(Partner.active).order_by(Partner.name))
    ]
    by_port = {port: row for row in rows if (port := row.agreed("port"))}
    return Partners({(row.application, row.facility): row for row in rows}, {row.name: row for row in rows}, by_port)


def own_ports(session: Session) -> dict[int, str]:
    """Ports of partners that have their own, to the addresses that are let in there."""
    return {port: str(row.agreed("addresses")) for port, row in partners(session).by_port.items()}


def destinations(session: Session) -> list[tuple[int, str]]:
    """Those that are in use, by name."""
    rows = session.execute(sa.select(Destination.id, Destination.name).where(Destination.active).order_by(Destination.name))
    return [(key, name) for key, name in rows]
