"""Draws the profile of each message that is read from what its reader looks at: every field that it asks a rich sample for."""

import ast
import functools
import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from ris.base.uow import UnitOfWork
from ris.bootstrap import Ris
from ris.hl7 import ack, er7
from ris.hl7.er7 import Segment
from ris.hl7.inbound import READERS, clinical, fields
from ris.hl7.inbound.controls import CONTROLS
from ris.hl7.inbound.reading import Reader, Reading
from ris.hl7.inbound.request import order_groups
from ris.hl7.intake import Intake
from ris.partner.queries import PartnerRow
from ris.processes import database
from ris.settings import Data, Settings
from tests.architecture.meanings_in import MEANINGS
from tests.architecture.profile import Line, drawn
from tests.factories.hospital import build_hospital
from tests.messages.samples import message, msh

INBOUND = Path(__file__).parents[2] / "ris/hl7/inbound"
SEGMENTS = ("MSH", "EVN", "PID", "PV1", "PV2", "MRG", "NK1", "AL1", "ORC", "TQ1", "OBR", "NTE", "DG1", "OBX", "IPC", "ZDS")
PLACE = "192.0.2.1:40000"
Asked = set[tuple[str, int]]


class Watched:
    """A message on its way in that notes which of its parts a reader uses: PID, PV1 and OBX are read before it is known which one reads."""

    def __init__(self, reading: Reading, used: set[str]) -> None:
        self._reading, self._used = reading, used

    def __getattr__(self, name: str) -> Any:
        self._used.add(name)
        return getattr(self._reading, name)


@contextmanager
def recording() -> Iterator[Asked]:
    """What is asked of any segment meanwhile: its name and the number of the field."""
    asked: Asked = set()
    value, field = Segment.value, Segment.field

    def recorded_value(segment: Segment, n: int, *rest: int, **named: int) -> str:
        asked.add((segment.name, n))
        return value(segment, n, *rest, **named)

    def recorded_field(segment: Segment, n: int) -> er7.Field:
        asked.add((segment.name, n))
        return field(segment, n)

    Segment.value, Segment.field = recorded_value, recorded_field  # type: ignore[method-assign]
    try:
        yield asked
    finally:
        Segment.value, Segment.field = value, field  # type: ignore[method-assign]


@contextmanager
def watching(reader: Reader) -> Iterator[tuple[Asked, set[str]]]:
    """What one reader asks for itself, and which of the parts that were read before it uses."""
    asked: Asked = set()
    used: set[str] = set()

    def watched(uow: UnitOfWork, reading: Reading) -> None:
        with recording() as now:
            try:
                reader(uow, cast("Reading", Watched(reading, used)))
            finally:
                asked.update(now)

    mine = [key for key, value in READERS.items() if value is reader]
    READERS.update(dict.fromkeys(mine, watched))
    try:
        yield asked, used
    finally:
        READERS.update(dict.fromkeys(mine, reader))


PARTNER = PartnerRow(1, "EHR", "EHR", "HOSP", "", "America/New_York", "HOSP", 1, {})
PARTS: dict[str, Callable[[er7.Message], object]] = {
    "patient": lambda said: fields.patient(said, PARTNER),
    "visit": lambda said: fields.visit(said, PARTNER),
    "asked": lambda said: order_groups(said, PARTNER),
    "observed": lambda said: clinical.observations(said, PARTNER, datetime(2026, 11, 24, tzinfo=UTC)),
}
"""What is read before it is known which reader it is for."""
OTHERS = {"message", "partner", "control_id", "site_id", "procedures", "touched", "orders", "refusal_tasks"}
"""The parts of a `Reading` that are not read out of fields."""


def read_before(messages: list[bytes]) -> dict[str, Asked]:
    """Each of `PARTS` to the fields of these messages that it is made of."""
    found = {}
    for part, make in PARTS.items():
        with recording() as asked:
            for each in (*messages, *(message(msh("ADT^A01"), _pid(place)) for place in (2, 4))):
                make(er7.Message.parse(each.decode()))
        found[part] = asked
    return found


def names() -> dict[Reader, list[str]]:
    """Each reader with the messages that it reads."""
    found: dict[Reader, list[str]] = {}
    for (code, trigger), reader in READERS.items():
        found.setdefault(reader, []).append(f"{code}^{trigger}")
    return found


def samples(reader: str, kind: str) -> Iterator[bytes]:
    """Messages of one kind that hold everything that its reader could look for, in each of the ways in which senders say it."""
    makers = {"adt-update": _updates, "orm-read": _orders, "oru-read": _results}
    return makers.get(reader, _merges)(kind)


PV1 = "PV1|1|I|WARD^3^12||||7^Grove^Oscar||||||||B6|Y|||V1^^^HOSP"
PV2 = "PV2|" + "|" * 40 + "C"
NK1 = ("NK1|1|Meadow^Ida|MTH||555-0101||C", "NK1|2")
AL1 = "AL1|1|DA|7980^Penicillin^L|SV|Rash"
FINDINGS = ("OBX|1|SN|29463-7^Weight^LN||^70|kg|||||F|||20261124", "OBX|2|ST|8302-2^Height^LN||170|cm|||||F")


def _pid(place: int = 3, number: str = "M1", account: str = "ACC1") -> str:
    """The number stands in PID-2, PID-3 or PID-4."""
    numbers = "|".join(f"{number}^^^HOSP^MR" if each == place else "" for each in (2, 3, 4))
    return f"PID|1|{numbers}|Meadow^Anna||19700517|F|||1 Brook Lane^^Springfield||555-0100|||||{account}^^^HOSP"


