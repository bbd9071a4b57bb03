"""The one function that finds reports by their words, on either engine, and what of a text is shown of a hit."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from ris.base.database import is_postgresql
from ris.catalog.model import Procedure, Site
from ris.order.model import Order, RequestedProcedure
from ris.patient.model import AlertKind, Patient, PatientAlert
from ris.patient.mrn import MRN
from ris.patient.name import Named
from ris.report.finding.index import WEIGHTS, fact, place_of
from ris.report.finding.words import Part, Phrase, Question, composed, question, words_of
from ris.report.model import Report, ReportProcedure, ReportVersion, ReportWords
from ris.report.status import VersionKind

AROUND = 110
"""Characters of a text that are shown on either side of the first hit."""
_FTS = sa.table("report_fts", sa.column("rowid", sa.Integer))
Pieces = tuple[tuple[str, bool], ...]
"""A text in pieces, each with whether it is a hit."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What is asked for; an empty text narrows nothing."""

    text: str
    part: Part | None = None
    since: datetime | None = None
    before: datetime | None = None
    """Signed before this moment."""
    modality: str = ""
    exam: str = ""
    """Code of the catalogue."""
    behind: int | None = None
    """The place of the last hit of the page before."""


@dataclass(frozen=True, slots=True)
class Matching:
    """How an engine finds what fits: its conditions, and the column of the place by which it goes from the newest on."""

    where: tuple[sa.ColumnElement[Any] | sa.TextClause, ...]
    place: sa.SQLColumnExpression[int]


@dataclass(frozen=True, slots=True)
class FoundReport(Named):
    place: int
    procedure_id: int
    accession_number: str
    procedure_name: str
    site_name: str
    zone: str
    patient_id: int
    family: str
    given: str
    birth_date: date | None
    mrn: str | None
    kind: VersionKind
    signer_name: str
    signed_at: datetime
    snippet: Pieces


