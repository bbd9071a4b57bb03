import shutil
from pathlib import Path

import pytest

from tests.processes.command_line import typed


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ris.toml"
    path.write_text(
        f'[data]\ndir = "{tmp_path}/data"\n[[partner]]\nname = "EHR"\napplication = "EHR"\nfacility = "HOSP"\nresult_port = 2576\n'
    )
    return path


@pytest.fixture
def installed(config: Path, sqlite_template: Path) -> Path:
    """The tables are those of a template: making them anew each time takes longer than the tests."""
    data = config.parent / "data"
    data.mkdir()
    shutil.copyfile(sqlite_template, data / "ris.db")
    assert "newest schema" in typed(config, "db", "upgrade").output
    return config
