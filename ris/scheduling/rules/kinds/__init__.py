"""The kinds of rule: each is one function over frozen facts, and one entry here."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ris.scheduling.rules.facts import Facts
from ris.scheduling.rules.finding import Objection
from ris.scheduling.rules.kinds import data, history, payment, planning, safety
from ris.scheduling.rules.kinds.parameter import Choice, Exams, Number, Parameter, Parameters, Text


@dataclass(frozen=True, slots=True)
class Kind:
    label: str
    meaning: str
    """When it speaks, in a sentence for who sets it."""
    check: Callable[[Facts, Parameters], Iterator[Objection]]
    parameters: tuple[Parameter, ...]


_DAYS_OF_TEN_YEARS = 3650
_CONTRAST = Exams("exams", "Exams with contrast", "CT+C,MR+C")

KINDS: Mapping[str, Kind] = {
    "duplicate": Kind(
        "The same exam again",
        "the patient has, had or waits for the same within some days, in another order.",
        history.duplicate,
        (
            Exams("exams", "Exams that are looked at", "*"),
            Choice("same", "What has to be the same", "modality and region", history.SAME),
            Number("days", "Within so many days", 14, 1, _DAYS_OF_TEN_YEARS),
        ),
    ),
    "interaction": Kind(
        "Hours between two exams",
        "one exam has to be some hours after another; whichever is booked last is asked about.",
        history.interaction,
        (
            Exams("first", "After one of these exams", "NM"),
            Exams("then", "one of these needs to wait", "CT+C"),
            Number("hours", "for so many hours", 24, 1, 24 * _DAYS_OF_TEN_YEARS),
            Text("why", "Why, for who books", "The first disturbs the second."),
        ),
    ),
    "preparation": Kind(
        "Time for the preparation",
        "too little time from the call to the exam for the preparation; not for STAT.",
        planning.preparation,
        (
            Exams("exams", "Exams that need it", "CT+C"),
            Number("hours", "Hours from the call to the exam", 4, 1, 24 * 30),
        ),
    ),
    "pregnancy": Kind(
        "Pregnancy",
        "the patient is pregnant, or within the ages it is not known; an old answer does not count.",
        safety.pregnancy,
        (
            Exams("exams", "Exams that may harm", "CT,DX,MG,NM"),
            Number("age_from", "Youngest age at which what is not known counts", 12, 0, 120),
            Number("age_to", "Oldest age", 55, 0, 120),
            Number("days", "An answer is good for so many days", 14, 0, 280),
        ),
    ),
    "renal": Kind(
        "Kidneys before contrast",
        "the kidneys filter too little, the value is old or not known; creatinine alone is reckoned to eGFR.",
        safety.renal,
        (
            _CONTRAST,
            Number("lowest", "Lowest eGFR, in ml/min/1.73 m²", 30, 1, 120),
            Number("days", "A value is good for so many days", 90, 1, _DAYS_OF_TEN_YEARS),
        ),
    ),
    "data": Kind(
        "Data that the exam needs",
        "something is missing that the exam or its payer needs; the order is on the list of missing data until it is there.",
        data.missing,
        (
            Exams("exams", "Exams that need it", "*"),
            Choice("what", "What they need", "reason", data.WHAT),
            Number("days", "A weight is good for so many days", 365, 1, _DAYS_OF_TEN_YEARS),
            Choice("asked", "Asked also when the exam is booked", "no", ("no", "yes")),
        ),
    ),
    "allergy": Kind(
        "Allergy to contrast",
        "a known allergy has one of the words, or the patient said so in the safety screen.",
        safety.allergy,
        (
            _CONTRAST,
            Text("words", "Words in the allergy, with commas between", "contrast, iodin, iohexol, iopamidol, iodixanol, iopromid"),
        ),
    ),
    "implant": Kind(
        "Implants in the magnet",
        "an implant or metal is known or not asked about, or the answer is old.",
        safety.implant,
        (
            Exams("exams", "Exams in the magnet", "MR"),
            Number("days", "An answer is good for so many days", 365, 1, _DAYS_OF_TEN_YEARS),
            Text(
                "words",
                "Words of the orderer that tell of one, with commas between",
                "pacemaker, icd, implant, clip, cochlear, neurostim, splinter",
            ),
        ),
    ),
    "protocol": Kind(
        "Protocol missing",
        "a procedure that needs a protocol has no approved one yet; not for STAT.",
        planning.protocol,
        (Exams("exams", "Exams that are looked at", "*"),),
    ),
    "target": Kind(
        "Later than a radiologist wants",
        "the appointment is after the time that the urgency of the protocol gives.",
        planning.target,
        (Exams("exams", "Exams that are looked at", "*"),),
    ),
    "weight": Kind(
        "Weight limit of the room",
        "the patient weighs more than the table of the room carries; without such a rule nobody may book it at all.",
        planning.weight,
        (),
    ),
    "authorization": Kind(
        "Authorisation of the payer",
        "a payer wants to be asked before, and no authorisation covers the exam on its day; not for STAT.",
        payment.authorization,
        (
            Exams("exams", "Exams that need one", "CT,MR,NM"),
            Text("payers", "Payers that want one, * for any letters, with commas between", "*"),
        ),
    ),
}
"""Key, as the rows name it, to what a person reads, the function and what can be set."""
