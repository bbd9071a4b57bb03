"""Taking a file in: looked at first, with everything that is wrong by line; then in one transaction, or not at all."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from ris.base.errors import RisError
from ris.base.ref import Ref
from ris.base.uow import Actor, Event, UnitOfWork
from ris.imports import reading
from ris.imports.kind import Finding, Kind, Line, TakeOne, Verdict
from ris.program import Program

AT_ONCE = 500
"""So many lines are looked up together, and held in memory."""


@dataclass(slots=True)
class Result:
    """How many lines there were, what became of them, and whether it is so now."""

    lines: int = 0
    counts: Counter[Verdict] = field(default_factory=Counter)
    applied: bool = False

    @property
    def is_right(self) -> bool:
        return not self.counts[Verdict.wrong]

    @property
    def changes(self) -> int:
        return self.counts[Verdict.new] + self.counts[Verdict.changed]


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants which file taken in, and how."""

    kind: Kind
    actor: Actor
    file_name: str
    tell: bool = False
    """Whether partners and patients are told, as they are of what people do."""


Report = Callable[[Finding], None]
Progress = Callable[[int], None]
"""Gets the number of lines that were read, every `AT_ONCE` of them."""


class _TakenBack(Exception):
    pass


def look(program: Program, order: Order, file: BinaryIO, report: Report, progress: Progress = lambda _: None) -> Result:
    """What taking the file in would do: it is done, and taken back. Raises BadFile for one that cannot be read.

    Only so many lines at once stand in a transaction, so that others can write in between.
    """
    taking = _Taking(order, report, progress)
    parts = _parts(order.kind, file)
    if order.kind.as_one:
        _take_back(program, order, taking, parts)
    else:
        for part in parts:
            _take_back(program, order, taking, iter([part]))
    return taking.result


def apply(program: Program, order: Order, file: BinaryIO, report: Report, progress: Progress = lambda _: None) -> Result:
    """Takes the file in, in one transaction; nothing of it stays when a line is wrong. Raises BadFile."""
    taking = _Taking(order, report, progress)

    try:
        with _uow(program, order) as uow:
            taking.take_all(uow, _parts(order.kind, file))
            if not taking.result.is_right:
                raise _TakenBack
            if taking.result.changes:
                _note(uow, order, taking.result)
    except _TakenBack:
        return taking.result
    taking.result.applied = True
    return taking.result


def _note(uow: UnitOfWork, order: Order, result: Result) -> None:
    counts = {verdict.value: count for verdict, count in result.counts.items()}
    facts = {"kind": order.kind.name, "file": order.file_name, "told": order.tell, **counts}
    uow.emit(Event("import.applied", Ref("import", 0), facts=facts))


def _uow(program: Program, order: Order) -> UnitOfWork:
    uow = program.uow(order.actor)
    uow.is_quiet = not order.tell
    return uow


def _take_back(program: Program, order: Order, taking: "_Taking", parts: Iterator[list[Line]]) -> None:
    try:
        with _uow(program, order) as uow:
            taking.take_all(uow, parts)
            raise _TakenBack
    except _TakenBack:
        return


def _parts(kind: Kind, file: BinaryIO) -> Iterator[list[Line]]:
    lines = reading.lines(kind, file)
    while part := list(itertools.islice(lines, AT_ONCE)):
        yield part


class _Taking:
    """One way through a file."""

    def __init__(self, order: Order, report: Report, progress: Progress) -> None:
        self.kind = order.kind
        self.report = report
        self.progress = progress
        self.result = Result()
        self._seen: dict[int, int] = {}
        """Hash of a key to the line that has it."""

    def take_all(self, uow: UnitOfWork, parts: Iterator[list[Line]]) -> None:
        for part in parts:
            self.take(uow, part)
            uow.forget()

    def take(self, uow: UnitOfWork, part: Sequence[Line]) -> None:
        for line in part:
            self._stands_once(line)
        readable = [line for line in part if not line.is_wrong]
        take_one = self.kind.begin(uow, readable)
        for line in readable:
            self._one(uow, line, take_one)
        uow.flush()
        for line in part:
            self._tell(line)
        self.result.lines += len(part)
        self.progress(self.result.lines)

    def _stands_once(self, line: Line) -> None:
        if line.is_wrong:
            return
        key = hash(tuple(line.cell(column) for column in self.kind.key))
        first = self._seen.setdefault(key, line.number)
        if first != line.number:
            line.wrong(self.kind.key[0], f"{line.about} stands in line {first} already", "keep one of the two lines")

    def _one(self, uow: UnitOfWork, line: Line, take_one: TakeOne) -> None:
        try:
            if self.kind.as_one:
                with uow.savepoint():
                    take_one(line)
            else:
                take_one(line)
        except RisError as error:
            column, _, what = error.message.partition(": ")
            known = column in self.kind.column_names
            line.wrong(column if known else "", what if known else error.message, "put it right, or take the line out")

    def _tell(self, line: Line) -> None:
        wrong = [finding for finding in line.findings if finding.verdict is Verdict.wrong]
        for finding in wrong or line.findings[:1]:
            self.result.counts[finding.verdict] += 1
            self.report(finding)
