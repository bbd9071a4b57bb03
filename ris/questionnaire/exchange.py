"""A questionnaire as a file: whole as JSON, or its questions as CSV for those who translate them."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ris.base.csv_text import csv_text
from ris.questionnaire.content import LANGUAGES, Content, Item, written
from ris.questionnaire.reading import Unreadable, read

MOST_BYTES = 1_000_000
_LISTS = ("when_is", "positive_is")
_NUMBERS = ("least", "most", "below", "above", "days")
_FLAGS = {"yes": True, "no": False}
_PLAIN = (
    "key", "kind", "required", "unit", "least", "most", "when_key", "when_is", "positive_is", "below", "above", "days", "finding", "safety",
    "says",
)  # fmt: skip
_COLUMNS = (*_PLAIN, "stops", "choices")
_TEXTS = ("text", "help")


@dataclass(frozen=True, slots=True)
class Difference:
    """What a file would change, each as a person reads it."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    head: tuple[str, ...]

    @property
    def is_nothing(self) -> bool:
        return not (self.added or self.changed or self.removed or self.head)


def as_json(code: str, content: Content) -> str:
    return json.dumps({"code": code, **written(content)}, ensure_ascii=False, indent=1) + "\n"


def as_csv(content: Content) -> str:
    """One line a question; of each language a column for the text, the help and the choices."""
    header = [*_COLUMNS, *(f"{name}_{code}" for code in content.languages for name in (*_TEXTS, "choices"))]
    return csv_text([header, *(_row(item, content) for item in content.items)])


def from_json(text: str) -> tuple[str, Content]:
    """Code and content of a whole questionnaire. Raises Unreadable with the line of what is no JSON, or the place of what is wrong."""
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise Unreadable([f"line {error.lineno}: {error.msg}"]) from error
    if not isinstance(raw, dict):
        raise Unreadable(["line 1: not an object"])
    return str(raw.pop("code", "")), read(raw)


def from_csv(text: str, content: Content) -> Content:
    """The content with the questions of the file instead of its own. Raises Unreadable naming the line of everything that is wrong."""
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or not {"key", "kind"} <= set(rows[0]):
        raise Unreadable(["line 1: the columns key and kind are missing; export the questionnaire to see all of them"])
    known = {*_COLUMNS, *(f"{name}_{code}" for code in LANGUAGES for name in (*_TEXTS, "choices"))}
    faults = [f"line 1: column {name} is not known" for name in rows[0] if name not in known]
    items = []
    for line, row in enumerate(rows, 2):
        try:
            items.append(_item({name: _plain(value or "") for name, value in row.items() if name in known}))
        except Unreadable as error:
            faults += [f"line {line}: {fault.removeprefix('question 1: ')}" for fault in error.faults]
    if faults:
        raise Unreadable(faults)
    return replace(content, items=tuple(items))


def difference(before: Content | None, after: Content) -> Difference:
    old = {item.key: item for item in before.items} if before else {}
    new = {item.key: item for item in after.items}
    sides = ("languages", "title", "intro", "audience", "valid_days", "must")
    return Difference(
        tuple(key for key in new if key not in old),
        tuple(key for key, item in new.items() if key in old and old[key] != item),
        tuple(key for key in old if key not in new),
        tuple(name for name in sides if before is None or getattr(before, name) != getattr(after, name)),
    )


def _row(item: Item, content: Content) -> Iterator[str]:
    for name in _PLAIN:
        value = getattr(item, name)
        yield "|".join(value) if name in _LISTS else _cell(value)
    yield _cell(item.stops)
    yield "|".join(item.choices)
    for code in content.languages:
        yield item.text.get(code, "")
        yield item.help.get(code, "")
        yield "|".join(texts.get(code, "") for texts in item.choices.values())


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(cell: str) -> str:
    """Without the apostrophe that keeps a spreadsheet from calculating."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in ("=", "+", "-", "@") else cell


def _item(row: Mapping[str, str]) -> Item:
    raw: dict[str, Any] = {name: row[name].strip() for name in _PLAIN if row.get(name, "").strip()}
    for name in _LISTS:
        if name in raw:
            raw[name] = [part.strip() for part in raw[name].split("|") if part.strip()]
    for name in _NUMBERS:
        if name in raw:
            raw[name] = number(raw[name])
    for name in ("required", "stops"):
        if text := row.get(name, "").strip().lower():
            raw[name] = _FLAGS.get(text, text)
    for name in _TEXTS:
        raw[name] = {code: text for code in LANGUAGES if (text := row.get(f"{name}_{code}", "").strip())}
    raw["choices"] = _choices(row)
    return read({"items": [raw]}).items[0]


def _choices(row: Mapping[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {value.strip(): {} for value in row.get("choices", "").split("|") if value.strip()}
    for code in LANGUAGES:
        for value, text in zip(found, row.get(f"choices_{code}", "").split("|"), strict=False):
            if text.strip():
                found[value][code] = text.strip()
    return found


def number(text: str) -> int | float | str:
    """As JSON has it; the text itself where it is none, which the reader then refuses with its place."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return text
    return int(value) if value.is_integer() and abs(value) < 1e9 else value
