"""Writes the first partners of the settings as rows; what is there already stays as it was edited."""

import sqlalchemy as sa

from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork
from ris.catalog.model import Site
from ris.hl7.outbound import DEFAULTS
from ris.partner import policy
from ris.partner.model import Destination, Partner, Subscription
from ris.settings import PartnerSeed


def seed_partners(uow: UnitOfWork, seeds: tuple[PartnerSeed, ...]) -> list[Partner]:
    """Those that were not known yet, each with a destination and the usual subscriptions when it has a result port.

    Raises Invalid for a policy that nobody reads.
    """
    for seed in seeds:
        policy.check(seed.policies)
    known = {tuple(row) for row in uow.session.execute(sa.select(Partner.application, Partner.facility))}
    new = [_add(uow, seed) for seed in seeds if (seed.application, seed.facility) not in known]
    uow.drain()
    return new


def _add(uow: UnitOfWork, seed: PartnerSeed) -> Partner:
    partner = uow.add(
        Partner(
            id=new_id(), name=seed.name, application=seed.application, facility=seed.facility, charset=seed.charset, zone=seed.zone,
            authority=seed.authority, site_id=uow.session.scalar(sa.select(Site.id).where(Site.code == seed.site)),
            policies=dict(seed.policies),
        )
    )  # fmt: skip
    uow.session.flush()
    uow.emit(Event("partner.seeded", Ref("partner", partner.id), site_id=partner.site_id))
    if seed.result_port is not None:
        _add_destination(uow, partner, seed.result_host, seed.result_port)
    return partner


def _add_destination(uow: UnitOfWork, partner: Partner, host: str, port: int) -> None:
    destination = uow.add(Destination(id=new_id(), partner_id=partner.id, name=f"{partner.name} results", host=host, port=port))
    uow.session.flush()
    for event, message in DEFAULTS.items():
        uow.add(Subscription(destination_id=destination.id, event=event, message=message))
    uow.emit(Event("destination.seeded", Ref("destination", destination.id), site_id=partner.site_id))
