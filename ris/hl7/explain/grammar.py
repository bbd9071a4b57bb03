"""Whether the segments of a message stand in the order and number that its structure names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ris.hl7.explain.tables import Part


@dataclass(frozen=True, slots=True)
class Misplaced:
    """One thing that is not as the structure has it."""

    segment: str
    position: int | None
    """Its place among the segments that were given; None for one that is missing."""
    problem: str


MOST = 20
"""After so many it is another structure: nothing more is said."""


def misplaced(structure: Part, names: Sequence[str]) -> list[Misplaced]:
    """Everything that is missing, too many or out of place; the segments are taken as a reader would who skips what does not fit."""
    known = set(_segments(structure))
    found = [Misplaced(name, position, f"is no part of {structure.name}") for position, name in enumerate(names) if name not in known]
    fitting = [(position, name) for position, name in enumerate(names) if name in known]
    while len(found) < MOST:
        walk = _Walk([name for _, name in fitting])
        walk.take(structure)
        if walk.at == len(fitting):
            return found + walk.missing
        position, name = fitting.pop(walk.at)
        found.append(Misplaced(name, position, "stands where the structure has none, or one too many"))
    return found


class _Walk:
    """Goes through the structure and takes each segment that may stand at its place."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.at = 0
        self.missing: list[Misplaced] = []

    def take(self, group: Part) -> None:
        for child in group.children:
            count = 0
            while self._is_next(child) and (child.most == -1 or count < child.most):
                count += 1
                if child.children:
                    self.take(child)
                else:
                    self.at += 1
            if count and group.is_choice:
                return
            if count < child.least and not group.is_choice:
                self._miss(child)

    def _is_next(self, part: Part) -> bool:
        return self.at < len(self.names) and self.names[self.at] in _first(part)

    def _miss(self, part: Part) -> None:
        name = part.name if not part.children else next(iter(_required(part)), part.children[0].name)
        self.missing.append(Misplaced(name, None, "is required and missing"))


def _segments(part: Part) -> Iterator[str]:
    if not part.children:
        yield part.name
    for child in part.children:
        yield from _segments(child)


def _required(part: Part) -> Iterator[str]:
    return (name for child in part.children if child.least for name in _segments(child))


def _first(part: Part) -> frozenset[str]:
    """The segments that can begin it: up to the first that must be there."""
    if not part.children:
        return frozenset({part.name})
    names: frozenset[str] = frozenset()
    for child in part.children:
        names |= _first(child)
        if child.least and not part.is_choice:
            break
    return names
