"""The explicit tables of the program, as they stand in the code, to be printed."""

import importlib
from collections.abc import Iterable, Iterator, Mapping

TABLES = (
    ("Message readers", "ris.hl7.inbound", "READERS"),
    ("Outbound builders", "ris.hl7.outbound", "BUILDERS"),
    ("Worklists", "ris.web.worklists", "WORKLISTS"),
    ("Pages", "ris.web.pages", "PAGES"),
    ("Exports", "ris.exports", "EXPORTS"),
    ("Jobs", "ris.processes.jobs", "JOBS"),
    ("Reactions", "ris.reactions", "REACTIONS"),
)
"""Title, module and name of each."""


def tables() -> Iterator[tuple[str, list[str]]]:
    for title, module, name in TABLES:
        yield title, list(_lines(getattr(importlib.import_module(module), name)))


def _lines(table: Mapping[object, object] | Iterable[object]) -> Iterator[str]:
    if isinstance(table, Mapping):
        yield from (f"{key}: {_name(value)}" for key, value in table.items())
    else:
        yield from map(_name, table)


def _name(thing: object) -> str:
    if isinstance(thing, tuple):
        return ", ".join(map(_name, thing))
    thing = getattr(thing, "work", thing)
    module, name = getattr(thing, "__module__", ""), getattr(thing, "__qualname__", None) or getattr(thing, "name", None)
    return f"{module}.{name}" if name and callable(thing) else str(name or thing)
