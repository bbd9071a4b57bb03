"""What stands beside the editor and below it: the earlier exams, what is known of this one, and the doubts about the text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request
from sqlalchemy.orm import Session

from ris.exam.performed import performed_of
from ris.order.documents import documents
from ris.order.queries import ExamRow
from ris.protocol.queries import protocol
from ris.report.priors import priors
from ris.report.writing import findings, viewer
from ris.report.writing.checks import Doubt, doubts
from ris.report.writing.facts import facts_of, laboratory
from ris.report.writing.findings import Finding
from ris.staff.permission import Permission
from ris.web.access import sites_for
from ris.web.page import program

REASON = "reason:"
"""What the name of a field begins with that gives the reason for a doubt; its key follows."""
CODED = "coded:"
"""The same of a coded finding: the scheme follows, and for a measurement `|` and its code."""


@dataclass(frozen=True, slots=True)
class Place:
    """A doubt as the browser finds it: its offsets count UTF-16 units, as those of a textarea do."""

    doubt: Doubt
    start: int
    end: int
    reason: str


def asked(session: Session, exam: ExamRow, report_id: int) -> dict[str, Any]:
    """The schemes that the report is coded with, and what is chosen: in the form that was sent, else in the draft."""
    facts = facts_of(session, exam.procedure_id, program().clock())
    given = given_findings()
    chosen = findings.written(session, report_id) if given is None else {(each.scheme, each.code): each.value for each in given}
    return {"asked": findings.asked(session, facts.kind_id), "chosen": chosen}


def given_findings() -> list[Finding] | None:
    """As the form has them; None for one that asks for none."""
    if "coded" not in request.form:
        return None
    named = [(name.removeprefix(CODED).partition("|"), value.strip()) for name, value in request.form.items() if name.startswith(CODED)]
    return [Finding(scheme, code, value) if bar else Finding(scheme, value) for (scheme, bar, code), value in named if value]


def beside(session: Session, exam: ExamRow) -> dict[str, Any]:
    """What a reader wants to have before the eyes."""
    return {
        "priors": priors(session, exam.procedure_id, sites_for(Permission.REPORT_READ)),
        "performed": performed_of(session, exam.procedure_id),
        "protocol": protocol(session, exam.procedure_id),
        "laboratory": laboratory(session, exam.patient_id, exam.zone),
        "documents": documents(session, exam.order_id),
        "has_viewer": bool(viewer_key() and viewer.address_of(session, exam.site_id)),
    }


def places(session: Session, procedure_id: int, text: str, reasons: Mapping[str, str]) -> list[Place]:
    """The doubts about a text that a reason can answer; a field that is still open the editor shows by itself."""
    facts = facts_of(session, procedure_id, program().clock())
    return [_place(text, doubt, reasons) for doubt in doubts(text, facts.subject) if doubt.may_override]


def given_reasons() -> dict[str, str]:
    """By the key of the doubt, as the form has them."""
    return {name.removeprefix(REASON): value for name, value in request.form.items() if name.startswith(REASON)}


def first_unanswered(shown: Sequence[Place]) -> str:
    """The key of the first doubt without a reason; empty where all have one."""
    return next((place.doubt.key for place in shown if not place.reason.strip()), "")


def viewer_key() -> str:
    return program().settings.web.viewer_key.get_secret_value()


def _place(text: str, doubt: Doubt, reasons: Mapping[str, str]) -> Place:
    return Place(doubt, _units(text[: doubt.start]), _units(text[: doubt.end]), reasons.get(doubt.key, ""))


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
