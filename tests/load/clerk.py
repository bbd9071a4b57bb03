"""A clerk at a browser of their own who books, moves and cancels at random, and keeps a ledger of every answer that was a promise."""

import html
import http.client
import json
import random
import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

TOKEN = re.compile(r'<meta name="csrf-token" content="([^"]+)"')
OFFER = re.compile(r'<input type="hidden" name="place" value="([^"]+)">')
FORM_KEY = re.compile(r'name="form_key" value="([^"]+)"')
REFUSAL = re.compile(r'role="alert">(.*?)</div>', re.DOTALL)
NAMED = re.compile(r"booked by \S|held from \S+ to \S+ by \S")
"""What a conflict says: who has it."""
ZONE = ZoneInfo("America/New_York")
NEAREST = 25
"""The offers that a clerk chooses among: the same for all, so that they get into each other's way."""


@dataclass(frozen=True, slots=True)
class Timing:
    kind: str
    ms: float


@dataclass
class Ledger:
    """What was promised to this clerk, and what went wrong."""

    appointments: dict[int, tuple[int, datetime]] = field(default_factory=dict)
    """Exam to its room and start, as accepted."""
    timings: list[Timing] = field(default_factory=list)
    accepted: int = 0
    conflicts: list[str] = field(default_factory=list)
    """What each refusal with 409 said."""
    refused: int = 0
    """Answers with another reason, such as a closed room."""
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str
    location: str


class Clerk:
    """`exams` are this clerk's own; the rooms and times are everybody's."""

    def __init__(self, port: int, login: str, password: str, exams: list[int], seed: int, pause_s: tuple[float, float]) -> None:
        self.ledger = Ledger()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._origin = f"http://127.0.0.1:{port}"
        self._login, self._password = login, password
        self._waiting = exams
        self._dice = random.Random(seed)
        self._pause_s = pause_s
        self._cookies: dict[str, str] = {}
        self._token = ""

    def work(self, over: Event) -> None:
        """Until it is over, and something was promised; they come one by one."""
        over.wait(self._dice.uniform(0, self._pause_s[0]))
        self._post("log in", "/login", login=self._login, password=self._password, next="/schedule")
        self._get("the day", "/schedule")
        while not over.is_set() or (self._waiting and not self.ledger.accepted and not self.ledger.faults):
            booked = list(self.ledger.appointments)
            if booked and self._dice.random() < 0.4:
                (self._move if self._dice.random() < 0.6 else self._cancel)(self._dice.choice(booked))
            elif self._waiting:
                self._book(self._waiting.pop(self._dice.randrange(len(self._waiting))))
            over.wait(self._dice.uniform(*self._pause_s))
        self._connection.close()

    # ── what a clerk does ────────────────────────────────────────────────────────────────────────────────────────────

    def _book(self, exam: int) -> None:
        """Searches, holds one of the nearest offers, and books what is held; now and then lets it go instead."""
        page = self._get("search", f"/schedule/find?exam={exam}")
        offers = OFFER.findall(page.text)[:NEAREST]
        if not offers:
            self.ledger.faults.append(f"no offer for exam {exam}")
            return
        place = html.unescape(self._dice.choice(offers))
        held = self._post("hold", "/schedule/hold", place=place, form_key=self._key(page))
        if held.status != 303:
            self._waiting.append(exam)
            return
        form = self._get("the form", held.location)
        what = "release" if self._dice.random() < 0.1 else "book"
        done = self._post(what, f"{held.location}/{what}", form_key=self._key(form))
        if what == "book" and done.status == 303:
            _, _, room, at = place.split(".", 3)
            self._promise(exam, int(room), datetime.fromisoformat(at))
        else:
            self._waiting.append(exam)

    def _move(self, exam: int) -> None:
        """To one of the nearest offers, as the search offers them for an exam that has its appointment."""
        page = self._get("search", f"/schedule/find?exam={exam}")
        offers = OFFER.findall(page.text)[:NEAREST]
        if not offers:
            return
        place = html.unescape(self._dice.choice(offers))
        moved = self._post("move", f"/schedule/exams/{exam}/move", place=place, form_key=self._key(page))
        if moved.status == 303:
            _, _, room, at = place.split(".", 3)
            self._promise(exam, int(room), datetime.fromisoformat(at))

    def _cancel(self, exam: int) -> None:
        day = self.ledger.appointments[exam][1].astimezone(ZONE)
        drawn = json.loads(self._get("the day", f"/schedule/events?date={day:%Y-%m-%d}&v=none").text)
        page = self._get("the exam", f"/exams/{exam}").text
        step = next(event["id"] for event in drawn["events"] if event.get("accession", "-") in page and "status" in event)
        key = f"{exam}-{time.monotonic_ns()}"
        done = self._post("cancel", f"/schedule/appointments/{step}/cancel", reason="changed plans", form_key=key)
        if done.status == 303:
            self.ledger.accepted += 1
            del self.ledger.appointments[exam]
            self._waiting.append(exam)

    def _promise(self, exam: int, room: int, starts_at: datetime) -> None:
        self.ledger.accepted += 1
        self.ledger.appointments[exam] = (room, starts_at)

    # ── the browser ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _get(self, kind: str, path: str) -> Answer:
        return self._asked(kind, "GET", path, None)

    def _post(self, kind: str, path: str, **fields: str) -> Answer:
        answer = self._asked(kind, "POST", path, urlencode({"csrf_token": self._token, **fields}))
        if answer.status == 409:
            said = REFUSAL.search(answer.text)
            self.ledger.conflicts.append(" ".join(html.unescape(said[1]).split()) if said else "")
        elif answer.status == 422:
            self.ledger.refused += 1
        return answer

    def _asked(self, kind: str, method: str, path: str, body: str | None) -> Answer:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()), "Origin": self._origin}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        begun = time.monotonic()
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        text = response.read().decode()
        self.ledger.timings.append(Timing(kind, (time.monotonic() - begun) * 1000))
        for cookie in response.headers.get_all("Set-Cookie", ()):
            name, _, value = cookie.split(";")[0].partition("=")
            self._cookies[name] = value
        if found := TOKEN.search(text):
            self._token = html.unescape(found[1])
        if response.status not in (200, 303, 409, 422):
            self.ledger.faults.append(f"{kind}: {response.status}")
        return Answer(response.status, text, response.headers.get("Location", ""))

    def _key(self, page: Answer) -> str:
        found = FORM_KEY.search(page.text)
        return f"{found[1]}-{time.monotonic_ns()}" if found else ""
