"""Whom orders name: taken in as referrers a little later, so that no message pays for it."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.order.model import Order
from ris.referrer.model import ReferrerAlias
from ris.referrer.service import Named

NEWEST = 5000
"""So many orders are looked at; a job that looks every half minute misses none."""


def not_taken_in(session: Session) -> list[Named]:
    """Everybody whom the newest orders name and no referrer is called so."""
    newest = sa.select(Order.partner_id, Order.orderer_number, Order.orderer_name).order_by(Order.id.desc()).limit(NEWEST).subquery()
    rows = session.execute(sa.select(newest).distinct().where((newest.c.orderer_number != "") | (newest.c.orderer_name != "")))
    named = {one.key: one for row in rows if (one := Named(*row))}
    known = set(session.scalars(sa.select(ReferrerAlias.key).where(ReferrerAlias.key.in_(named))))
    return [one for key, one in named.items() if key not in known]
