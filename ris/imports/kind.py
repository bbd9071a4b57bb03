"""What a kind of file is: its columns, what takes its lines, and what is said of each line."""

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from ris.base.errors import Invalid
from ris.base.uow import UnitOfWork
from ris.staff.permission import Permission


class LineRefused(Invalid):
    """Why a line cannot be taken, after something of it was done: that is taken back."""

    def __init__(self, column: str, what: str, fix: str) -> None:
        super().__init__(what)
        self.column = column
        self.fix = fix


class Verdict(enum.StrEnum):
    new = "new"
    changed = "changed"
    unchanged = "unchanged"
    undecided = "undecided"
    """Left out until a person has decided; it stops no other line."""
    wrong = "wrong"
    """While one is, nothing of the file is taken."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    told: str
    """What is written into it."""
    help: str = ""
    required: bool = False
    """Whether the file must have it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said of a line."""

    line: int
    """Counted from one, the header being the first."""
    verdict: Verdict
    about: str = ""
    """Its key, as in the file."""
    column: str = ""
    what: str = ""
    fix: str = ""
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)


class Line:
    """A line of a file: its cells by column, and what is said of it."""

    def __init__(self, number: int, cells: Mapping[str, str], about: str) -> None:
        self.number = number
        self.cells = cells
        self.about = about
        self.findings: list[Finding] = []

    def cell(self, column: str) -> str:
        """Empty where the file does not have the column."""
        return self.cells.get(column, "")

    @property
    def is_wrong(self) -> bool:
        return any(finding.verdict is Verdict.wrong for finding in self.findings)

    def wrong(self, column: str, what: str, fix: str) -> None:
        self.findings.append(Finding(self.number, Verdict.wrong, self.about, column, what, fix))

    def undecided(self, column: str, what: str, fix: str) -> None:
        self.findings.append(Finding(self.number, Verdict.undecided, self.about, column, what, fix))

    def new(self) -> None:
        self.findings.append(Finding(self.number, Verdict.new, self.about))

    def saved(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Changed, or unchanged where nothing stands in `after`."""
        verdict = Verdict.changed if after else Verdict.unchanged
        self.findings.append(Finding(self.number, verdict, self.about, before=before, after=after))


TakeOne = Callable[[Line], None]


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    name: str
    title: str
    meaning: str
    permission: Permission
    """Needed at some site to take one in."""
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """Columns that together stand once in a file."""
    begin: Callable[[UnitOfWork, Sequence[Line]], TakeOne]
    """Gets some hundred lines ahead, to look up at once what they name; what it returns takes one of them, calling services.

    It says what became of the line, or what is wrong with it; a RisError of a service is the line's too.
    """
    export: Callable[[Session], Iterator[Sequence[str]]] | None = None
    """What is here, a row for each column; None where nothing may leave in this way."""
    as_one: bool = False
    """Whether a line may stand against another one of the file; then each is taken for itself, and the dry run is one transaction."""
    at_once: int = 500
    """So many lines are looked up together, held in memory, and in a dry run in one transaction."""
    most_lines: int | None = None
    """More are to be brought in several files."""
    tells: str = ""
    """What partners and patients would hear of it, where they can; they hear nothing unless whoever takes the file in asks for that."""

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)
