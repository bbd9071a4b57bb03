"""Keeps the peer's own append-only account of what it asked and what came back, and says where the two differ."""

import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ris.simulator.record import Acknowledged, Received, Result, Sent, StatusMessage, results_in, status_messages_in

ACCEPTED = ("AA", "CA")


class JsonLines:
    """A file to which lines are only added, each of them on disk before the call returns."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def load(self) -> list[dict[str, Any]]:
        """The whole lines of the file; a line cut short by a kill is removed, because it was never answered."""
        if not self.path.exists():
            return []
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            os.truncate(self.path, len(whole))
        return [json.loads(line) for line in whole.splitlines()]

    def append(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="ascii") as file:
            file.write(json.dumps(line, default=_plain) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _plain(value: object) -> str:
    # Latin-1 maps every byte to one character, so the bytes stay exact and the line readable.
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value)} has no place in a ledger")


@dataclass(frozen=True, slots=True)
class Summary:
    sent: int
    acknowledged: int
    refused: int
    unanswered: int
    preliminary: int
    final: int
    corrected: int
    other_results: int
    status_messages: int


class Ledger:
    """Everything sent and received; kept in memory, and in a file when a path is given, from which it carries on."""

    def __init__(self, path: str | Path | None = None) -> None:
        self.sent: list[Sent] = []
        self.acknowledgements: dict[str, Acknowledged] = {}
        self.received: list[Received] = []
        self.results: list[Result] = []
        self.status_messages: list[StatusMessage] = []
        self._payloads: dict[str, set[bytes]] = {}
        self._changed = threading.Condition()
        self._file = JsonLines(path) if path else None
        for line in self._file.load() if self._file else []:
            self._take(_record(line))

    def record_sent(self, payload: bytes) -> Sent:
        """To be called before the bytes leave, so that an answer to them is never unknown."""
        sent = Sent.of(payload, _now())
        self._add(sent)
        return sent

    def record_acknowledged(self, *, control_id: str, code: str, text: str) -> Acknowledged:
        acknowledged = Acknowledged(control_id, code, text, _now())
        self._add(acknowledged)
        return acknowledged

    def record_received(self, payload: bytes) -> Received:
        received = Received.of(payload, _now())
        self._add(received)
        return received

    def wait_for(self, predicate: Callable[["Ledger"], bool], *, timeout_s: float) -> bool:
        """Whether the predicate came true in time; it is asked at every change."""
        with self._changed:
            return self._changed.wait_for(lambda: predicate(self), timeout_s)

    def unanswered(self) -> list[Sent]:
        with self._changed:
            return [sent for sent in self.sent if sent.control_id not in self.acknowledgements]

    def refused(self) -> list[tuple[Sent, Acknowledged]]:
        with self._changed:
            answered = [(sent, self.acknowledgements.get(sent.control_id)) for sent in self.sent]
        return [(sent, answer) for sent, answer in answered if answer and answer.code not in ACCEPTED]

    def results_for(self, placer_number: str) -> list[Result]:
        with self._changed:
            return [result for result in self.results if result.placer_number == placer_number]

    def statuses_for(self, placer_number: str) -> list[StatusMessage]:
        with self._changed:
            return [status for status in self.status_messages if status.placer_number == placer_number]

    def answers(self) -> "list[Result | StatusMessage]":
        with self._changed:
            return [*self.results, *self.status_messages]

    def summary(self) -> Summary:
        unanswered, refused = len(self.unanswered()), len(self.refused())
        with self._changed:
            by_status = Counter(result.status for result in self.results)
            preliminary, final, corrected = (by_status.pop(status, 0) for status in "PFC")
            return Summary(
                sent=len(self.sent),
                acknowledged=len(self.sent) - unanswered - refused,
                refused=refused,
                unanswered=unanswered,
                preliminary=preliminary,
                final=final,
                corrected=corrected,
                other_results=by_status.total(),
                status_messages=len(self.status_messages),
            )

    def problems(self) -> list[str]:
        """A sentence for each way in which what came back is not what was asked."""
        with self._changed:
            return [sentence for rule in _RULES for sentence in rule(self)]

    def _add(self, record: "Sent | Acknowledged | Received") -> None:
        with self._changed:
            if self._file:
                self._file.append({"record": type(record).__name__, **asdict(record)})
            self._take(record)
            self._changed.notify_all()

    def _take(self, record: "Sent | Acknowledged | Received") -> None:
        match record:
            case Sent():
                self.sent.append(record)
            case Acknowledged():
                self.acknowledgements[record.control_id] = record
            case Received():
                self._take_received(record)

    def _take_received(self, received: Received) -> None:
        self.received.append(received)
        earlier = self._payloads.setdefault(received.control_id, set())
        if received.payload not in earlier:
            earlier.add(received.payload)
            self.results.extend(results_in(received))
            self.status_messages.extend(status_messages_in(received))


def _now() -> datetime:
    return datetime.now().astimezone()


def _record(line: dict[str, Any]) -> Sent | Acknowledged | Received:
    at = datetime.fromisoformat(line["at"])
    if line["record"] == "Acknowledged":
        return Acknowledged(line["control_id"], line["code"], line["text"], at)
    payload = line["payload"].encode("latin-1")
    return Sent.of(payload, at) if line["record"] == "Sent" else Received.of(payload, at)


def _never_acknowledged(ledger: Ledger) -> Iterator[str]:
    for sent in ledger.unanswered():
        yield f"{sent.control_id} ({sent.kind}) was never acknowledged"


def _refused_without_cause(ledger: Ledger) -> Iterator[str]:
    for sent, answer in ledger.refused():
        if not sent.may_be_refused:
            yield f"{sent.control_id} ({sent.kind}) was refused with {answer.code} {answer.text}".rstrip()


def _patients_by_order(ledger: Ledger) -> dict[str, str]:
    """Placer numbers of our orders, and filler numbers of those that the other side announced with SN."""
    ours = {placer_number: sent.patient for sent in ledger.sent if sent.is_order for placer_number in sent.keys}
    announced = [status for status in ledger.status_messages if status.order_control == "SN"]
    return ours | {status.filler_number: status.patients[0] for status in announced}


def _unknown_order(ledger: Ledger) -> Iterator[str]:
    known = _patients_by_order(ledger)
    for answer in ledger.answers():
        if not _is_known(answer, known):
            yield f"{answer.control_id} names the placer number {answer.placer_number or '(none)'}, which was never placed"


def _is_known(answer: Result | StatusMessage, known: dict[str, str]) -> bool:
    return (answer.placer_number or answer.filler_number) in known


def _wrong_patient(ledger: Ledger) -> Iterator[str]:
    known = _patients_by_order(ledger)
    merges = [sent for sent in ledger.sent if sent.is_merge]
    for answer in ledger.answers():
        if _is_known(answer, known):
            number = answer.placer_number or answer.filler_number
            allowed = _patients_allowed(ledger, merges, patient=known[number], built_at=answer.built_at)
            if not allowed.intersection(answer.patients):
                yield f"{answer.control_id} names the patient {answer.patients[0]} for {number}, not {' or '.join(sorted(allowed))}"


def _patients_allowed(ledger: Ledger, merges: list[Sent], *, patient: str, built_at: datetime) -> set[str]:
    """The survivor alone once the merge was accepted; either for a message built before that."""
    allowed = {patient}
    for merge in merges:
        answer = ledger.acknowledgements.get(merge.control_id)
        if patient not in merge.keys or (answer and answer.code not in ACCEPTED):
            continue
        patient = merge.patient
        allowed = {patient} if answer and answer.at <= built_at else allowed | {patient}
    return allowed


def _backwards(ledger: Ledger) -> Iterator[str]:
    """A final report older than the one before it, or a preliminary one after a final that still holds."""
    finals: dict[str, Result] = {}
    for result in ledger.results:
        name = result.accession_number or result.filler_number
        before = finals.get(name)
        if before and result.is_final and result.reported_at < before.reported_at:
            yield f"{result.control_id} is a final result for {name} that is older than {before.control_id}"
        if before and result.status == "P":
            yield f"{result.control_id} is a preliminary result for {name} after the final {before.control_id}"
        if result.is_final:
            finals[name] = result
        elif result.status == "X":
            finals.pop(name, None)


def _same_id_other_bytes(ledger: Ledger) -> Iterator[str]:
    first: dict[str, bytes] = {}
    for received in ledger.received:
        if not received.control_id:
            yield f"a message of {len(received.payload)} bytes arrived without control id"
        elif first.setdefault(received.control_id, received.payload) != received.payload:
            yield f"{received.control_id} arrived again with other bytes"


def _text_missing(ledger: Ledger) -> Iterator[str]:
    for result in ledger.results:
        if result.status in ("P", "F", "C") and not result.text:
            yield f"{result.control_id} is a result for {result.placer_number} without text"


_RULES: tuple[Callable[[Ledger], Iterator[str]], ...] = (
    _never_acknowledged,
    _refused_without_cause,
    _unknown_order,
    _wrong_patient,
    _backwards,
    _same_id_other_bytes,
    _text_missing,
)
