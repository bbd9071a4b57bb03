import itertools
from enum import StrEnum
from typing import Any

import pytest

from ris.base.errors import NotAllowedNow
from ris.base.machine import Machine, Requirement, step
from ris.critical.status import CRITICAL
from ris.distribution.status import DISPATCH
from ris.notice.status import NOTICE
from ris.order.status import ORC_5, PRIORITY_RANK, PROCEDURE, OrderStatus, Priority, ProcedureStatus, order_status
from ris.outbox.status import DELIVERY
from ris.protocol.status import PROTOCOL
from ris.report.status import REPORT
from ris.scheduling.status import STEP

P = ProcedureStatus
MACHINES: dict[str, Machine[Any]] = {
    "exam": PROCEDURE,
    "protocol": PROTOCOL,
    "appointment": STEP,
    "report": REPORT,
    "critical result": CRITICAL,
    "delivery": DELIVERY,
    "notice": NOTICE,
    "dispatch": DISPATCH,
}


def states(machine: Machine[Any]) -> list[StrEnum]:
    return list(type(machine.initial))


EVERYTHING = [
    pytest.param(machine, name, state, id=f"{what}-{name}-{state}")
    for what, machine in MACHINES.items()
    for name, state in itertools.product(machine.by_name, states(machine))
]


@pytest.mark.parametrize(("machine", "name", "state"), EVERYTHING)
def test_each_step_is_taken_from_its_sources_and_refused_with_the_state_from_all_others(
    machine: Machine[Any], name: str, state: StrEnum
) -> None:
    wanted = machine.by_name[name]
    if state in wanted.sources:
        assert machine.go(name, state) is wanted.target
        assert name in machine.open_steps(state)
        return
    with pytest.raises(NotAllowedNow) as refused:
        machine.go(name, state)
    assert refused.value.missing == (f"it is {state.replace('_', ' ')}",)
    assert refused.value.message == f"cannot {name.replace('_', ' ')} the {machine.what}: it is {state.replace('_', ' ')}"
    assert name not in machine.open_steps(state)


@pytest.mark.parametrize(
    ("machine", "name", "requirement"),
    [
        pytest.param(machine, s.name, requirement, id=f"{what}-{s.name}-{requirement.name}")
        for what, machine in MACHINES.items()
        for s in machine.steps
        for requirement in s.requires
    ],
)
def test_each_requirement_that_is_not_met_is_named(machine: Machine[Any], name: str, requirement: Requirement) -> None:
    for state in machine.by_name[name].sources:
        with pytest.raises(NotAllowedNow, match=requirement.text):
            machine.go(name, state, lambda asked: asked is not requirement)


def test_all_missing_requirements_are_named_at_once() -> None:
    with pytest.raises(NotAllowedNow) as refused:
        REPORT.go("sign_final", REPORT.initial, lambda _: False)
    assert refused.value.missing == tuple(r.text for r in REPORT.by_name["sign_final"].requires)


@pytest.mark.parametrize("what", MACHINES)
def test_every_state_can_be_reached(what: str) -> None:
    machine = MACHINES[what]
    reached, grew = {machine.initial}, True
    while grew:
        more = {s.target for s in machine.steps if s.sources & reached}
        grew = not more <= reached
        reached |= more
    assert reached == set(states(machine))


def test_two_steps_of_one_name_are_a_fault_of_the_program() -> None:
    with pytest.raises(ValueError, match="two steps of thing have one name"):
        Machine("thing", P.ordered, (step("go", (P.ordered,), P.arrived), step("go", (P.arrived,), P.ordered)))


def test_every_state_of_an_exam_has_its_code_on_the_wire_and_every_priority_its_rank() -> None:
    assert set(ORC_5) == set(ProcedureStatus)
    assert set(PRIORITY_RANK) == set(Priority)
    assert PRIORITY_RANK[Priority.stat] == min(PRIORITY_RANK.values())


@pytest.mark.parametrize(
    ("procedures", "expected"),
    [
        ([P.ordered], OrderStatus.scheduled),
        ([P.ordered, P.scheduled, P.arrived], OrderStatus.scheduled),
        ([P.ordered, P.cancelled], OrderStatus.scheduled),
        ([P.cancelled, P.cancelled], OrderStatus.cancelled),
        ([P.cancelled, P.discontinued], OrderStatus.discontinued),
        ([P.completed, P.cancelled, P.discontinued], OrderStatus.completed),
        ([P.completed, P.scheduled], OrderStatus.in_progress),
        ([P.in_progress, P.completed], OrderStatus.in_progress),
        ([P.discontinued, P.ordered], OrderStatus.scheduled),
    ],
)
def test_the_state_of_an_order_follows_from_its_procedures(procedures: list[ProcedureStatus], expected: OrderStatus) -> None:
    assert order_status(procedures) is expected


@pytest.mark.parametrize("pair", list(itertools.combinations_with_replacement(P, 2)), ids="+".join)
def test_an_order_is_over_exactly_when_none_of_its_procedures_is_open(pair: tuple[ProcedureStatus, ProcedureStatus]) -> None:
    is_over = order_status(pair) in (OrderStatus.completed, OrderStatus.cancelled, OrderStatus.discontinued)
    assert is_over == all(state in (P.completed, P.cancelled, P.discontinued) for state in pair)
