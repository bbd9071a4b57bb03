"""The command line in the tests' own process."""

from pathlib import Path

from click.testing import CliRunner, Result

from ris.processes.commands import main


def typed(config: Path, *arguments: str, answers: str = "") -> Result:
    return CliRunner().invoke(main, ["--config", str(config), *arguments], input=answers)
