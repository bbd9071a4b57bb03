"""Every kind of reference data that people edit here: its fields, and what must hold between them."""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from ris.catalog.model import (
    Material,
    MaterialKind,
    Modality,
    OrderSet,
    PreparationText,
    Procedure,
    ProcedureNeed,
    Reason,
    ReasonKind,
    Room,
    RoomProcedure,
    StepPlan,
)
from ris.catalog.records.field import YES, Amount, Choice, Code, Field, Known, Language, Lines, Number, Reference, References, YesNo
from ris.catalog.records.record import Problem, Record

_ACTIVE = YesNo("active", "In use", "A retired one is offered no more; what was done with it keeps it.", default=YES)
_PROCEDURE = Reference("procedure", "Procedure", to=Procedure)
_STEP = Number("step", "Step", "1, unless the procedure has several steps.", required=True, default="1", least=1, most=9)
_MINUTES = 12 * 60


def _paid(_known: Known, values: Mapping[str, Any]) -> Iterator[Problem]:
    for part in ("technical", "professional"):
        if values[f"{part}_amount"] is not None and not values[f"{part}_code"]:
            yield Problem(f"{part}_code", "is empty, while there is an amount", "write the code that the amount is charged under")


PROCEDURE = Record(
    "procedure",
    "procedure",
    "Procedures",
    "The exams that the department offers.",
    Procedure,
    (
        Code("code", "Code"),
        Field("name", "Name", "As the desk and the patient read it.", required=True, longest=120),
        Choice("modality", "Modality", of=Modality),
        Field("region", "Body region", "One word for all exams of a region: rules compare it.", longest=40),
        YesNo("sided", "Asks for a side", "Whether an order says left, right or both."),
        Number("minutes", "Minutes", "In a room that names none of its own.", required=True, least=1, most=_MINUTES),
        YesNo("contrast", "With contrast medium"),
        YesNo("needs_protocol", "Needs a protocol", "Whether a radiologist says before the exam how it is done."),
        YesNo("needs_consent", "Needs consent", "Whether it begins only once the patient's consent is on record."),
        Lines("preparation", "Preparation", "How a patient prepares, in the language of the house."),
        Lines("template", "Report template", "Text with fields in square brackets.", longest=20_000, rows=6),
        Field("subspecialty", "Subspecialty", "Who reads it: one word, such as neuro. Empty: everybody.", longest=40),
        Field("technical_code", "Technical charge code", longest=32),
        Amount("technical_amount", "Technical amount", "Without one the charge is held for a person."),
        Field("professional_code", "Professional charge code", longest=32),
        Amount("professional_amount", "Professional amount", "Without one the charge is held for a person."),
        _ACTIVE,
    ),
    ("code",),
    _paid,
    touches=("modality", "sided", "contrast", "needs_protocol", "needs_consent", "preparation", "active"),
    listed=("code", "name", "modality", "region", "subspecialty", "minutes", "contrast", "needs_protocol", "needs_consent", "active"),
)


def _fits_a_day(_known: Known, values: Mapping[str, Any]) -> Iterator[Problem]:
    whole = values["set_up_minutes"] + values["minutes"] + values["clean_up_minutes"]
    if whole > _MINUTES:
        yield Problem("minutes", f"makes {whole} minutes with set-up and clean-up", f"write less: an appointment takes at most {_MINUTES}")


DURATION = Record(
    "duration",
    "duration",
    "Durations",
    "In which rooms a procedure is done, and how long it takes there. An appointment takes set-up, exam and clean-up together.",
    RoomProcedure,
    (
        _PROCEDURE,
        _STEP,
        Reference("room", "Room", to=Room),
        Number("set_up_minutes", "Set-up minutes", required=True, default="0", most=240),
        Number("minutes", "Exam minutes", required=True, least=1, most=_MINUTES),
        Number("clean_up_minutes", "Clean-up minutes", required=True, default="0", most=240),
        _ACTIVE,
    ),
    ("procedure", "step", "room"),
    _fits_a_day,
    parent="procedure",
    touches=("set_up_minutes", "minutes", "clean_up_minutes", "active"),
    listed=("procedure", "room", "step", "set_up_minutes", "minutes", "clean_up_minutes", "active"),
)


