"""What a scheduler is offered: the search over facts of the database, as rows for pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.base.errors import Invalid
from ris.order.model import RequestedProcedure
from ris.scheduling import gather, search
from ris.scheduling.facts import Asked, Facts
from ris.scheduling.gather import NOTHING, Own
from ris.scheduling.places import Place
from ris.scheduling.search import Offer
from ris.scheduling.spans import minute, moment


@dataclass(frozen=True, slots=True)
class Part:
    """One step of an offer."""

    procedure_id: int | None
    exam_name: str
    step: int
    step_name: str
    room_id: int
    room_name: str
    starts_at: datetime
    ends_at: datetime
    helpers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfferRow:
    parts: tuple[Part, ...]
    leaves_gap: bool
    site_id: int
    zone: str

    @property
    def starts_at(self) -> datetime:
        return self.parts[0].starts_at

    @property
    def day(self) -> date:
        """By the wall clock of its site."""
        return local(self.starts_at, self.zone).date()

    @property
    def places(self) -> list[Place]:
        return [Place(part.procedure_id, part.room_id, part.starts_at, part.step) for part in self.parts if part.procedure_id is not None]


@dataclass(frozen=True, slots=True)
class Offered:
    zone: str
    """By which `third_next` is read."""
    offers: tuple[OfferRow, ...]
    third_next: datetime | None
    cannot: tuple[str, ...]
    """Why some rooms are left out whenever it is."""


@dataclass(frozen=True, slots=True)
class Slot:
    room_id: int
    room_name: str
    starts_at: datetime
    ends_at: datetime


def for_exams(
    session: Session,
    procedure_ids: Sequence[int],
    asked: Asked,
    now: datetime,
    *,
    own: Own = NOTHING,
    limit: int = 60,
    a_day: int | None = 6,
    site_id: int | None = None,
) -> Offered:
    """For requested procedures of one patient, at the site where they are, or at `site_id`.

    Raises as `gather.for_exams`, and Invalid for too many.
    """
    if len(procedure_ids) > search.MOST_TOGETHER:
        raise Invalid(f"at most {search.MOST_TOGETHER} exams are looked for together")
    return _offered(gather.for_exams(session, procedure_ids, asked, now, own, site_id=site_id), asked, limit, a_day)


def for_procedure(
    session: Session, site_id: int, procedure_id: int, asked: Asked, now: datetime, *, limit: int = 60, a_day: int | None = 6
) -> Offered:
    """For a procedure of the catalogue at a site, for somebody who only asks."""
    return _offered(gather.for_procedure(session, site_id, procedure_id, asked, now), asked, limit, a_day)


def joined(found: Sequence[Offered], limit: int = 60) -> Offered:
    """What several sites offer, by the date of each wall clock and then by time; of the first site alone what it offers."""
    rows = sorted((row for offered in found for row in offered.offers), key=lambda row: (row.day, row.starts_at, row.leaves_gap))[:limit]
    third = next(iter(sorted(rows, key=lambda row: row.starts_at)[2:]), None)
    cannot = dict.fromkeys(reason for offered in found for reason in offered.cannot)
    return Offered(third.zone if third else found[0].zone, tuple(rows), third.starts_at if third else None, tuple(cannot))


def near(
    session: Session,
    procedure_ids: Sequence[int],
    wanted_at: datetime,
    zone: str,
    now: datetime,
    own: Own = NOTHING,
    site_id: int | None = None,
) -> list[OfferRow]:
    """What is free closest to a time that cannot be had: the same days in other rooms, and a week on both sides."""
    day = local(wanted_at, zone).date()
    asked = Asked(max(day - timedelta(days=7), local(now, zone).date()), day + timedelta(days=7))
    facts = gather.for_exams(session, procedure_ids, asked, now, own, site_id=site_id)
    return [_row(facts, offer) for offer in search.nearest(search.offers(facts, asked, limit=1_000), minute(wanted_at))]


def free_slots(session: Session, *, procedure_id: int, after: datetime, days: int = 14, limit: int = 10, own: Own = NOTHING) -> list[Slot]:
    """The earliest starts, one a room and gap, at which the first step of an exam fits and the others behind it.

    `procedure_id` is the requested procedure; the search covers `days` dates of its site from `after` on.
    """
    site_id = session.get_one(RequestedProcedure, procedure_id).site_id
    first = local(after, gather.zone_of(session, site_id)).date()
    asked = Asked(first, first + timedelta(days=days - 1), one_a_gap=True)
    facts = gather.for_exams(session, [procedure_id], asked, after, own)
    rows = [_row(facts, offer).parts[0] for offer in search.offers(facts, asked, limit)]
    return sorted((Slot(p.room_id, p.room_name, p.starts_at, p.ends_at) for p in rows), key=lambda slot: (slot.starts_at, slot.room_name))


def _offered(facts: Facts, asked: Asked, limit: int, a_day: int | None) -> Offered:
    found = search.offers(facts, asked, limit, a_day)
    third = search.third_next(found)
    rows = tuple(_row(facts, offer) for offer in sorted(found, key=lambda offer: (offer.starts_at, offer.leaves_gap)))
    return Offered(facts.zone, rows, moment(third.starts_at) if third else None, tuple(search.rooms_that_cannot(facts, asked)))


def _row(facts: Facts, offer: Offer) -> OfferRow:
    parts = []
    for placed in offer.placed:
        exam = facts.exams[placed.exam]
        step = exam.steps[placed.number - 1]
        room = facts.rooms[placed.room_id]
        parts.append(
            Part(
                exam.procedure_id, exam.name, step.number, step.name, room.id, room.name, moment(placed.span[0]),
                moment(placed.span[1]), tuple(resource.name for resource in placed.resources),
            )
        )  # fmt: skip
    return OfferRow(tuple(parts), offer.leaves_gap, facts.site_id, facts.zone)