def search(session: Session, site_ids: Collection[int], user_id: int, sought: Sought, limit: int = 25) -> list[FoundReport]:
    """One page of the reports of these sites that fit all of it, the newest first.

    The report of a VIP is found by nobody but its signer. Raises Invalid for a text that asks for nothing.
    """
    asked = question(sought.text)
    matching = _on_postgresql(asked, sought) if is_postgresql(session) else _on_sqlite(asked, sought)
    page = _page(matching, site_ids, user_id, sought).limit(limit).subquery("page")
    first = sa.select(sa.func.min(ReportProcedure.procedure_id)).where(ReportProcedure.report_id == page.c.report_id).scalar_subquery()
    rows: Iterable[Any] = session.execute(
        sa.select(
            page.c.place, RequestedProcedure.id, RequestedProcedure.accession_number, Procedure.name, Site.name, Site.zone, Patient.id,
            Patient.family, Patient.given, Patient.birth_date, MRN, ReportVersion.kind, ReportVersion.signer_name,
            ReportVersion.signed_at, ReportVersion.text,
        )
        .select_from(page)
        .join(ReportVersion, ReportVersion.id == page.c.version_id)
        .join(RequestedProcedure, RequestedProcedure.id == first)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .join(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .order_by(page.c.place.desc())
    )  # fmt: skip
    return [_found(list(row), asked) for row in rows]


def _found(facts: list[Any], asked: Question) -> FoundReport:
    return FoundReport(*[*facts[:-1], snippet(facts[-1], asked)])


def snippet(text: str, asked: Question) -> Pieces:
    """What stands around the first hit, with every hit in it."""
    whole = composed(text)
    hits = _hits(whole, asked.wanted)
    middle = hits[0][0] if hits else 0
    start = 0 if middle <= AROUND else whole.find(" ", middle - AROUND) + 1
    end = len(whole) if middle + AROUND >= len(whole) else whole.rfind(" ", middle, middle + AROUND + 1)
    end = max(end, hits[0][1]) if hits else max(end, AROUND)
    pieces: list[tuple[str, bool]] = [("… ", False)] if start else []
    at = start
    for begins, ends in hits:
        if begins < at or ends > end:
            continue
        pieces += [(whole[at:begins], False), (whole[begins:ends], True)]
        at = ends
    pieces.append((whole[at:end] + (" …" if end < len(whole) else ""), False))
    return tuple((" ".join(piece.split("\n")), is_hit) for piece, is_hit in pieces if piece)


# ── the engines ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _page(matching: Matching, site_ids: Collection[int], user_id: int, sought: Sought) -> sa.Select[*tuple[Any, ...]]:
    wanted = sa.select(ReportWords.place, ReportWords.report_id, ReportWords.version_id).where(
        *matching.where, ReportWords.site_id.in_(sorted(site_ids)), ~_is_hidden(user_id)
    )
    if sought.since is not None:
        wanted = wanted.where(matching.place >= place_of(sought.since))
    bounds = [bound for bound in (sought.behind, place_of(sought.before) if sought.before else None) if bound is not None]
    if bounds:
        wanted = wanted.where(matching.place < min(bounds))
    return wanted.order_by(matching.place.desc())


def _is_hidden(user_id: int) -> sa.ColumnElement[bool]:
    vip = sa.exists().where(
        Report.id == ReportWords.report_id,
        Order.id == Report.order_id,
        PatientAlert.patient_id == Order.patient_id,
        PatientAlert.kind == AlertKind.vip,
        PatientAlert.ended_at.is_(None),
    )
    signed = sa.exists().where(ReportVersion.report_id == ReportWords.report_id, ReportVersion.signer_id == user_id)
    return sa.and_(vip, ~signed)


def _facts(sought: Sought) -> list[str]:
    return [fact(kind, value) for kind, value in (("modality", sought.modality), ("exam", sought.exam)) if value]


def _on_sqlite(asked: Question, sought: Sought) -> Matching:
    """In FTS5's own words: https://sqlite.org/fts5.html#full_text_query_syntax."""
    columns = f"{{{' '.join([sought.part] if sought.part else list(Part))}}} : "

    def said(phrase: Phrase) -> str:
        return f'{columns}"{" ".join(phrase.words)}"{" *" if phrase.is_begun else ""}'

    wanted = [*map(said, asked.wanted), *(f'{{facts}} : "{word}"' for word in _facts(sought))]
    text = f"({' AND '.join(wanted)})" + "".join(f" NOT ({said(phrase)})" for phrase in asked.unwanted)
    # With the sum this is no way into the virtual table: it is walked, the newest first, and each row of it looked up.
    is_same = ReportWords.place == _FTS.c.rowid + 0
    return Matching((sa.text("report_fts MATCH :asked").bindparams(asked=text), is_same), _FTS.c.rowid)


def _on_postgresql(asked: Question, sought: Sought) -> Matching:
    """As PostgreSQL reads a tsquery (8.11.2)."""
    weights = WEIGHTS[sought.part] if sought.part else "".join(WEIGHTS.values())

    def said(phrase: Phrase) -> str:
        *before, last = (f"'{word}':" for word in phrase.words)
        words = [*(word + weights for word in before), last + ("*" if phrase.is_begun else "") + weights]
        return f"({' <-> '.join(words)})"

    wanted = [*map(said, asked.wanted), *(f"'{word}':D" for word in _facts(sought))]
    text = " & ".join([*wanted, *(f"!{said(phrase)}" for phrase in asked.unwanted)])
    return Matching((ReportWords.words.op("@@")(sa.cast(text, postgresql.TSQUERY)),), ReportWords.place)


def _hits(text: str, wanted: Sequence[Phrase]) -> list[tuple[int, int]]:
    """Where the phrases stand in a text, in their order."""
    words = list(words_of(text))
    found = [
        (words[at].start, words[at + len(phrase.words) - 1].end)
        for phrase in wanted
        for at in range(len(words) - len(phrase.words) + 1)
        if _stands(phrase, [word.text for word in words[at : at + len(phrase.words)]])
    ]
    return sorted(set(found))


def _stands(phrase: Phrase, words: list[str]) -> bool:
    *before, last = phrase.words
    ends = words[-1].startswith(last) if phrase.is_begun else words[-1] == last
    return ends and words[:-1] == before
