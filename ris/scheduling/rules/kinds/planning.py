"""Rules that look at the plan itself: time for the preparation, a protocol, in time for who asked for it, a table that carries."""

from collections.abc import Iterator
from datetime import timedelta

from ris.base.clock import local
from ris.base.ref import Ref
from ris.order.status import Priority
from ris.patient import safety
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


def protocol(facts: Facts, parameters: Parameters) -> Iterator[Objection]:
    """How the exam is done is for a radiologist to say, and none has yet; STAT exams do not wait for that."""
    exam = facts.exam
    if not exam.lacks_protocol or exam.priority is Priority.stat or not exam.is_among(parameters["exams"]):
        return
    yield Objection(
        "No radiologist has approved yet how this exam is done",
        (
            Way("See how far its protocol is", Ref("protocol", exam.procedure_id)),
            Way("Ring a radiologist, and write down what was said"),
            Way("Leave the exam waiting: it can be booked once the protocol is approved", Ref("procedure", exam.procedure_id)),
        ),
    )


def target(facts: Facts, parameters: Parameters) -> Iterator[Objection]:
    """Later than a radiologist wants it."""
    exam, wanted = facts.exam, facts.exam.target_at
    if wanted is None or facts.place.starts_at <= wanted or not exam.is_among(parameters["exams"]):
        return
    yield Objection(
        f"A radiologist wants it to have begun by {facts.at(wanted)}",
        (
            Way("Take one of the earlier free times", day=local(max(facts.now, wanted), facts.zone).date()),
            Way("Move something that can wait, or book over it", day=local(wanted, facts.zone).date()),
            Way("Ask the radiologist whether it can wait", Ref("protocol", exam.procedure_id)),
        ),
    )


def weight(facts: Facts, _parameters: Parameters) -> Iterator[Objection]:
    """The table of the room carries less than the patient weighs. About every exam: nothing else holds the booking back then."""
    place, known = facts.place, safety.weight_kg(facts.person.observations)
    if known is None or place.weight_limit_kg is None or known <= place.weight_limit_kg:
        return
    yield Objection(
        f"{place.room_name} carries {place.weight_limit_kg} kg, and the patient weighs {known:g} kg",
        (
            Way("Take a room whose table carries more", day=facts.day),
            Way("Weigh the patient again, and enter the weight", Ref("patient", facts.person.patient_id)),
            Way("Ask whoever is in charge of the room, and write down who said that it may be done"),
        ),
    )
