"""Our reader beside two others on what others wrote: where they differ, the difference has a name and a reason."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import hl7
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Segment as TheirSegment
from hl7apy.exceptions import InvalidEncodingChars, InvalidName, UnsupportedVersion
from hl7apy.parser import parse_message

from ris.base.errors import RisError
from ris.hl7.charset import decode
from ris.hl7.er7 import Message, Segment
from ris.hl7.explain import tables
from tests.corpus.house import FOLDER

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(300)]

Explanation = str
UNREAD = 42
"""Files that hold no message: batches, which begin with FHS or BHS, and UTF-16, which MLLP cannot carry."""


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """python-hl7 writes an error to the log for each escape sequence that it does not know."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    paths = sorted(path for path in FOLDER.rglob("*") if path.suffix == ".hl7")
    assert len(paths) > 1_300
    return [message for path in paths if (message := _read(path)) is not None]


def _read(path: Path) -> Message | None:
    try:
        return Message.parse(decode(path.read_bytes(), None).text)
    except RisError:
        return None


def told(title: str, found: Counter[str]) -> None:
    print(f"\n{title}")
    for name, count in found.most_common():
        print(f"{count:8} {name}")


def test_what_we_do_not_read_is_no_message(messages: list[Message]) -> None:
    unread = [path for path in FOLDER.rglob("*.hl7") if _read(path) is None]
    assert len(unread) == UNREAD
    for path in unread:
        head = path.read_bytes()[:200]
        is_batch = head.lstrip(b"\xef\xbb\xbf\x00 \t\r\n").startswith((b"FHS", b"BHS"))
        is_wide = head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"M\x00S\x00" in head or b"\x00M\x00S" in head
        assert is_batch or is_wide or not head.lstrip(b"\x00 \t\r\n").startswith(b"MSH"), path


# ── python-hl7 ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")
def test_python_hl7_cuts_and_unescapes_as_we_do_but_for_what_is_explained(messages: list[Message]) -> None:
    found: Counter[str] = Counter()
    for message in messages:
        try:
            other = hl7.parse(_text(message))
        except AssertionError:
            found["message: it reads none with fewer than four encoding characters"] += 1
            assert len(message.msh.field(2).raw) < 4 or len(set(message.msh.field(2).raw)) < 4
            continue
        found.update(_beside_python_hl7(message, other))
    told("Beside python-hl7", found)
    assert {name for name in found if name.startswith("unexplained")} == set()


def _beside_python_hl7(message: Message, other: hl7.Message) -> Iterator[Explanation]:
    assert len(message.segments) == len(other)
    for segment, theirs in zip(message.segments, other, strict=True):
        if any(character.isalnum() for character in message.msh.field(2).raw):
            yield "segment: it takes letters and digits for encoding characters"
        elif segment.name == "MSH" and len(segment.raw) <= 9:
            yield "segment: it counts the parts of an MSH that ends with MSH-2 otherwise"
        elif not segment.name.isalnum():
            yield "segment: it cuts a name that holds delimiters"
        else:
            yield from _fields_beside_python_hl7(message, segment, theirs, other)


def _fields_beside_python_hl7(message: Message, segment: Segment, theirs: hl7.Segment, other: hl7.Message) -> Iterator[Explanation]:
    delimiters = message.delimiters
    for number in range(3 if segment.name == "MSH" else 1, len(theirs)):
        field = segment.field(number)
        if str(theirs[number]) != field.raw:
            is_last = number == len(theirs) - 1 and segment is message.segments[-1]
            yield (
                "field: it strips blanks from the end of a message"
                if is_last and str(theirs[number]) == field.raw.rstrip()
                else (f"unexplained field {segment.name}-{number}")
            )
            continue
        for r, repetition in enumerate(field.raw.split(delimiters.repetition) if field.raw else [], start=1):
            for c, component in enumerate(repetition.split(delimiters.component), start=1):
                for s, raw in enumerate(component.split(delimiters.subcomponent), start=1):
                    yield _value_beside_python_hl7(raw, segment.value(number, c, r, s), other.unescape(raw), delimiters.escape)


