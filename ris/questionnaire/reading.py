"""Reads a questionnaire from what was stored or sent; says of everything that is not as it should be where it is."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from ris.base.errors import Invalid
from ris.patient.model import Answer, Question
from ris.questionnaire.content import Audience, Content, Item, Kind

T = TypeVar("T")
Choice = TypeVar("Choice", bound=StrEnum)
_NAMES = {
    "": ("languages", "title", "intro", "audience", "valid_days", "must", "items"),
    "audience": tuple(Audience.__dataclass_fields__),
    "item": tuple(Item.__dataclass_fields__),
}


class Unreadable(Invalid):
    """`faults` names each, with its place."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def read(raw: Any) -> Content:
    """What `content.written` wrote, or a person by hand. Raises Unreadable."""
    faults: list[str] = []
    whole = _Part(raw, "", "questionnaire", faults)
    audience = _Part(whole.raw.get("audience", {}), "audience", "audience", faults)
    items = whole.list_of("items", object)
    content = Content(
        languages=whole.texts_of("languages", ("en",)), title=whole.words("title"), intro=whole.words("intro"),
        audience=Audience(
            audience.texts_of("modalities"), audience.texts_of("procedures"), audience.flag("contrast_only"), audience.text("sex"),
            audience.whole("age_from"), audience.whole("age_to"),
        ),
        valid_days=whole.whole("valid_days"), must=whole.flag("must"),
        items=tuple(_item(_Part(item, "item", f"question {number}", faults)) for number, item in enumerate(items, 1)),
    )  # fmt: skip
    if faults:
        raise Unreadable(faults)
    return content


def _item(part: "_Part") -> Item:
    choices = part.raw.get("choices", {})
    if not isinstance(choices, Mapping):
        part.fault("choices", "values with their texts")
        choices = {}
    return Item(
        key=part.text("key"), kind=part.one_of("kind", Kind, Kind.yes_no), text=part.words("text"), help=part.words("help"),
        required=part.flag("required", default=True),
        choices={str(value): part.words_in(texts, f"choice {value}") for value, texts in choices.items()},
        unit=part.text("unit"), least=part.number("least"), most=part.number("most"), when_key=part.text("when_key"),
        when_is=part.texts_of("when_is"), positive_is=part.texts_of("positive_is"), below=part.number("below"), above=part.number("above"),
        finding=part.text("finding"), safety=part.one_of("safety", Question, None), says=part.one_of("says", Answer, Answer.yes),
        days=part.whole("days"), stops=part.flag("stops"),
    )  # fmt: skip


class _Part:
    """An object of the file, read value by value."""

    def __init__(self, raw: Any, kind: str, place: str, faults: list[str]) -> None:
        self.place = place
        self.faults = faults
        self.raw: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
        if not isinstance(raw, Mapping):
            faults.append(f"{place}: not an object")
        faults += [f"{place}: {name} is not known" for name in self.raw if name not in _NAMES[kind]]

    def fault(self, name: str, expected: str) -> None:
        self.faults.append(f"{self.place}: {name} is not {expected}")

    def _value(self, name: str, is_right: Callable[[Any], bool], expected: str, default: T) -> Any | T:
        value = self.raw.get(name)
        if value is None:
            return default
        if not is_right(value):
            self.fault(name, expected)
            return default
        return value

    def text(self, name: str) -> str:
        return str(self._value(name, lambda value: isinstance(value, str), "a text", "")).strip()

    def flag(self, name: str, *, default: bool = False) -> bool:
        return bool(self._value(name, lambda value: isinstance(value, bool), "true or false", default))

    def whole(self, name: str) -> int | None:
        found = self._value(name, lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number", None)
        return None if found is None else int(found)

    def number(self, name: str) -> float | None:
        found = self._value(name, lambda value: isinstance(value, int | float) and not isinstance(value, bool), "a number", None)
        return None if found is None else float(found)

    def one_of(self, name: str, kind: type[Choice], default: T) -> Choice | T:
        found = self._value(name, lambda value: value in set(kind), f"one of {', '.join(kind)}", default)
        return kind(found) if isinstance(found, str) else default

    def list_of(self, name: str, kind: type) -> list[Any]:
        return list(self._value(name, lambda value: isinstance(value, list) and all(isinstance(v, kind) for v in value), "a list", []))

    def texts_of(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        return tuple(self.list_of(name, str)) or default

    def words(self, name: str) -> dict[str, str]:
        return self.words_in(self.raw.get(name, {}), name)

    def words_in(self, raw: Any, name: str) -> dict[str, str]:
        if not isinstance(raw, Mapping) or not all(isinstance(text, str) for text in raw.values()):
            self.fault(name, "texts by language")
            return {}
        return {str(language): text.strip() for language, text in raw.items() if text.strip()}
