"""Rules that look at the plan itself: time enough for the preparation."""

from collections.abc import Iterator
from datetime import timedelta

from ris.base.clock import local
from ris.base.ref import Ref
from ris.order.status import Priority
from ris.scheduling.rules.facts import Facts
from ris.scheduling.rules.finding import Objection, Way
from ris.scheduling.rules.kinds.parameter import Parameters


def preparation(facts: Facts, parameters: Parameters) -> Iterator[Objection]:
    """A patient who is told now can prepare only after some hours; STAT exams do not wait for that."""
    exam, earliest = facts.exam, facts.now + timedelta(hours=parameters["hours"])
    if exam.priority is Priority.stat or not exam.is_among(parameters["exams"]) or facts.place.starts_at >= earliest:
        return
    yield Objection(
        f"{facts.at(facts.place.starts_at)} leaves less than {parameters['hours']} hours for the preparation: {exam.preparation}",
        (
            Way(f"Book it from {facts.at(earliest)} on", day=local(earliest, facts.zone).date()),
            Way("Ask whether the patient is prepared already, and write down the answer", Ref("patient", facts.person.patient_id)),
            Way("Ask the orderer whether it may be done unprepared", Ref("procedure", exam.procedure_id)),
        ),
    )
