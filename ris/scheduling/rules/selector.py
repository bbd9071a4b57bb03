"""Which exams a rule is about, as one line of text that a person can write."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from ris.base.errors import Invalid
from ris.catalog.model import Modality

HOW = "Codes (* for any letters), modalities as CT, CT+C for those with contrast, commas between, ! before what is left out"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a selector looks at of a procedure."""

    code: str
    modality: str
    contrast: bool


def check(text: str) -> str:
    """The text with its blanks taken out. Raises Invalid for an empty one, or one that only leaves out."""
    items = _items(text)
    if not any(not item.startswith("!") for item in items):
        raise Invalid(f"name at least one exam. {HOW}", error_code="101")
    return ",".join(items)


def matches(text: str, kind: Kind) -> bool:
    items = _items(text)
    if any(_is(item[1:], kind) for item in items if item.startswith("!")):
        return False
    return any(_is(item, kind) for item in items if not item.startswith("!"))


def _items(text: str) -> list[str]:
    return [item for item in (part.strip().upper() for part in text.split(",")) if item.strip("!")]


def _is(item: str, kind: Kind) -> bool:
    modality, plus, _ = item.partition("+")
    if modality in _MODALITIES:
        return modality == kind.modality and (not plus or kind.contrast)
    return fnmatchcase(kind.code.upper(), item)


_MODALITIES = frozenset(modality.value for modality in Modality)
