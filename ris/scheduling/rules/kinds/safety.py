"""Rules that look at the patient's body: pregnancy, kidneys, reactions to contrast, implants in the magnet."""

from collections.abc import Iterator
from datetime import timedelta

from ris.base.ref import Ref
from ris.patient import safety
from ris.patient.model import Answer, Question, Sex
from ris.scheduling.rules.facts import Facts
from ris.scheduling.rules.finding import Objection, Way
from ris.scheduling.rules.kinds.parameter import Parameters


def pregnancy(facts: Facts, parameters: Parameters) -> Iterator[Objection]:
    """Who is or may be pregnant: within an age span what is not known counts, and an answer gets old."""
    person, age = facts.person, facts.person.age_on(facts.day)
    if person.sex is Sex.male or not facts.exam.is_among(parameters["exams"]):
        return
    said = safety.pregnancy(person.observations, person.ambulatory_status.split(), person.screening)
    is_of_age = age is None or parameters["age_from"] <= age <= parameters["age_to"]
    if said is not None and said.is_pregnant:
        text = f"Pregnant: {said.text}{f', {facts.on(said.at)}' if said.at else ''}"
    elif not is_of_age:
        return
    elif said is None:
        text = f"Whether the patient is pregnant is not known (asked from {parameters['age_from']} to {parameters['age_to']} years)"
    elif said.at is not None and facts.place.starts_at - said.at > timedelta(days=parameters["days"]):
        text = f"Not pregnant on {facts.on(said.at)}, more than {parameters['days']} days before the exam"
    else:
        return
    yield Objection(
        text,
        (
            Way("Ask the patient, and enter the answer in the safety screen", Ref("screening", person.patient_id)),
            Way("Ask the ward or the orderer for a test; its result is taken up here", Ref("procedure", facts.exam.procedure_id)),
            Way("Ask a radiologist for an exam without radiation, or for the indication"),
        ),
    )


def renal(facts: Facts, parameters: Parameters) -> Iterator[Objection]:
    """The filtration of the kidneys, as the laboratory said or from creatinine: too low, too old, or not known."""
    if not facts.exam.is_among(parameters["exams"]):
        return
    person = facts.person
    kidneys = safety.kidneys(person.observations, person.age_on(facts.day), person.sex)
    if kidneys is None:
        text = "Neither eGFR nor creatinine is known"
    elif kidneys.is_below(parameters["lowest"]):
        text = f"{kidneys.text} on {facts.on(kidneys.at)}: below {parameters['lowest']} ml/min/1.73 m²"
    elif facts.place.starts_at - kidneys.at > timedelta(days=parameters["days"]):
        text = f"{kidneys.text} on {facts.on(kidneys.at)}: older than {parameters['days']} days when the exam is done"
    else:
        return
    yield Objection(
        text,
        (
            Way("Ask the laboratory or the orderer for a new value; it is taken up here", Ref("patient", person.patient_id)),
            Way("Ask the orderer for the exam without contrast", Ref("procedure", facts.exam.procedure_id)),
            Way("Ask a radiologist, and write down who decided"),
        ),
    )


def allergy(facts: Facts, parameters: Parameters) -> Iterator[Objection]:
    """A known reaction: an allergy to something of the name of what is given, or what the patient said in the safety screen."""
    if not facts.exam.is_among(parameters["exams"]):
        return
    words = _words(parameters["words"])
    found = [
        f"Allergy: {row.text}{f', {row.reaction}' if row.reaction else ''}"
        for row in facts.person.allergies
        if any(word in row.text.lower() for word in words)
    ]
    said = safety.answer_to(Question.contrast_reaction, facts.person.screening)
    if said is not None and said.answer is not Answer.no:
        found.append(f"{said.text} ({facts.on(said.answered_at)})")
    for text in found:
        yield Objection(
            text,
            (
                Way("Ask a radiologist for premedication or another agent, and write down who decided"),
                Way("Ask the orderer for the exam without contrast", Ref("procedure", facts.exam.procedure_id)),
                Way("Ask the patient what happened, and correct the safety screen", Ref("screening", facts.person.patient_id)),
            ),
        )


def implant(facts: Facts, parameters: Parameters) -> Iterator[Objection]:
    """What must not come near a magnet: said in the safety screen or by the orderer, or never asked, or asked long ago."""
    if not facts.exam.is_among(parameters["exams"]):
        return
    said = safety.answer_to(Question.implant, facts.person.screening)
    is_named = any(word in facts.exam.danger.lower() for word in _words(parameters["words"]))
    if said is not None and said.answer is not Answer.no:
        text = f"{said.text} ({facts.on(said.answered_at)})"
    elif is_named:
        text = f"The orderer wrote: {facts.exam.danger}"
    elif said is None:
        text = "The patient has not been asked about implants and metal"
    elif facts.place.starts_at - said.answered_at > timedelta(days=parameters["days"]):
        text = f"Asked about implants on {facts.on(said.answered_at)}, more than {parameters['days']} days before the exam"
    else:
        return
    yield Objection(
        text,
        (
            Way("Ask the patient, and enter the answer in the safety screen", Ref("screening", facts.person.patient_id)),
            Way("Have the card of the implant sent, and let a radiologist decide; write down who did"),
            Way("Ask the orderer for CT or ultrasound instead", Ref("procedure", facts.exam.procedure_id)),
        ),
    )


def _words(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(",") if word.strip()]
