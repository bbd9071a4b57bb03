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
from ris.imports.kind import Finding, Kind, Line, LineRefused, TakeOne, Verdict
from ris.imports.reading import BadFile
from ris.program import Program


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
    def became(self) -> dict[str, int]:
        """Verdict to count, of those that came about."""
        return {verdict.value: count for verdict in Verdict if (count := self.counts[verdict])}

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
    at_the_end: Callable[[UnitOfWork, Result], None] = lambda _uow, _result: None
    """What is written in the same transaction once the file is taken in."""


Report = Callable[[Finding], None]
Progress = Callable[[int], None]
"""Gets the number of lines that were read, a part of the file at a time."""


class _TakenBack(Exception):
    pass


class Run:
    """One way through a file, in steps: each yields the number of lines that were read. Given up in between, nothing of it stays."""

    def __init__(self, program: Program, order: Order, file: BinaryIO, report: Report) -> None:
        self.program = program
        self.order = order
        self.file = file
        self.result = Result()
        self._taking = _Taking(order.kind, self.result, report)

    def looking(self) -> Iterator[int]:
        """What taking the file in would do: it is done, and taken back. Raises BadFile for one that cannot be read.

        Only so many lines at once stand in a transaction, so that others can write in between.
        """
        parts = _parts(self.order.kind, self.file)
        if self.order.kind.as_one:
            yield from self._taken_back(parts)
            return
        for part in parts:
            yield from self._taken_back(iter([part]))

    def applying(self) -> Iterator[int]:
        """Takes the file in, in one transaction; nothing of it stays when a line is wrong. Raises BadFile."""
        try:
            with self._uow() as uow:
                yield from self._taking.take_all(uow, _parts(self.order.kind, self.file))
                if not self.result.is_right:
                    raise _TakenBack
                if self.result.changes:
                    _note(uow, self.order, self.result)
                self.order.at_the_end(uow, self.result)
        except _TakenBack:
            return
        self.result.applied = True

    def _taken_back(self, parts: Iterator[list[Line]]) -> Iterator[int]:
        try:
            with self._uow() as uow:
                yield from self._taking.take_all(uow, parts)
                raise _TakenBack
        except _TakenBack:
            return

    def _uow(self) -> UnitOfWork:
        uow = self.program.uow(self.order.actor)
        uow.is_quiet = not self.order.tell
        return uow


def look(program: Program, order: Order, file: BinaryIO, report: Report, progress: Progress = lambda _: None) -> Result:
    """`Run.looking` to its end."""
    run = Run(program, order, file, report)
    for lines in run.looking():
        progress(lines)
    return run.result


def apply(program: Program, order: Order, file: BinaryIO, report: Report, progress: Progress = lambda _: None) -> Result:
    """`Run.applying` to its end."""
    run = Run(program, order, file, report)
    for lines in run.applying():
        progress(lines)
    return run.result


def _note(uow: UnitOfWork, order: Order, result: Result) -> None:
    facts = {"kind": order.kind.name, "file": order.file_name, "told": order.tell, **result.became}
    uow.emit(Event("import.applied", Ref("import", 0), facts=facts))


def _parts(kind: Kind, file: BinaryIO) -> Iterator[list[Line]]:
    lines = reading.lines(kind, file)
    while part := list(itertools.islice(lines, kind.at_once)):
        yield part


class _Taking:
    """What becomes of lines."""

    def __init__(self, kind: Kind, result: Result, report: Report) -> None:
        self.kind = kind
        self.result = result
        self.report = report
        self._seen: dict[int, int] = {}
        """Hash of a key to the line that has it."""

    def take_all(self, uow: UnitOfWork, parts: Iterator[list[Line]]) -> Iterator[int]:
        for part in parts:
            self.take(uow, part)
            uow.forget()
            yield self.result.lines

    def take(self, uow: UnitOfWork, part: Sequence[Line]) -> None:
        if self.kind.most_lines is not None and self.result.lines + len(part) > self.kind.most_lines:
            raise BadFile(f"the file has more than {self.kind.most_lines} lines: bring it in several, for example by month")
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
        except LineRefused as refused:
            line.wrong(refused.column, refused.message, refused.fix)
        except RisError as error:
            column, _, what = error.message.partition(": ")
            known = column in self.kind.column_names
            line.wrong(column if known else "", what if known else error.message, "put it right, or take the line out")

    def _tell(self, line: Line) -> None:
        wrong = [finding for finding in line.findings if finding.verdict is Verdict.wrong]
        for finding in wrong or line.findings[:1]:
            self.result.counts[finding.verdict] += 1
            self.report(finding)
