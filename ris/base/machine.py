"""Life cycles as data: from, to, and the named requirements of each step; a refused step says what is missing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from ris.base.errors import NotAllowedNow

State = TypeVar("State", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Requirement:
    """Something that must hold before a step; `text` is what a person reads when it does not."""

    name: str
    text: str
    mend: str = ""
    """What a person does about it."""


_AS_IT_IS: Mapping[Requirement, str] = {}


@dataclass(frozen=True, slots=True)
class Step(Generic[State]):
    name: str
    """The verb, as the service and the button call it."""
    sources: frozenset[State]
    target: State
    requires: tuple[Requirement, ...] = ()


def step(name: str, sources: Iterable[State], target: State, *requires: Requirement) -> Step[State]:
    return Step(name, frozenset(sources), target, requires)


@dataclass(frozen=True)
class Machine(Generic[State]):
    """All steps of one kind of thing. `what` names the thing in refusals."""

    what: str
    initial: State
    steps: tuple[Step[State], ...]
    by_name: dict[str, Step[State]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {s.name: s for s in self.steps})
        if len(self.by_name) != len(self.steps):
            raise ValueError(f"two steps of {self.what} have one name")

    def why_not(
        self, name: str, current: State, holds: Callable[[Requirement], bool] = lambda _: True, said: Mapping[Requirement, str] = _AS_IT_IS
    ) -> tuple[str, ...]:
        """Every reason why the step may not be taken now; empty when it may."""
        if current not in self.by_name[name].sources:
            return (f"it is {current.replace('_', ' ')}",)
        return tuple(said.get(r, r.text) for r in self.missing(name, holds))

    def missing(self, name: str, holds: Callable[[Requirement], bool]) -> tuple[Requirement, ...]:
        """The requirements of the step that do not hold, whatever the state is."""
        return tuple(r for r in self.by_name[name].requires if not holds(r))

    def go(
        self, name: str, current: State, holds: Callable[[Requirement], bool] = lambda _: True, said: Mapping[Requirement, str] = _AS_IT_IS
    ) -> State:
        """The state after the step. Raises NotAllowedNow, naming each requirement that is not met, as `said` words it for this thing."""
        reasons = self.why_not(name, current, holds, said)
        if reasons:
            raise NotAllowedNow(f"cannot {name.replace('_', ' ')} the {self.what}: {'; '.join(reasons)}", missing=reasons)
        return self.by_name[name].target

    def open_steps(self, current: State) -> tuple[str, ...]:
        """The steps that the state itself permits, for buttons and documentation."""
        return tuple(s.name for s in self.steps if current in s.sources)
