"""Keeps the index of report texts: it follows signature, addendum, taking back and retraction in their transaction."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.database import is_postgresql
from ris.base.uow import Event, UnitOfWork
from ris.catalog.model import Procedure
from ris.order.model import RequestedProcedure
from ris.patient.keys import folded
from ris.report import versions
from ris.report.finding.words import Part, Word, composed, parts_of
from ris.report.model import Report, ReportProcedure, ReportVersion, ReportWords
from ris.report.status import VersionKind

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_TIE_BITS = 11
APART = 3
"""Positions between two parts, so that no phrase reaches from one into the next."""
WEIGHTS = {Part.impression: "A", Part.findings: "B", Part.other: "C"}
"""PostgreSQL's labels of the parts; D are the facts."""
Facts = Callable[[Session, Report], Iterable[tuple[str, str]]]
_FTS_INSERT = sa.text(
    "INSERT INTO report_fts (rowid, impression, findings, other, facts) VALUES (:place, :impression, :findings, :other, :facts)"
)
_FTS_DELETE = sa.text("DELETE FROM report_fts WHERE rowid = :place")


def follow(uow: UnitOfWork, event: Event) -> None:
    """To hang on whatever changes what a report says: `report.signed`, `report.taken_back`, `report.retracted`."""
    uow.session.flush()
    write(uow, uow.session.get_one(Report, event.facts["report_id"]))


def write(uow: UnitOfWork, report: Report) -> bool:
    """The report is found by what stands now; not at all (False) where nothing stands, or where it was retracted."""
    forget(uow.session, report.id)
    version = versions.standing(uow, report)
    if version is None or version.kind is VersionKind.retraction:
        return False
    _add(uow.session, report, version)
    return True


def forget(session: Session, report_id: int) -> None:
    """The report is found no more, until it is written again."""
    place = session.scalar(sa.select(ReportWords.place).where(ReportWords.report_id == report_id))
    if place is None:
        return
    session.execute(sa.delete(ReportWords).where(ReportWords.place == place))
    if not is_postgresql(session):
        session.execute(_FTS_DELETE, {"place": place})


def rebuild_some(uow: UnitOfWork, after: int, limit: int = 500) -> tuple[int | None, int]:
    """Writes the index of the next reports behind a key anew: the key of the last of them, None behind the last, and how many are found.

    The reports are locked: nobody signs one while its words are written.
    """
    wanted = sa.select(Report).where(Report.id > after).order_by(Report.id).limit(limit).with_for_update()
    reports = uow.session.scalars(wanted).all()
    found = sum(write(uow, report) for report in reports)
    return (reports[-1].id if reports else None), found


def place_of(moment: datetime) -> int:
    """The first key of what was signed at that moment or later."""
    return max(0, (moment - _EPOCH) // timedelta(microseconds=1)) << _TIE_BITS


def fact(kind: str, value: str) -> str:
    """One word for something that is known of a report besides its text."""
    return "".join(c for c in folded(f"{kind}{value}") if c.isalnum())


def vector(parts: dict[Part, list[Word]], facts: Sequence[str]) -> str:
    """Words with their positions, as PostgreSQL reads a tsvector."""
    positions: dict[str, list[str]] = {}
    position = 0
    for part, words in parts.items():
        for word in words:
            position += 1
            positions.setdefault(word.text, []).append(f"{position}{WEIGHTS[part]}")
        position += APART
    for word_of_fact in facts:
        position += APART
        positions.setdefault(word_of_fact, []).append(f"{position}")
    return " ".join(f"'{text}':{','.join(places)}" for text, places in positions.items())


def _of_exams(session: Session, report: Report) -> Iterable[tuple[str, str]]:
    rows = session.execute(
        sa.select(Procedure.code, Procedure.modality, Procedure.region, Procedure.subspecialty)
        .join(RequestedProcedure, RequestedProcedure.procedure_id == Procedure.id)
        .join(ReportProcedure, ReportProcedure.procedure_id == RequestedProcedure.id)
        .where(ReportProcedure.report_id == report.id)
    )
    for code, modality, region, subspecialty in rows:
        yield "exam", code
        yield "modality", modality
        yield "region", region
        yield "subspecialty", subspecialty


FACTS: tuple[Facts, ...] = (_of_exams,)
"""What is known of a report besides its text, as kind and value: by these a search is narrowed inside the index."""


def _add(session: Session, report: Report, version: ReportVersion) -> None:
    parts = parts_of(composed(version.text))
    facts = sorted({fact(kind, value) for source in FACTS for kind, value in source(session, report) if value})
    site_id = versions.procedures(session, report)[0].site_id
    place = _free_place(session, version)
    keys = {"place": place, "report_id": report.id, "version_id": version.id, "site_id": site_id}
    words = vector(parts, facts) if is_postgresql(session) else None
    session.execute(sa.insert(ReportWords).values(**keys, words=words))
    if words is None:
        texts = {part.value: " ".join(word.text for word in own) for part, own in parts.items()}
        session.execute(_FTS_INSERT, {"place": place, "facts": " ".join(facts), **texts})


def _free_place(session: Session, version: ReportVersion) -> int:
    """Two signatures of one microsecond are told apart by their keys; where those fall on one place, the next free one is taken."""
    tie = int.from_bytes(hashlib.blake2b(str(version.id).encode(), digest_size=2).digest()) & ((1 << _TIE_BITS) - 1)
    place = place_of(version.signed_at) + tie
    while session.scalar(sa.select(ReportWords.place).where(ReportWords.place == place)) is not None:
        place += 1
    return place
