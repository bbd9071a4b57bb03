"""Our advice beside hl7apy's own validator, segment by segment: what it finds by the standard's tables, ours says too."""

import re
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_segment
from hl7apy.validation import Validator

from ris.base.errors import RisError
from ris.hl7.charset import decode
from ris.hl7.er7 import STANDARD, Message, Segment
from ris.hl7.explain import tables
from ris.hl7.explain.advice import advice
from tests.corpus.house import FOLDER
from tests.corpus.test_differential import told

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(300)]

MISSING = re.compile(r"Error: Missing required child (\w+)\.(\w+)_(\d+)")
TOO_MANY = re.compile(r"Error: Child limit exceeded (\w+)\.(\w+)_(\d+)")
TABLE = re.compile(r"Warning: Value .* not in table HL7(\d+) in element (\w+)\.(\w+)_(\d+)", re.DOTALL)
OWN = re.compile(r"Error: (Datatype|Invalid children|Unknown element|Invalid element)")


def test_what_hl7apy_finds_by_the_tables_our_advice_says_too(tmp_path: Path) -> None:
    found: Counter[str] = Counter()
    for path in sorted(FOLDER.rglob("*.hl7"))[::3]:
        try:
            message = Message.parse(decode(path.read_bytes(), None).text)
        except RisError:
            continue
        if message.delimiters.encoding == STANDARD.encoding and message.delimiters.field == STANDARD.field:
            found.update(_beside(message, tmp_path / "report"))
    told("Our advice beside hl7apy's validator", found)
    assert found["both"] > 400
    assert {name for name in found if name.startswith("only hl7apy")} == set()


def _beside(message: Message, report: Path) -> list[str]:
    version = tables.version_of(message.value("MSH", 12))
    places = {re.sub(r"\[\d+\]", "", remark.place) for remark in advice(message, budget_s=60).remarks}
    said = []
    for segment in message.segments:
        if tables.fields(version, segment.name) and segment.name != "MSH" and len(places) < 150:
            said += [_compared(line, segment, version, places) for line in _validated(segment, version, report)]
    return said


def _validated(segment: Segment, version: str, report: Path) -> list[str]:
    """The lines of its report; none for what it cannot read."""
    report.write_text("")
    with suppress(HL7apyException, AttributeError, IndexError):
        Validator.validate(parse_segment(segment.raw, version, validation_level=VALIDATION_LEVEL.TOLERANT), report_file=str(report))
    return report.read_text().splitlines()


def _compared(line: str, segment: Segment, version: str, places: set[str]) -> str:
    if OWN.match(line):
        return "of its own reading: parts that it has moved, withdrawn fields without a type"
    if (match := MISSING.match(line)) or (match := TOO_MANY.match(line)):
        parent, child, number = match.groups()
        if child != segment.name and line.startswith("Error: Child limit"):
            return "of its own reading: a part that it has put twice at one place"
        place = f"{segment.name}-{number}" if child == segment.name else f"{parent.replace('_', '-')}.{number}"
        return "both" if any(ours == place or ours.startswith(f"{place}.") for ours in places) else f"only hl7apy: {line[:60]}"
    if match := TABLE.match(line):
        return "both" if _is_said(match, places) else "a table that the site fills, or a value of which something else is said"
    return f"only hl7apy: {line[:60]}"


def _is_said(match: re.Match[str], places: set[str]) -> bool:
    _, parent, _, number = match.groups()
    return f"{parent.replace('_', '-')}.{number}" in places or f"{parent}-{number}" in places
