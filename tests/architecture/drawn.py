"""Draws the pages that follow from the code: floors, life cycles, reactions, tasks, and the profiles of messages."""

import tomllib
from pathlib import Path

from ris.base.machine import Machine
from ris.critical.status import CRITICAL
from ris.distribution.status import DISPATCH
from ris.hl7.outbound import DEFAULTS, TELLS, orm_o01, siu_s12, study
from ris.notice.status import NOTICE
from ris.order.status import PROCEDURE
from ris.outbox.status import DELIVERY
from ris.protocol.status import PROTOCOL
from ris.reactions import REACTIONS, Reaction
from ris.report.status import REPORT
from ris.scheduling.status import STEP
from ris.task.kinds import KINDS
from ris.web import words
from ris.web.worklists import WORKLISTS
from tests.architecture import profiles_in, profiles_out

ROOT = Path(__file__).parents[2]
MACHINES: tuple[Machine, ...] = (PROCEDURE, PROTOCOL, STEP, REPORT, CRITICAL, DELIVERY, DISPATCH, NOTICE)


def floors() -> str:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    lines = [
        "# The floors",
        "",
        contract["name"] + ". `|` separates neighbours that may not know each other, `:` those that may;",
        "parentheses: not built yet.",
        "",
        "```",
    ]
    lines += contract["layers"]
    lines += ["```", "", "What each package knows stands in the first line of its `__init__.py`."]
    return "\n".join(lines) + "\n"


def states() -> str:
    lines = ["# Life cycles", "", "Each is a table in a `status.py`; a refused step names what is missing.", ""]
    for machine in MACHINES:
        lines += [
            f"## {machine.what.capitalize()}",
            "",
            f"Begins as **{_words(machine.initial)}**.",
            "",
            "| step | from | to | needs |",
            "|---|---|---|---|",
        ]
        for step in machine.steps:
            sources = ", ".join(sorted(_words(s) for s in step.sources))
            needs = "; ".join(f"not: {r.text}" for r in step.requires)
            lines.append(f"| {_words(step.name)} | {sources} | {_words(step.target)} | {needs} |")
        lines.append("")
    return "\n".join(lines)


def reactions() -> str:
    lines = [
        "# What follows from what",
        "",
        "The table of `ris/reactions.py`: all of it happens in the transaction of the event.",
        "",
        "| event | makes |",
        "|---|---|",
    ]
    lines += [f"| `{event}` | {', '.join(_function(r) for r in found)} |" for event, found in REACTIONS.items()]
    lines += ["", "# Tasks that the program raises", "", "| kind | title | what a person does |", "|---|---|---|"]
    lines += [f"| `{name}` | {kind.title} | {kind.what_to_do} |" for name, kind in KINDS.items()]
    return "\n".join(lines) + "\n"


def controls() -> str:
    lines = [
        "# Pages, buttons and fields",
        "",
        "What the tooltips say. `?` on any page lists its keys; a key of a single letter acts on the row that has the focus.",
        "",
        "| page | what for |",
        "|---|---|",
    ]
    lines += [f"| {label} | {sentence} |" for label, sentence in words.PAGES.items()]
    for name, worklist in WORKLISTS.items():
        lines += ["", f"## {worklist.title}", "", "| button | key | what it does |", "|---|---|---|"]
        lines += [f"| {deed.label} | `{deed.key}` | {words.of_deed(name, deed.name)} |" for deed in worklist.deeds]
    for form, fields in words.FIELDS.items():
        lines += ["", f"## Form: {form}", "", "| field | what belongs there |", "|---|---|"]
        lines += [f"| {label} | {sentence} |" for label, sentence in fields.items()]
    return "\n".join(lines) + "\n"


def messages_out() -> str:
    lines = [
        "# HL7 v2 out: which event becomes which message",
        "",
        "Drawn from the tables that the builders use: a subscription names an event and one of its messages.",
        "[What is in them](hl7-out.md).",
        "",
        "| event | message | says | told unless chosen otherwise |",
        "|---|---|---|---|",
    ]
    for event in dict.fromkeys(event for events in TELLS.values() for event in events):
        for message in (name for name, events in TELLS.items() if event in events):
            usual = "yes" if DEFAULTS.get(event) == message else ""
            lines.append(f"| `{event}` | `{message}` | {_says(event, message)} | {usual} |")
    return "\n".join(lines) + "\n"


def profiles() -> str:
    lines = [
        "# Conformance profiles",
        "",
        "Which fields of which message are read, and which are filled: drawn from the readers and builders themselves.",
        "[What messages do](../hl7-in.md), [what is told when](../hl7-out.md).",
        "",
        "| in | fields |",
        "|---|---|",
    ]
    pages = {page: path.rpartition("/")[2] for path, page in {**profiles_in.PAGES, **profiles_out.PAGES}.items()}
    for page, file in pages.items():
        if file.startswith("out-") and "| out | fields |" not in lines:
            lines += ["", "| out | fields |", "|---|---|"]
        title = page().partition("\n")[0].partition(": ")[2]
        lines.append(f"| {title} | [{file.removesuffix('.md')}]({file}) |")
    return "\n".join(lines) + "\n"


def _says(event: str, message: str) -> str:
    if message == "orm_o01":
        return f"ORC-1 `{orm_o01.SAID[event].order_control}`, ORC-5 `{orm_o01.SAID[event].order_status}`".removesuffix(", ORC-5 ``")
    if message in ("orm_o01_zds", "omi_o23"):
        return "ORC-1 `{}`, ORC-5 `{}`".format(*study.SAID[event])
    if message == "siu_s12":
        return f"{siu_s12.SAID[event].trigger}, SCH-25 `{siu_s12.SAID[event].status}`"
    return ""


def _function(reaction: Reaction) -> str:
    return f"`{reaction.__module__.removeprefix('ris.')}.{reaction.__name__}`"


def _words(name: str) -> str:
    return name.replace("_", " ")


PAGES = {
    "docs/design/floors.md": floors,
    "docs/design/states.md": states,
    "docs/design/reactions.md": reactions,
    "docs/start/controls.md": controls,
    "docs/interfaces/hl7-out-events.md": messages_out,
    "docs/interfaces/profiles/README.md": profiles,
    **profiles_in.PAGES,
    **profiles_out.PAGES,
}


def write() -> None:
    for page, draw in PAGES.items():
        (ROOT / page).parent.mkdir(exist_ok=True)
        (ROOT / page).write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    write()
