"""Draws docs/operate/settings.md from the settings themselves: `python -m tests.processes.settings_page`."""

import types
from pathlib import Path
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ris.settings import SECTIONS, PartnerSeed, Settings

PAGE = Path(__file__).parents[2] / "docs/operate/settings.md"


def draw() -> str:
    lines = [
        "# Settings",
        "",
        "One TOML file (`--config FILE` or `RIS_CONFIG`). A variable of the environment has the last word: `RIS_WEB__PORT=8080` sets",
        "`port` of `[web]`. With `_FILE` behind its name it names a file that holds the value: that is the way for secrets. An unknown",
        "key or variable stops the start and names the nearest right one.",
        "",
        *_table("The head of the file", {"mode": Settings.model_fields["mode"]}),
    ]
    for name, section in SECTIONS.items():
        lines += _table(f"`[{name}]`", section.model_fields)
    lines += _table("`[[partner]]`, one such table for each", PartnerSeed.model_fields)
    lines += ["Partners of the file are added once, when there is none with that application and facility; afterwards they are rows."]
    return "\n".join(lines) + "\n"


def _table(title: str, fields: dict[str, FieldInfo]) -> list[str]:
    rows = [f"| `{name}` | {_type(field)} | {_default(field)} | {field.description} |" for name, field in fields.items()]
    return [f"## {title}", "", "| key | type | default | meaning |", "|---|---|---|---|", *rows, ""]


def _type(field: FieldInfo) -> str:
    kind = field.annotation
    if isinstance(kind, types.UnionType):
        kind = get_args(kind)[0]
    if choices := [choice for choice in get_args(kind) if isinstance(choice, str)]:
        return " or ".join(f"`{choice}`" for choice in choices)
    limits = [f"{word} {getattr(m, key)}" for m in field.metadata for key, word in (("ge", "from"), ("le", "to")) if hasattr(m, key)]
    names = {"int": "whole number", "str": "text", "SecretStr": "secret text", "Path": "path", "bool": "true or false", "dict": "table"}
    return " ".join((names[kind.__name__], *limits))


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "must be given"
    if isinstance(field.default, SecretStr):
        return "none" if not field.default.get_secret_value() else "the demo's"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return "none" if field.default in ("", None, {}) else f"`{field.default}`"


if __name__ == "__main__":
    PAGE.write_text(draw(), encoding="utf-8")
