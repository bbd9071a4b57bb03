"""What the forms of the editor say, as the parts of a questionnaire."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from werkzeug.datastructures import MultiDict

from ris.questionnaire.content import LANGUAGES, Content, Item
from ris.questionnaire.exchange import number
from ris.questionnaire.reading import read

Form = MultiDict[str, str]
_TYPED = ("key", "kind", "unit", "when_key", "finding", "safety", "says")
_LISTED = ("when_is", "positive_is")
_NUMBERS = ("least", "most", "below", "above", "days")


def head(form: Form, content: Content) -> Content:
    """Title, introduction, audience and validity. Raises Unreadable."""
    languages = [code for code in LANGUAGES if code in form.getlist("languages")]
    first = form.get("first_language", "")
    if first in languages:
        languages = [first, *(code for code in languages if code != first)]
    raw = {
        "languages": languages, "title": _texts(form, "title"), "intro": _texts(form, "intro"), "must": "must" in form,
        "valid_days": _number(form, "valid_days"),
        "audience": {
            "modalities": form.getlist("modalities"), "procedures": _list(form, "procedures", upper=True),
            "contrast_only": "contrast_only" in form, "sex": form.get("sex", ""), "age_from": _number(form, "age_from"),
            "age_to": _number(form, "age_to"),
        },
    }  # fmt: skip
    return replace(read(raw), items=content.items)


def item(form: Form, content: Content) -> Item:
    """One question. Raises Unreadable."""
    raw: dict[str, Any] = {name: text for name in _TYPED if (text := form.get(name, "").strip())}
    raw |= {name: _list(form, name) for name in _LISTED} | {name: _number(form, name) for name in _NUMBERS}
    raw |= {"text": _texts(form, "text"), "help": _texts(form, "help"), "required": "required" in form, "stops": "stops" in form}
    raw["choices"] = _choices(form.get("choices", ""), content.languages) if raw.get("kind") == "choice" else {}
    return read({"items": [raw]}).items[0]


def choice_lines(item: Item, languages: tuple[str, ...]) -> str:
    """One choice a line: its value, then its text in each language."""
    return "\n".join(" | ".join([value, *(texts.get(code, "") for code in languages)]) for value, texts in item.choices.items())


def _choices(text: str, languages: tuple[str, ...]) -> dict[str, dict[str, str]]:
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        value, *texts = (part.strip() for part in line.split("|"))
        found[value] = {code: said for code, said in zip(languages, texts, strict=False) if said}
    return found


def _texts(form: Mapping[str, str], name: str) -> dict[str, str]:
    return {code: text for code in LANGUAGES if (text := form.get(f"{name}-{code}", "").strip())}


def _list(form: Mapping[str, str], name: str, *, upper: bool = False) -> list[str]:
    text = form.get(name, "")
    return [part.strip() for part in (text.upper() if upper else text).split(",") if part.strip()]


def _number(form: Mapping[str, str], name: str) -> int | float | str | None:
    text = form.get(name, "").strip()
    return number(text) if text else None
