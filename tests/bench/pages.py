"""The pages that everybody keeps open, above a hundred thousand exams: opened, and polled when nothing has changed."""

import re
import statistics
from collections.abc import Callable
from time import perf_counter

from ris.bootstrap import Ris
from ris.web.app import create_app
from tests.factories.archive import fill_archive
from tests.factories.hospital import build_hospital
from tests.web.visitor import Visitor

EXAMS, UNREAD = 100_000, 300
TIMES = 30
WORKLISTS = {"arrivals": "front_desk", "technologist": "technologist", "reading": "radiologist"}
VERSION = re.compile(r'data-version="([0-9a-f]+)" data-count')

Timings = dict[str, tuple[float, float]]
"""Name of a page to the medians of opening and of polling, in milliseconds."""


def measure(ris: Ris) -> Timings:
    hospital = build_hospital(ris)
    fill_archive(ris, hospital, exams=EXAMS, unread=UNREAD)
    visitor = Visitor(create_app(ris), ris)
    timings = {}
    for name, role in WORKLISTS.items():
        visitor.enter(hospital.users[role])
        timings[name] = _of_page(visitor, f"/worklists/{name}")
    ris.close()
    return timings


def _of_page(visitor: Visitor, path: str) -> tuple[float, float]:
    page = visitor.get(path).text
    found = VERSION.search(page)
    if found is None:
        raise SystemExit(f"{path} shows no list")
    poll = f"{path}?v={found[1]}"
    if visitor.get(poll, X_Poll="1").status_code != 204:
        raise SystemExit(f"{path} has changed by itself")
    return _median_ms(lambda: visitor.get(path)), _median_ms(lambda: visitor.get(poll, X_Poll="1"))


def _median_ms(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(TIMES):
        begun = perf_counter()
        work()
        taken.append((perf_counter() - begun) * 1000)
    return statistics.median(taken)


def report(timings: dict[str, Timings]) -> None:
    print(f"\n{f'pages above {EXAMS:,} exams, {UNREAD} unread: open / poll, ms':60}" + "".join(f"{name:>20}" for name in timings))
    for page in WORKLISTS:
        cells = (f"{timings[name][page][0]:.1f} / {timings[name][page][1]:.1f}" for name in timings)
        print(f"{page:60}" + "".join(f"{cell:>20}" for cell in cells))