def _value_beside_python_hl7(raw: str, ours: str, theirs: str, escape: str) -> Explanation:
    if ours == theirs:
        return "value: the same"
    if ours.replace("\n", "\r") == theirs:
        return "value: a line break is a newline here, a carriage return there"
    if ours.count(escape) > raw.count(f"{escape}E{escape}"):
        return "value: formatting, switches and unknown sequences stay as they are here; it drops or replaces them"
    if "\\P\\" in raw:
        return "value: \\P\\ is the truncation character here"
    return f"unexplained value of {len(raw)} characters"


# ── hl7apy ───────────────────────────────────────────────────────────────────────────────────────────────────────────

REFUSED = {
    InvalidEncodingChars: "message: it takes no other encoding characters than those of the version",
    UnsupportedVersion: "message: it does not know the version",
    InvalidName: "message: a segment or field that the version does not have",
}


def test_hl7apy_finds_each_value_where_we_do_but_for_what_is_explained(messages: list[Message]) -> None:
    found: Counter[str] = Counter()
    for message in messages:
        try:
            other = parse_message(_text(message), validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=False)
        except tuple(REFUSED) as error:
            found[REFUSED[type(error)]] += 1
            continue
        names = [segment.name for segment in message.segments]
        theirs = [child.name for child in other.children]
        if theirs != names:
            cut = [name[:3] for name in names]
            found["message: a name of more than three letters is cut" if theirs == cut else "unexplained segments"] += 1
            continue
        for segment, child in zip(message.segments, other.children, strict=True):
            found.update(_beside_hl7apy(message, segment, child, other.version))
    told("Beside hl7apy", found)
    assert {name for name in found if name.startswith("unexplained")} == set()


def _beside_hl7apy(message: Message, segment: Segment, theirs: TheirSegment, version: str) -> Iterator[Explanation]:
    known = tables.fields(version, segment.name) or ()
    by_name: dict[str, list[str]] = defaultdict(list)
    for child in theirs.children:
        by_name[child.name].append(child.to_er7())
    for number in range(3 if segment.name == "MSH" else 1, segment.raw.count(message.delimiters.field) + 2):
        ours = segment.field(number).raw
        other = message.delimiters.repetition.join(by_name.get(f"{segment.name}_{number}", []))
        yield _field_beside_hl7apy(message, ours, other, known, number)


def _field_beside_hl7apy(message: Message, ours: str, theirs: str, known: Sequence[tables.Value], number: int) -> Explanation:
    checks: tuple[tuple[Explanation, Callable[[], bool]], ...] = (
        ("field: the same", lambda: ours == theirs),
        ("field: beyond the version's table it has another place, or none", lambda: number > len(known)),
        ("field: one that the version has withdrawn is dropped", lambda: known[number - 1].most == 0),
        ("field: empty parts at the end are dropped", lambda: _trimmed(message, ours) == _trimmed(message, theirs)),
        ("field: blanks at its ends are stripped", lambda: _stripped(ours) == _stripped(theirs)),
        ("field: escape characters are escaped again, and # from 2.7 on", lambda: _once_escaped(theirs) == ours),
        ("field: a number is written anew", lambda: _number(ours) is not None and _number(ours) == _number(theirs)),
        ("field: parts that the type does not have are moved", lambda: _parts(message, ours) == _parts(message, theirs)),
    )
    return next((name for name, holds in checks if holds()), f"unexplained field {number} of {len(ours)} characters")


def _trimmed(message: Message, raw: str) -> list[list[list[str]]]:
    d = message.delimiters

    def cut(text: str, between: str) -> list[str]:
        parts = text.split(between)
        while parts and not parts[-1]:
            parts.pop()
        return parts

    return [
        [cut(component, d.subcomponent) for component in cut(repetition, d.component)] for repetition in cut(raw, d.repetition)
    ]  # fmt: skip


def _stripped(text: str) -> str:
    return text.strip().rstrip("^~&")


def _once_escaped(text: str) -> str:
    return text.replace("\\E\\", "\\").replace("\\L\\", "#")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _parts(message: Message, raw: str) -> Counter[str]:
    """Every part with a value, wherever it stands."""
    d = message.delimiters
    parts = re.split("|".join(map(re.escape, (d.repetition, d.component, d.subcomponent))), _once_escaped(raw))
    return Counter(part.lstrip("0") for part in parts if part)


def _text(message: Message) -> str:
    return "\r".join(segment.raw for segment in message.segments) + "\r"
