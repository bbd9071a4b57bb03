"""What differs between two texts of a message: line by line, and within a line field by field."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

MOST_LINES = 2_000
"""Longer messages are compared line by line from the top, since the search for a common run would take too long."""
AROUND = 2
"""So many lines that are the same are shown beside one that is not."""


@dataclass(frozen=True, slots=True)
class DiffLine:
    sign: str
    """`-` only before, `+` only after, a blank in both, `…` where lines that are the same are left out."""
    parts: tuple[tuple[str, bool], ...]
    """The text in pieces, each with whether it differs."""


def diff(before: str, after: str) -> list[DiffLine]:
    """Nothing when both say the same."""
    old, new = before.split("\n"), after.split("\n")
    lines = list(_lines(old, new))
    return _shortened(lines) if any(line.sign != " " for line in lines) else []


def _lines(old: Sequence[str], new: Sequence[str]) -> Iterator[DiffLine]:
    for kind, a, b, c, d in _steps(old, new):
        if kind == "equal":
            yield from (DiffLine(" ", ((line, False),)) for line in old[a:b])
            continue
        pairs = min(b - a, d - c)
        for before, after in zip(old[a : a + pairs], new[c : c + pairs], strict=True):
            yield from _pair(before, after)
        yield from (DiffLine("-", ((line, True),)) for line in old[a + pairs : b])
        yield from (DiffLine("+", ((line, True),)) for line in new[c + pairs : d])


def _steps(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, int, int, int, int]]:
    if max(len(old), len(new)) <= MOST_LINES:
        yield from SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        return
    shorter = min(len(old), len(new))
    for at in range(shorter):
        yield ("equal" if old[at] == new[at] else "replace", at, at + 1, at, at + 1)
    yield "replace", shorter, len(old), shorter, len(new)


def _pair(before: str, after: str) -> Iterator[DiffLine]:
    """A changed line twice, with the fields marked that are not the same; the separator is that of the line."""
    separator = before[3:4] if before[3:4] and before[3:4] == after[3:4] else "|"
    old, new = before.split(separator), after.split(separator)
    longest = max(len(old), len(new))
    same = [old[i : i + 1] == new[i : i + 1] for i in range(longest)]
    for sign, fields in (("-", old), ("+", new)):
        pieces: list[tuple[str, bool]] = []
        for i, field in enumerate(fields):
            pieces += [(separator, False)] * bool(i) + [(field, not same[i])]
        yield DiffLine(sign, tuple(pieces))


def _shortened(lines: Sequence[DiffLine]) -> list[DiffLine]:
    near = {at + shift for at, line in enumerate(lines) if line.sign != " " for shift in range(-AROUND, AROUND + 1)}
    shown: list[DiffLine] = []
    for at, line in enumerate(lines):
        if at in near:
            shown.append(line)
        elif not shown or shown[-1].sign != "…":
            shown.append(DiffLine("…", ()))
    return shown