def _update(kind: str) -> bytes:
    return message(msh(kind), "EVN|A03|20261124120000||||20261124120000", _pid(), PV1, PV2, *NK1, AL1, *FINDINGS)


def _updates(kind: str) -> Iterator[bytes]:
    yield _update(kind)
    yield message(msh(kind), "EVN|A03|20261124120000", _pid(), PV1)


def _merges(kind: str) -> Iterator[bytes]:
    """Of somebody who is there with an account and a visit; the prior number in MRG-1 or in MRG-4."""
    mrgs = ("MRG|M1^^^HOSP^MR||ACC1^^^HOSP||V1^^^HOSP", "MRG||||M1^^^HOSP^MR")
    for mrg, (place, survivor) in itertools.product(mrgs, ((3, "M1"), (3, "M4"), (2, "M4"), (4, "M4"))):
        yield message(msh(kind), _pid(place, survivor, "ACC2"), mrg, "PV1|1|I||||||||||||||||V2^^^HOSP")


def _orders(kind: str) -> Iterator[bytes]:
    for control, number in itertools.product(CONTROLS if kind.startswith("ORM") else ("NW",), ("P1^EHR", "")):
        yield message(
            msh(kind), _pid(), PV1, PV2, *NK1, AL1, f"ORC|{control}|{number}||||||||||||||CA^no", "TQ1|1",
            f"OBR|1|{number}||CTHEAD^CT head^L",
            "NTE|1||Note", "DG1|1||J45^Asthma", *FINDINGS, "IPC|", "ZDS|1.2.3",
        )  # fmt: skip
    yield message(msh(kind), _pid(), "OBR|1|P9^EHR||CTHEAD^CT head^L", "ZDS|1.2.3")


def _results(kind: str) -> Iterator[bytes]:
    for numbers in ("", "P1^EHR"):
        yield message(msh(kind), _pid(), PV1, f"OBR|1|{numbers}||CTHEAD^CT head^L", "OBX|1|TX|1||Normal.", *FINDINGS)


@functools.cache
def asked() -> dict[str, frozenset[tuple[str, int]]]:
    """Reader to what it looks at; the header is read before anybody knows which reader it will be."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Data(dir=Path(folder)))
        database.upgrade(settings)
        ris = Ris(settings)
        build_hospital(ris)
        intake = Intake(ris)
        for reader, kinds in names().items():
            name = _name(reader)
            intake.take([(_update("ADT^A01"), PLACE)])
            messages = [sample for kind in kinds for sample in samples(name, kind)]
            with watching(reader) as (asked_itself, used):
                for sample in messages:
                    intake.take([(sample, PLACE)])
            before = (fields for part, fields in read_before(messages).items() if part in used)
            found[name] = frozenset(asked_itself).union(header_fields(), *before)
        ris.close()
    return found


def header_fields() -> frozenset[tuple[str, int]]:
    """The fields of MSH that the header keeps, found by what comes out where."""
    raw = er7.segment("MSH", {number: f"h{number}" for number in range(3, 21)})
    kept = set(ack.header(raw.encode())[1:])
    return frozenset(("MSH", number) for number in range(3, 21) if f"h{number}" in kept) | {("MSH", 1), ("MSH", 2)}


def written_numbers() -> set[int]:
    """Numbers of fields that stand in the source of the readers, whether the samples get there or not."""
    return {
        argument.value
        for path in INBOUND.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in ("value", "field", "repetitions")
        for argument in call.args[:2]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, int)
    }


def lines(reader: str) -> list[Line]:
    return [Line(name, number) for name, number in sorted(asked()[reader], key=lambda each: (SEGMENTS.index(each[0]), each[1]))]


NOTES = {
    "adt-update": "A28 and A31 are about the person: of PV1 only the VIP indicator is applied.",
    "orm-read": "What PID says of the person is taken for somebody who is not known yet, and for everybody where that is agreed "
    "(`order_owns_demographics`).",
    "oru-read": "What PID says of the person is taken for somebody who is not known yet.",
}
FOR_MERGES = "What PID says of the person beside numbers is taken for somebody who is not known yet."


def page(reader: str) -> str:
    kinds = next(kinds for each, kinds in names().items() if _name(each) == reader)
    text = [
        f"# In: {', '.join(f'`{kind}`' for kind in kinds)}",
        "",
        "Drawn from what the program looks at while it reads messages that hold everything. Any other field and segment is passed over.",
        'What these messages do, and what an empty field and `""` mean: [hl7-in](../hl7-in.md).',
        "",
        NOTES.get(reader, FOR_MERGES),
        *drawn(lines(reader), MEANINGS, reader, with_examples=False),
    ]
    return "\n".join(text) + "\n"


def unused() -> set[str]:
    """Meanings of places at which nobody looks."""
    used = {f"{reader} {line.place}" for reader in asked() for line in lines(reader)} | {line.place for r in asked() for line in lines(r)}
    return set(MEANINGS) - used


def _name(reader: Callable[..., object]) -> str:
    return f"{reader.__module__.rpartition('.')[2]}-{reader.__name__}"


PAGES = {f"docs/interfaces/profiles/in-{_name(reader)}.md": functools.partial(page, _name(reader)) for reader in names()}
