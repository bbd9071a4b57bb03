"""Only edges commit: what a service does stands or falls as a whole."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "ris"
SOURCES = sorted(ROOT.rglob("*.py"))


def _calls(path: Path, names: set[str]) -> list[int]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names
    ]


def _floor(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


DOMAIN = ("patient", "order", "protocol", "scheduling", "exam", "report", "billing", "catalog", "staff", "task", "partner")


@pytest.mark.parametrize("path", [p for p in SOURCES if _floor(p).split("/")[0] in DOMAIN], ids=_floor)
def test_the_domain_neither_commits_nor_rolls_back(path: Path) -> None:
    assert _calls(path, {"commit", "rollback"}) == []


def test_the_check_would_find_a_commit() -> None:
    assert _calls(ROOT / "base/uow.py", {"commit"})


@pytest.mark.parametrize("path", SOURCES, ids=_floor)
def test_no_module_knows_more_than_four_hundred_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=_floor)
def test_every_module_says_in_its_docstring_what_it_knows(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
