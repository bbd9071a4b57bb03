"""What the tablet itself says, in every language that it speaks; questions bring their own texts."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from ris.questionnaire.content import LANGUAGES

FIRST = "en"
"""Spoken where a language is missing here."""
_FILES = {path.stem: path for path in (Path(__file__).parent / "words").glob("*.toml")}
WORDS: Mapping[str, Mapping[str, str]] = {
    code: tomllib.loads(_FILES[code].read_text(encoding="utf-8")) for code in LANGUAGES if code in _FILES
}
"""One file a language, in the order in which they are offered."""


def words(language: str) -> Mapping[str, str]:
    return WORDS.get(language, WORDS[FIRST])
