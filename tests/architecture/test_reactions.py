"""Event → reaction → event has no cycle, and every name in the table is an event that somebody emits."""

import ast
from pathlib import Path

from ris.reactions import REACTIONS

ROOT = Path(__file__).parents[2] / "ris"


def _trees() -> dict[str, ast.Module]:
    return {
        "ris." + path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): ast.parse(path.read_text(encoding="utf-8"))
        for path in ROOT.rglob("*.py")
    }


TREES = _trees()
FUNCTIONS = {(module, node.name): node for module, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def _names(module: str) -> dict[str, str]:
    """What each imported name stands for: `task` → `ris.task.service`, `book` → `ris.scheduling.service.book`."""
    return {
        (alias.asname or alias.name): f"{node.module}.{alias.name}"
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _called(module: str, call: ast.Call) -> tuple[str, str]:
    """Module and name of the function that a call reaches, as far as the text says it."""
    names = _names(module)
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        return names.get(call.func.value.id, ""), call.func.attr
    if isinstance(call.func, ast.Name):
        whole = names.get(call.func.id, f"{module}.{call.func.id}")
        return whole.rpartition(".")[0], whole.rpartition(".")[2]
    return "", ""


def _event_names(node: ast.AST) -> set[str]:
    """The literal event names that a piece of code makes."""
    return {
        argument.value
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and "." in argument.value and " " not in argument.value
    }


def _reachable(module: str, name: str, seen: set[tuple[str, str]]) -> set[str]:
    """Event names that a function, or any function of the program that it calls by name, makes."""
    if (module, name) in seen or (module, name) not in FUNCTIONS:
        return set()
    seen.add((module, name))
    node = FUNCTIONS[module, name]
    reached = (_called(module, call) for call in ast.walk(node) if isinstance(call, ast.Call))
    return _event_names(node).union(*(_reachable(other, function, seen) for other, function in reached))


def _follows() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for event, reactions in REACTIONS.items():
        for reaction in reactions:
            graph.setdefault(event, set()).update(_reachable(reaction.__module__, reaction.__name__, set()))
    return graph


def _cycle_from(event: str, graph: dict[str, set[str]], path: tuple[str, ...] = ()) -> tuple[str, ...]:
    if event in path:
        return (*path, event)
    for following in sorted(graph.get(event, ())):
        cycle = _cycle_from(following, graph, (*path, event))
        if cycle:
            return cycle
    return ()


def test_no_event_leads_back_to_itself() -> None:
    graph = _follows()
    assert {event: _cycle_from(event, graph) for event in graph if _cycle_from(event, graph)} == {}


def test_the_search_for_cycles_finds_one() -> None:
    assert _cycle_from("a", {"a": {"b"}, "b": {"a"}}) == ("a", "b", "a")


def test_every_reaction_hangs_on_an_event_that_is_emitted() -> None:
    emitted = set().union(*(_event_names(node) for node in FUNCTIONS.values()))
    assert set(REACTIONS) - emitted == set()
