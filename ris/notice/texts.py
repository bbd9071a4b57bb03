"""What a message says: the version that holds in a language, what may be written in one, and how its gaps are filled."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid
from ris.catalog.model import Modality, Procedure
from ris.notice.language import LAST_RESORT, WORDS, Written, packaged
from ris.notice.model import MailText, NoticeKind
from ris.patient.keys import folded

SUBJECT_GAPS = ("site", "date", "time")
BODY_GAPS = ("patient", "appointments", "preparation", "place", "phone", "site", "stop")
GAP_MEANINGS = {
    "patient": "first and family name; the first name alone where several patients share the address",
    "appointments": "date, time and exam of each appointment, one a line",
    "preparation": "the preparation texts of the exams",
    "place": "where to come to, from the site's settings",
    "phone": "the telephone number of the site's settings",
    "site": "the name of the site",
    "stop": "the link by which whoever reads it stops all e-mails to this address",
    "date": "the date of the first appointment",
    "time": "its time",
}
LONGEST_SUBJECT, LONGEST_BODY = 120, 5_000
_NEEDED = ("appointments", "stop")
_GAP = re.compile(r"\{([^{}]*)\}")
_CLINICAL = frozenset((WORDS / "clinical.txt").read_text(encoding="utf-8").split())
_MEANS_NOTHING = frozenset((WORDS / "empty.txt").read_text(encoding="utf-8").split())
"""Words of exam names that tell nothing of an exam."""
_SHORTEST = 3
"""Letters: a shorter word of an exam's name says nothing by itself."""


@dataclass(frozen=True, slots=True)
class Version:
    number: int
    """0 is the packaged text."""
    written: Written
    by: str
    at: datetime | None


def text_for(session: Session, kind: NoticeKind, languages: Iterable[str]) -> tuple[str, Written]:
    """The first of the languages in which there is a text, then English; its code and its newest text."""
    for code in [*languages, LAST_RESORT]:
        for spelling in dict.fromkeys((code, code.partition("-")[0])):
            found = versions(session, kind, spelling)
            if found:
                return spelling, found[0].written
    raise AssertionError("the packaged texts hold the last resort")


def versions(session: Session, kind: NoticeKind, language: str) -> list[Version]:
    """The newest first; the packaged text, where there is one, last."""
    rows = session.scalars(sa.select(MailText).where(MailText.kind == kind, MailText.language == language).order_by(MailText.number.desc()))
    found = [Version(row.number, Written(row.subject, row.body), row.written_by, row.written_at) for row in rows]
    known = packaged().get(language)
    return found + ([Version(0, known.texts[kind], "", None)] if known else [])


def languages(session: Session) -> list[str]:
    """Codes of every language in which something is written."""
    return sorted({*packaged(), *session.scalars(sa.select(MailText.language).distinct())})


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its gaps filled. A paragraph with a gap for which there is nothing is left out."""
    kept = [part for part in text.split("\n\n") if all(values.get(name, "") for name in _GAP.findall(part))]
    return _GAP.sub(lambda gap: values[gap[1]], "\n\n".join(kept))


def subject_of(text: str, values: Mapping[str, str]) -> str:
    """One line, whatever the values hold."""
    return " ".join(_GAP.sub(lambda gap: values[gap[1]], text).split())


def check(session: Session, subject: str, body: str) -> None:
    """Raises Invalid naming what a person must change; nothing clinical may stand in a subject line."""
    if not 0 < len(subject) <= LONGEST_SUBJECT or "\n" in subject or "\r" in subject:
        raise Invalid(f"the subject is one line of 1 to {LONGEST_SUBJECT} characters", error_code="101")
    if not 0 < len(body) <= LONGEST_BODY:
        raise Invalid(f"the text has 1 to {LONGEST_BODY} characters", error_code="101")
    _check_gaps("the subject", subject, SUBJECT_GAPS)
    _check_gaps("the text", body, BODY_GAPS)
    for name in _NEEDED:
        if f"{{{name}}}" not in body:
            raise Invalid(f"the text needs {{{name}}}: {GAP_MEANINGS[name]}")
    said = clinical_words(session, subject)
    if said:
        raise Invalid(f"a subject line is read on locked screens and names no exam: take out {', '.join(said)}")


def clinical_words(session: Session, subject: str) -> list[str]:
    """The words of a subject that tell something of the exam: kinds of machines, words of the catalogue, and some of medicine."""
    telling = {*_CLINICAL, *(folded(modality) for modality in Modality)}
    for code, name, region in session.execute(sa.select(Procedure.code, Procedure.name, Procedure.region)):
        named = {word for word in _words(f"{name} {region}") if len(word) >= _SHORTEST}
        telling |= named | {folded(code)}
    return sorted(set(_words(_GAP.sub(" ", subject))) & (telling - _MEANS_NOTHING))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", folded(text.replace("-ray", "ray").replace("-Ray", "ray")))


def _check_gaps(what: str, text: str, known: Iterable[str]) -> None:
    unknown = [name for name in _GAP.findall(text) if name not in known]
    left = _GAP.sub("", text)
    if unknown or "{" in left or "}" in left:
        fault = f"has no gap {{{unknown[0]}}}" if unknown else "has a brace that belongs to no gap"
        raise Invalid(f"{what} {fault}; there are {', '.join(f'{{{name}}}' for name in known)}")