def _in_order(known: Known, values: Mapping[str, Any]) -> Iterator[Problem]:
    if values["gap_min_minutes"] > values["gap_max_minutes"]:
        yield Problem("gap_max_minutes", "is less than the least gap", "write as many minutes as the least gap, or more")
    known.session.flush()  # of a file the lines before
    others = sa.select(StepPlan.step).where(
        StepPlan.procedure_id == values["procedure_id"], StepPlan.active, StepPlan.step != values["step"]
    )  # fmt: skip
    steps = {*known.session.scalars(others), *([values["step"]] if values["active"] else [])}
    if steps != set(range(1, len(steps) + 1)):
        left = ", ".join(str(step) for step in sorted(steps))
        yield Problem(
            "step",
            f"would leave steps {left}",
            "number the steps 1, 2, 3 without a gap: add the first one first, retire the last one first",
        )


STEP = Record(
    "step",
    "step",
    "Steps",
    "The steps of a procedure that is done in several, such as injection and images. In which room each is done stands with the durations.",
    StepPlan,
    (
        _PROCEDURE,
        Number("step", "Step", "Counted from 1.", required=True, least=1, most=9),
        Field("name", "Name", required=True, longest=60),
        Number("gap_min_minutes", "Least gap", "Minutes from the end of the step before.", required=True, default="0", most=10_080),
        Number("gap_max_minutes", "Greatest gap", required=True, default="0", most=10_080),
        _ACTIVE,
    ),
    ("procedure", "step"),
    _in_order,
    parent="procedure",
    touches=("gap_min_minutes", "gap_max_minutes", "active"),
)

PREPARATION = Record(
    "preparation",
    "preparation text",
    "Preparation texts",
    "How a patient prepares, in other languages; the text in the language of the house stands with the procedure.",
    PreparationText,
    (
        _PROCEDURE,
        Language("language", "Language"),
        Lines("text", "Text", required=True),
        _ACTIVE,
    ),
    ("procedure", "language"),
    parent="procedure",
)

NEED = Record(
    "need",
    "need",
    "Needs",
    "What a procedure needs besides its room: a capability of a machine or a person, such as anaesthesia.",
    ProcedureNeed,
    (
        _PROCEDURE,
        _STEP,
        Field("capability", "Capability", "A word that resources have among theirs.", required=True, longest=40),
        _ACTIVE,
    ),
    ("procedure", "step", "capability"),
    parent="procedure",
    touches=("active",),
)


def _charged(_known: Known, values: Mapping[str, Any]) -> Iterator[Problem]:
    if values["charge_amount"] is not None and not values["charge_code"]:
        yield Problem("charge_code", "is empty, while there is an amount", "write the code that the amount is charged under")


MATERIAL = Record(
    "material",
    "material",
    "Materials",
    "What is given to patients or used up: contrast media, medication, tracers, supplies.",
    Material,
    (
        Code("code", "Code"),
        Field("name", "Name", required=True, longest=120),
        Choice("kind", "Kind", of=MaterialKind),
        Field("unit", "Unit", "In which an amount is counted: ml, MBq, piece.", required=True, longest=20),
        Field("charge_code", "Charge code", "Empty for what is not charged by itself.", longest=32),
        Amount("charge_amount", "Amount for one unit", "Without one the charge is held for a person."),
        _ACTIVE,
    ),
    ("code",),
    _charged,
)

ORDER_SET = Record(
    "order_set",
    "order set",
    "Order sets",
    "Procedures that are ordered together under one name.",
    OrderSet,
    (
        Code("code", "Code"),
        Field("name", "Name", required=True, longest=120),
        References(
            "procedures", "Procedures", "Codes, parted by blanks, in the order in which they are done.", required=True, to=Procedure
        ),
        _ACTIVE,
    ),
    ("code",),
)

REASON_KINDS = (
    (ReasonKind.cancel, "an appointment, exam or order is cancelled"),
    (ReasonKind.no_show, "a patient did not come"),
    (ReasonKind.hold, "an order is held"),
    (ReasonKind.discontinue, "an exam is broken off"),
    (ReasonKind.override, "somebody goes on against a rule"),
    (ReasonKind.overbook, "a room is booked twice"),
)

REASON = Record(
    "reason",
    "reason",
    "Reasons",
    "What is offered where a reason must be given. Without any of a kind the reason is typed.",
    Reason,
    (
        Choice("kind", "Given when", of=ReasonKind, labels=REASON_KINDS),
        Code("code", "Code"),
        Field("text", "Text", "As it is shown and kept.", required=True, longest=80),
        Number("position", "Place in the list", required=True, default="0", most=999),
        YesNo("needs_text", "Needs more words", "Whether it says too little without words of one's own."),
        _ACTIVE,
    ),
    ("kind", "code"),
    order=("kind", "position", "code"),
)

RECORDS = (PROCEDURE, DURATION, STEP, PREPARATION, NEED, MATERIAL, ORDER_SET, REASON)
