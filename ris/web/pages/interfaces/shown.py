"""What the interface pages share: the wall clock that they are read by, and the midnight that a day begins with."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import from_wall_clock, local
from ris.catalog.model import Site
from ris.staff.permission import Permission
from ris.web.access import sites_for
from ris.web.page import working_site


def zone_of_reader(session: Session) -> str:
    """The clock of the site that the person works at."""
    site_id = working_site(sites_for(Permission.INTERFACE_READ))
    return session.scalar(sa.select(Site.zone).where(Site.id == site_id)) or "UTC"


def midnight(now: datetime, zone: str) -> datetime:
    """When the day began by that clock."""
    return from_wall_clock(local(now, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None), zone)
