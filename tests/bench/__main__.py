"""`make bench`, or `python -m tests.bench search` for one part: figures as ratios beside a peer and a floor, measured in one run.

Absolute times are printed, never judged. The part `scale` is measured only when it is named: it takes an hour and 40 GB.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TypeVar

from ris.bootstrap import Ris
from ris.processes.database import upgrade
from ris.settings import Data, Database, Reports, Settings
from tests.bench import editor, intake, pages, polling, scale, schedule, search, sender, slots
from tests.postgres import PostgresServer

MakeRis = Callable[[str], Ris]
"""The program on an empty database of the engine that is named."""
Part = Callable[[MakeRis, Path], None]
Measured = TypeVar("Measured")

ENGINES = ("SQLite", "PostgreSQL")


def main() -> None:
    """Every part, or those that are named."""
    wanted = sys.argv[1:] or [name for name in PARTS if name != "scale"]
    if not set(wanted) <= PARTS.keys():
        raise SystemExit(f"there are the parts {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as folder, _making(Path(folder)) as make_ris:
        for name in wanted:
            begun = monotonic()
            PARTS[name](make_ris, Path(folder))
            print(f"({name}: {monotonic() - begun:.0f} s)", flush=True)


def _intake(make_ris: MakeRis, work: Path) -> None:
    programs = {
        "RIS on SQLite": (make_ris("SQLite"), 1),
        "RIS on PostgreSQL": (make_ris("PostgreSQL"), 1),
        "RIS on PostgreSQL, 2 processes": (make_ris("PostgreSQL"), 2),
    }
    intake.report(intake.measure(work, programs))


def _scale(make_ris: MakeRis, _work: Path) -> None:
    for engine in ENGINES:
        scale.report(engine, scale.measure(lambda engine=engine: make_ris(engine)))


def _on_both(measure: Callable[[Ris], Measured], report: Callable[[dict[str, Measured]], None]) -> Part:
    return lambda make_ris, _work: report({engine: measure(make_ris(engine)) for engine in ENGINES})


PARTS: dict[str, Part] = {
    "intake": _intake,
    "sender": _on_both(sender.measure, sender.report),
    "pages": _on_both(pages.measure, pages.report),
    "schedule": _on_both(schedule.measure, schedule.report),
    "polling": _on_both(polling.measure, polling.report),
    "search": _on_both(search.measure, search.report),
    "editor": _on_both(editor.measure, editor.report),
    "slots": _on_both(slots.measure, slots.report),
    "scale": _scale,
}


@contextmanager
def _making(work: Path) -> Iterator[MakeRis]:
    """What is signed in these programs is published at once."""
    postgres = PostgresServer.create()
    made: list[Ris] = []

    def make(engine: str) -> Ris:
        url = ""
        if engine == "PostgreSQL":
            postgres.create_database(f"bench_{len(made)}")
            url = postgres.url(f"bench_{len(made)}")
        data = Path(tempfile.mkdtemp(dir=work))
        ris = Ris(Settings(data=Data(dir=data), database=Database(url=url), reports=Reports(publication_delay_seconds=0)))
        upgrade(ris.settings)
        made.append(ris)
        return ris

    try:
        yield make
    finally:
        for ris in made:
            ris.close()
        postgres.stop()


if __name__ == "__main__":
    main()
