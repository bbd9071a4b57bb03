"""The table of what is broken on purpose names tests that there are, and every file of `tests/faults`."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)


def named() -> set[tuple[str, str]]:
    return set(NAMED.findall((ROOT / "tests/faults/README.md").read_text()))


def there(file: Path) -> set[tuple[str, str]]:
    return {(str(file.relative_to(ROOT)), name) for name in TEST.findall(file.read_text())}


def test_every_test_in_the_table_is_there() -> None:
    files = {ROOT / file for file, _ in named()}
    assert named() - set().union(*map(there, files)) == set()


def test_every_file_of_fault_tests_is_in_the_table() -> None:
    files = {str(file.relative_to(ROOT)) for file in (ROOT / "tests/faults").glob("test_*.py")}
    assert files - {file for file, _ in named()} == set()
