import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK_FILES = ["requirements.lock", "requirements-node.lock", "requirements-fuzz.lock", "package-lock.json"]


def assets() -> dict:
    return tomllib.loads((ROOT / "assets.toml").read_text())


@pytest.mark.parametrize("name", LOCK_FILES)
def test_a_lock_file_names_no_registry(name: str) -> None:
    text = (ROOT / name).read_text()
    assert '"resolved"' not in text
    assert "index-url" not in text
    assert "find-links" not in text


def test_every_locked_npm_package_has_its_hash() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    without = [name for name, entry in packages.items() if name and not entry.get("integrity", "").startswith("sha512-")]
    assert without == []


def test_front_end_versions_are_exact() -> None:
    package = json.loads((ROOT / "package.json").read_text())
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert [name for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


def test_every_locked_package_states_the_licence_that_assets_states() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    locked = {name.removeprefix("node_modules/"): entry["license"] for name, entry in packages.items() if name}
    stated = {entry["package"]: entry["license"] for group in assets().values() for entry in group}
    assert stated == locked


def test_every_served_file_is_there() -> None:
    vendor = ROOT / "ris/web/static/vendor"
    expected = [Path(name).name for entry in assets()["served"] for name in entry["files"]]
    assert [name for name in expected if not (vendor / name).is_file()] == []


def test_make_help_names_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    shown = re.findall(r"^ +make (\S+)", printed, re.MULTILINE)
    assert sorted(shown) == sorted(set(phony.group(1).split()) - {"system-packages"})
