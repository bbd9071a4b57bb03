"""The schedule of a full day in Chromium: from the navigation until appointments are painted, beside a bare page of the same elements."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from time import process_time

from playwright.sync_api import CDPSession, Page

from ris.bootstrap import Ris
from ris.web.app import create_app
from tests.browser.desk import context_of, log_in, served
from tests.chromium import chromium
from tests.factories.full_day import build_rooms, fill_day
from tests.factories.hospital import Hospital, build_hospital
from tests.statements import sent
from tests.web.visitor import Visitor

ROOMS, BOOKINGS, WAITING = 20, 400, 100
TIMES = 15
WANTED_MS = 300
PAINTED = """
requestAnimationFrame(function look() {
  if (document.querySelectorAll(".ec-event").length < %d) return requestAnimationFrame(look);
  requestAnimationFrame(() => { window.paintedAt = performance.now(); });
});
"""
WHEN_PAINTED = """
() => new Promise(done => {
  const look = () => (window.paintedAt ? done(window.paintedAt) : requestAnimationFrame(look));
  look();
})
"""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Milliseconds from the navigation to the frame after the appointments; the page's own processor time is apart from the server's."""

    median_ms: float
    best_ms: float
    cpu_ms: float
    elements: int


@dataclass(frozen=True, slots=True)
class Asked:
    cpu_ms: float
    statements: int
    size: int
    """Bytes of the answer."""


Figures = dict[str, Drawn | Asked]


def measure(ris: Ris) -> Figures:
    hospital = build_hospital(ris)
    opens_at = ris.clock().replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    rooms = [*(hospital.rooms[code] for code in ("CT1", "MR1", "XR1")), *build_rooms(ris, hospital, ROOMS - 3)]
    fill_day(ris, hospital, rooms, opens_at, bookings=BOOKINGS, waiting=WAITING)
    path = f"/schedule?date={opens_at:%Y-%m-%d}"
    figures = {**_in_browser(ris, path), **_on_server(ris, hospital, path)}
    ris.close()
    return figures


def report(figures: dict[str, Figures]) -> None:
    head = f"schedule: {ROOMS} rooms, {BOOKINGS} bookings, {WAITING} orders that wait"
    print(f"\n{head:60}{'median ms':>12}{'best ms':>12}{'of page, ms':>14}{'elements':>10}{'best / bare':>14}")
    for engine, found in figures.items():
        bare = found["a bare page"]
        for name, figure in found.items():
            if isinstance(figure, Drawn) and isinstance(bare, Drawn):
                print(
                    f"{f'{name}, {engine}':60}{figure.median_ms:>12.0f}{figure.best_ms:>12.0f}{figure.cpu_ms:>14.0f}{figure.elements:>10}"
                    f"{figure.best_ms / bare.best_ms:>14.2f}"
                )
    print(f"{f'wanted: below {WANTED_MS} ms':60}{'cpu ms':>12}{'statements':>12}{'kB':>14}")
    for engine, found in figures.items():
        for name, figure in found.items():
            if isinstance(figure, Asked):
                print(f"{f'{name}, {engine}':60}{figure.cpu_ms:>12.1f}{figure.statements:>12}{figure.size / 1000:>14.0f}")


def _in_browser(ris: Ris, path: str) -> dict[str, Drawn]:
    with served(ris) as address, chromium() as browser, context_of(browser) as context:
        page = context.new_page()
        page.add_init_script(PAINTED % BOOKINGS)
        log_in(page, address, "scheduler", path)
        metrics = context.new_cdp_session(page)
        metrics.send("Performance.enable", {"timeDomain": "threadTicks"})
        drawn = _drawn(page, metrics, address + path)
        same = page.evaluate(
            "() => { document.querySelectorAll('script').forEach(node => node.remove()); return document.documentElement.outerHTML; }"
        )
        page.route("**/bare", lambda route: route.fulfill(body=f"<!doctype html>{same}", content_type="text/html"))
        return {"the schedule": drawn, "a bare page": _drawn(page, metrics, f"{address}/bare")}


def _drawn(page: Page, metrics: CDPSession, address: str) -> Drawn:
    taken, used = [], []
    for _ in range(TIMES):
        page.goto(address)
        page.wait_for_selector(".ec-event")
        taken.append(float(page.evaluate(WHEN_PAINTED)))
        used.append(_cpu_ms(metrics))
    # The first ones fill the caches of the browser.
    taken, used = taken[2:], used[2:]
    return Drawn(statistics.median(taken), min(taken), statistics.median(used), int(page.evaluate("document.querySelectorAll('*').length")))


def _cpu_ms(metrics: CDPSession) -> float:
    """What the page's thread has worked since the navigation."""
    figures = {metric["name"]: float(metric["value"]) for metric in metrics.send("Performance.getMetrics")["metrics"]}
    return figures["TaskDuration"] * 1000


def _on_server(ris: Ris, hospital: Hospital, path: str) -> dict[str, Asked]:
    visitor = Visitor(create_app(ris), ris)
    visitor.enter(hospital.users["scheduler"])
    events = path.replace("/schedule?", "/schedule/events?")
    version = visitor.get(events).get_json()["version"]
    return {
        "its page": _asked(ris, visitor, path),
        "its poll with news": _asked(ris, visitor, f"{events}&v=none"),
        "its poll without": _asked(ris, visitor, f"{events}&v={version}"),
    }


def _asked(ris: Ris, visitor: Visitor, path: str) -> Asked:
    used = [_used_ms(lambda: visitor.get(path, X_Poll="1")) for _ in range(TIMES)]
    with sent(ris.engine) as statements:
        answer = visitor.get(path, X_Poll="1")
    return Asked(statistics.median(used), len(statements), len(answer.data))


def _used_ms(work: Callable[[], object]) -> float:
    begun = process_time()
    work()
    return (process_time() - begun) * 1000
