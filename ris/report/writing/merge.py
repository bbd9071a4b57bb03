"""What stands in braces in a template or a macro, and is filled with what is known of the exam."""

import re
from collections.abc import Callable, Mapping

from ris.base.clock import local
from ris.report.writing.checks import told_age
from ris.report.writing.facts import Facts

_NAME = re.compile(r"\{([a-z_]+)\}")
_SEX = {"F": "female", "M": "male"}


def _age(facts: Facts) -> str:
    return told_age(facts.birth_date, facts.done_on) if facts.birth_date else ""


def _comparison(facts: Facts) -> str:
    """The newest earlier exams of the same region; of one that was not read the images are there."""
    return "; ".join(prior.told for prior in facts.compared) or "None"


def _technique(facts: Facts) -> str:
    return ". ".join(part for part in (facts.protocol or facts.procedure_name, _contrast(facts)) if part)


def _contrast(facts: Facts) -> str:
    return ", ".join(facts.given)


def _dose(facts: Facts) -> str:
    return ", ".join(facts.doses)


def _laboratory(facts: Facts) -> str:
    return ", ".join(f"{row.kind} {row.value} {row.unit}".strip() + f" ({row.told_on})" for row in facts.laboratory)


MERGED: Mapping[str, Callable[[Facts], str]] = {
    "age": _age,
    "sex": lambda facts: _SEX.get(facts.sex, ""),
    "procedure": lambda facts: facts.procedure_name,
    "accession": lambda facts: facts.accession_number,
    "date": lambda facts: f"{facts.done_on}",
    "time": lambda facts: f"{local(facts.done_at, facts.zone):%H:%M}",
    "referrer": lambda facts: facts.orderer_name,
    "indication": lambda facts: facts.indication,
    "comparison": _comparison,
    "technique": _technique,
    "contrast": _contrast,
    "dose": _dose,
    "technologist": lambda facts: facts.note,
    "laboratory": _laboratory,
}
"""Name to what it becomes; what is not known becomes a field that somebody fills."""


def merged(text: str, facts: Facts) -> str:
    """The text with what is known of the exam. What others have written opens no field of a template."""

    def known(match: re.Match[str]) -> str:
        find = MERGED.get(match[1])
        if find is None:
            return match[0]
        return find(facts).translate(_NO_FIELD).strip() or f"[{match[1]}]"

    return _NAME.sub(known, text)


def unknown_names(text: str) -> list[str]:
    """Those in braces that mean nothing."""
    return [name for name in dict.fromkeys(_NAME.findall(text)) if name not in MERGED]


_NO_FIELD = str.maketrans("[]{}", "()()")
