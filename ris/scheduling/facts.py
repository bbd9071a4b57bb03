"""Everything that decides whether an exam fits into a room at a time, as frozen rows: the search and the booking judge by the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from functools import cached_property

from ris.catalog.model import Modality, ReservedFor, ResourceKind
from ris.scheduling.spans import Minutes, without


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the patient or the case asks of room and staff."""

    staff_sex: str = ""
    """F or M: who is in the room; empty when it does not matter."""
    with_anaesthesia: bool = False


NO_WISHES = Wishes()


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for: when and where. Dates and times are of the wall clock of the site, both dates included."""

    first: date
    last: date
    not_before: time | None = None
    not_after: time | None = None
    """The latest start."""
    room_id: int | None = None
    modality: Modality | None = None
    wishes: Wishes = NO_WISHES
    one_a_gap: bool = False
    """Only the first start in each gap."""


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work of an exam."""

    exam: int
    """Position of the exam among those looked for."""
    number: int
    """From 1."""
    name: str
    """Empty for the only step of an exam."""
    gap: Minutes | None
    """Least and most minutes from the end of the step before; None for the first."""
    needs: tuple[str, ...]
    minutes: Mapping[int, int]
    """Room to what it takes there."""


@dataclass(frozen=True, slots=True)
class Exam:
    procedure_id: int | None
    """The requested procedure; None while somebody only asks."""
    name: str
    modality: Modality
    contrast: bool
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    span: Minutes
    reason: str


@dataclass(frozen=True, slots=True)
class Reserved:
    span: Minutes
    reserved_for: ReservedFor
    released_at: int | None
    """Minute from which everybody may book it."""


@dataclass(frozen=True)
class Room:
    id: int
    site_id: int
    name: str
    modality: Modality
    weight_limit_kg: int | None
    gives_contrast: bool
    has_anaesthesia: bool
    hours: tuple[Minutes, ...]
    closed: tuple[Closed, ...]
    reserved: tuple[Reserved, ...]
    taken: tuple[Minutes, ...]
    shortest: int
    """Minutes of the shortest thing that is done there: a gap below it is of no use."""

    @cached_property
    def open(self) -> list[Minutes]:
        return without(self.hours, sorted(closed.span for closed in self.closed))

    @cached_property
    def gaps(self) -> list[Minutes]:
        """When it is open and nobody is in it."""
        return without(self.open, self.taken)


@dataclass(frozen=True)
class Resource:
    id: int
    kind: ResourceKind
    name: str
    sex: str
    capabilities: frozenset[str]
    hours: tuple[Minutes, ...]
    taken: tuple[Minutes, ...]
    """Absences too."""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.id}"

    @cached_property
    def free(self) -> list[Minutes]:
        return without(self.hours, self.taken)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """That the patient has another appointment."""

    span: Minutes
    room_id: int | None
    site_id: int | None


@dataclass(frozen=True, slots=True)
class Patient:
    weight_kg: float | None = None
    patient_class: str = ""
    """PV1-2, table 0004."""
    is_stat: bool = False
    elsewhere: tuple[Elsewhere, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """How a site books; a site without a row of its own has these."""

    room_change_minutes: int = 0
    """Between two exams of a patient in different rooms of the site."""
    site_change_minutes: int = 60
    combine_within_minutes: int = 180
    """The longest wait between two exams that are booked together."""
    hides_useless_gaps: bool = False
    """Whether slots that would leave a gap too short for anything are kept from the offers; else they come last."""
    hold_seconds: int = 300
    overbooked_at_once: int = 1
    """So many more than one may share a room at a time, by right and reason."""


@dataclass(frozen=True)
class Facts:
    now: int
    zone: str
    site_id: int
    window: Minutes
    exams: tuple[Exam, ...]
    rooms: Mapping[int, Room]
    resources: tuple[Resource, ...]
    patient: Patient
    policy: Policy
    days: tuple[Minutes, ...]
    """Each date of the window, midnight to midnight of the wall clock."""
    starts: tuple[Minutes, ...]
    """Spans in which something may begin."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A step at a place and time; `resource_keys` are who and what helps."""

    exam: int
    number: int
    room_id: int
    span: Minutes
    resources: tuple[Resource, ...] = ()
