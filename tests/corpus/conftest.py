"""The messages that others wrote, and a hospital that takes them."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpus.house import FOLDER, House, Sample


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    assert FOLDER.is_dir(), f"the corpus is not there: {FOLDER}"
    with (FOLDER / "MANIFEST.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return [Sample(r["path"], r["type"], r["radiology_order"] == "Y", (FOLDER / r["path"]).read_bytes()) for r in rows]


@pytest.fixture
def house(tmp_path: Path, sqlite_template: Path) -> Iterator[House]:
    house = House(tmp_path / "house", sqlite_template)
    yield house
    house.ris.close()
