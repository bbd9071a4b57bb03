"""Rules that look at the other exams of the patient: the same again, and exams that disturb each other."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from ris.base.clock import local
from ris.base.ref import Ref
from ris.order.status import ProcedureStatus
from ris.scheduling.rules.facts import Exam, Facts, OtherExam
from ris.scheduling.rules.finding import Objection, Way
from ris.scheduling.rules.kinds.parameter import Parameters

SAME = ("exam", "modality and region", "region")
_PARTS = {
    "trunk": frozenset(("chest", "abdomen", "pelvis")),
    "whole body": frozenset(("head", "neck", "chest", "abdomen", "pelvis", "spine", "limb", "breast", "trunk")),
}


def duplicate(facts: Facts, parameters: Parameters) -> Iterator[Objection]:
    """The same again within some days, of whatever sender; exams of one order are meant to be together."""
    if not facts.exam.is_among(parameters["exams"]):
        return
    for other in facts.others:
        is_one_order = other.order_id == facts.exam.order_id or other.status is ProcedureStatus.discontinued
        if not is_one_order and _alike(facts.exam, other, parameters["same"]) and _is_near(facts, other, parameters["days"]):
            yield Objection(
                f"{_said(facts, other)}: the same {parameters['same']} within {parameters['days']} days",
                (
                    Way(f"See whether exam {other.accession_number} answers the question", Ref("procedure", other.procedure_id)),
                    Way("Cancel this exam, if it was ordered twice", Ref("procedure", facts.exam.procedure_id)),
                    _later(facts, (other.starts_at or facts.now) + timedelta(days=parameters["days"] + 1)),
                ),
                Ref("procedure", other.procedure_id),
            )


def interaction(facts: Facts, parameters: Parameters) -> Iterator[Objection]:
    """One kind of exam needs some hours after another; whichever of the two is booked last finds it."""
    gap = timedelta(hours=parameters["hours"])
    if facts.exam.is_among(parameters["then"]):
        for other in facts.others:
            if other.starts_at and other.is_among(parameters["first"]) and _is_between(other, facts.place.starts_at, gap):
                yield _too_soon(facts, other, parameters, (other.ends_at or other.starts_at) + gap)
    if facts.exam.is_among(parameters["first"]):
        for other in facts.others:
            if (
                other.starts_at
                and other.is_among(parameters["then"])
                and facts.place.starts_at <= other.starts_at < facts.place.ends_at + gap
            ):
                yield _too_soon(facts, other, parameters, other.ends_at or other.starts_at)


def _is_between(other: OtherExam, starts_at: datetime, gap: timedelta) -> bool:
    begun = other.starts_at
    return begun is not None and begun <= starts_at < (other.ends_at or begun) + gap


def _is_after(begins: datetime, facts: Facts, gap: timedelta) -> bool:
    return facts.place.starts_at <= begins < facts.place.ends_at + gap


def _too_soon(facts: Facts, other: OtherExam, parameters: Parameters, free_from: datetime) -> Objection:
    return Objection(
        f"{_said(facts, other)}: {parameters['hours']} hours have to be between them. {parameters['why']}",
        (
            _later(facts, free_from),
            Way(f"Move exam {other.accession_number}, if it is not done yet", Ref("procedure", other.procedure_id)),
            Way("Ask a radiologist whether the one disturbs the other here, and write down the answer"),
        ),
        Ref("procedure", other.procedure_id),
    )


def _alike(exam: Exam, other: OtherExam, same: str) -> bool:
    if same == "exam":
        return exam.code == other.code
    is_same_place = bool(exam.region) and _overlap(exam.region, other.region)
    return is_same_place and (same == "region" or exam.modality == other.modality)


def _overlap(one: str, other: str) -> bool:
    return one == other or other in _PARTS.get(one, ()) or one in _PARTS.get(other, ())


def _is_near(facts: Facts, other: OtherExam, days: int) -> bool:
    return abs(facts.place.starts_at - (other.starts_at or other.placed_at)) <= timedelta(days=days)


def _said(facts: Facts, other: OtherExam) -> str:
    named = f"Exam {other.accession_number} ({other.name})"
    if other.starts_at is None:
        return f"{named} was ordered on {facts.on(other.placed_at)} and waits for an appointment"
    is_ahead = other.status in (ProcedureStatus.ordered, ProcedureStatus.scheduled, ProcedureStatus.arrived)
    return f"{named} {'is planned for' if is_ahead else 'was done on'} {facts.at(other.starts_at)}"


def _later(facts: Facts, moment: datetime) -> Way:
    return Way(f"Book it from {facts.at(moment)} on", day=local(moment, facts.zone).date())
