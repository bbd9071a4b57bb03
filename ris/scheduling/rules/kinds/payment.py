"""Rules that look at who pays: an authorisation that is missing, or does not hold on the day."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from ris.base.ref import Ref
from ris.order.status import Priority
from ris.scheduling.rules.facts import Facts
from ris.scheduling.rules.finding import Objection, Way
from ris.scheduling.rules.kinds.parameter import Parameters


def authorization(facts: Facts, parameters: Parameters) -> Iterator[Objection]:
    """A payer wants to be asked before; STAT exams do not wait for that."""
    exam, cover = facts.exam, facts.cover
    payer = next((payer for payer in cover.payers if _is_meant(payer, parameters["payers"])), None)
    if payer is None or exam.priority is Priority.stat or not exam.is_among(parameters["exams"]):
        return
    if cover.under and not cover.reasons:
        return
    if cover.under:
        text = f"Authorisation {cover.under} does not cover it on {facts.day:%d %b %Y}: {'; '.join(cover.reasons)}"
    elif cover.fitting:
        text = f"{payer} wants an authorisation: {cover.fitting[0]} fits, but the exam is not under it"
    else:
        text = f"{payer} wants an authorisation, and the patient has none that fits"
    yield Objection(
        text,
        (
            Way("Put the exam under an authorisation", Ref("procedure", exam.procedure_id)),
            Way("Enter what the insurer has agreed to", Ref("coverage", facts.person.patient_id)),
            Way("Ask the insurer or the orderer for one, and write down what was said"),
        ),
    )


def _is_meant(payer: str, words: str) -> bool:
    return any(fnmatchcase(payer.lower(), word.strip().lower()) for word in words.split(",") if word.strip())
