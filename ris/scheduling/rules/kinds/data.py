"""The rule that looks for what an order lacks: its reason, the orderer's telephone, the patient's weight, who pays."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from ris.base.ref import Ref
from ris.patient.model import ObservationKind
from ris.scheduling.rules.facts import Facts
from ris.scheduling.rules.finding import Objection, Way
from ris.scheduling.rules.kinds.parameter import Parameters

WHAT = ("reason", "telephone", "weight", "coverage")
"""Values of `ris.scheduling.rules.missing.Lack`."""


def missing(facts: Facts, parameters: Parameters) -> Iterator[Objection]:
    """Something that is not there; the list of missing data asks for it in any case."""
    if parameters["asked"] != "yes" or not facts.exam.is_among(parameters["exams"]):
        return
    is_there, text, way = _OF[parameters["what"]]
    if not is_there(facts, parameters):
        yield Objection(
            text,
            (
                way(facts),
                Way("Ask the orderer, and enter what was said", Ref("procedure", facts.exam.procedure_id)),
                Way("Go on without it, and write down why it can be done so"),
            ),
        )


def _has_weight(facts: Facts, parameters: Parameters) -> bool:
    since = facts.now - timedelta(days=parameters["days"])
    return any(row.kind is ObservationKind.weight and row.observed_at >= since for row in facts.person.observations)


def _on_the_order(facts: Facts) -> Way:
    return Way("Enter it in the order", Ref("order", facts.exam.order_id))


_OF: Mapping[str, tuple[Callable[[Facts, Parameters], bool], str, Callable[[Facts], Way]]] = {
    "reason": (lambda facts, _: bool(facts.exam.reason.strip()), "The order names no reason", _on_the_order),
    "telephone": (
        lambda facts, _: bool(facts.exam.callback.strip()),
        "Nobody knows under which number the orderer is reached",
        _on_the_order,
    ),
    "weight": (
        _has_weight,
        "The weight of the patient is not known",
        lambda facts: Way("Ask the patient, and enter the weight on the list of missing data", Ref("patient", facts.person.patient_id)),
    ),
    "coverage": (
        lambda facts, _: bool(facts.cover.payers),
        "Nobody is known who pays",
        lambda facts: Way("Enter who pays", Ref("coverage", facts.person.patient_id)),
    ),
}
