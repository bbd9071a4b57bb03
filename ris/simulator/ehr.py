"""Plays the electronic health record of a hospital: admits, orders, changes, cancels and merges, and files what comes back."""

import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf
from time import monotonic, time
from types import TracebackType
from typing import Self

from ris.simulator import er7
from ris.simulator.ledger import ACCEPTED, Ledger
from ris.simulator.mllp import Arrival, Client, NoAnswer, Receiver
from ris.simulator.people import Patient, Physician, Population, Procedure, Reason, procedures_by_code
from ris.simulator.record import Acknowledged, Received, Sent

_WEIGHTS = {"place": 60, "admit": 20, "update": 8, "change": 6, "cancel": 4, "merge": 2}
_LONGEST_PAUSE_S = 30.0
_CLERK = Physician("8888", "Clerk", "Cy")


class OrderState(StrEnum):
    """How far an order has come as far as the EHR knows."""

    sent = "sent"
    placed = "placed"
    refused = "refused"
    started = "started"
    done = "done"
    cancelled = "cancelled"


@dataclass(slots=True)
class Order:
    placer_number: str
    mrn: str
    procedure: Procedure
    reason: Reason
    provider: Physician
    priority: str
    start: datetime
    version: str
    state: OrderState = OrderState.sent


_STATE_BY_STATUS = {
    ("SC", "IP"): OrderState.started,
    ("SC", "CM"): OrderState.done,
    ("SC", "DC"): OrderState.done,
    ("OC", "CA"): OrderState.cancelled,
    ("OC", ""): OrderState.cancelled,
}


class Ehr:
    """Sends at a chosen rate over one connection, and repeats the same bytes until they are answered.

    It takes over the receiver's `on_arrival`; starting and stopping the receiver is left to the caller.
    """

    def __init__(
        self,
        host: str,
        port: int,
        receiver: Receiver,
        ledger: Ledger,
        rate_per_minute: float,
        seed: int,
        application: str = "EHR",
        facility: str = "HOSP",
        ris_application: str = "RIS",
        ris_facility: str = "RAD",
        *,
        patients: int = 50,
        codes: Iterable[str] = (),
        timeout_s: float = 5.0,
        first_pause_s: float = 0.5,
        run: int | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.ledger = ledger
        self.patients: dict[str, Patient] = {}
        self.orders: dict[str, Order] = {}
        self._client = Client(host, port, timeout_s)
        self._pause_s = 60 / rate_per_minute
        self._first_pause_s = first_pause_s
        self._sender, self._receiver = (application, facility), (ris_application, ris_facility)
        self._most_patients = patients
        # Numbers must not come again in a later run, or the other side takes new messages for repeated ones.
        self._run = int(time() * 10) % 10**10 if run is None else run
        self._population = Population(seed, procedures_by_code(codes)) if codes else Population(seed)
        self._random = random.Random(f"steps of {seed}")
        self._twins: dict[str, str] = {}
        self._messages = self._order_messages = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._ends_at = inf
        self._say = say
        receiver.on_arrival = self._take

    def run(self, *, seconds: float = 0, orders: int = 0) -> None:
        """Works until stopped, or for so many seconds, or until so many orders are placed; 0 is without limit."""
        self._ends_at = monotonic() + seconds if seconds else inf
        self._connect()
        for sent in self.ledger.unanswered():
            self._deliver(sent)
        while self._goes_on(orders):
            self.step(most_groups=orders - len(self.orders) if orders else 2)
            if self._goes_on(orders):
                self._pause(self._pause_s)
        self.close()

    def stop(self) -> None:
        """Lets `run` end after the message under way; may be called from a signal handler in another thread."""
        self._stopped.set()

    def close(self) -> None:
        """Hangs up; whatever is sent afterwards connects anew."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def step(self, *, most_groups: int = 2) -> None:
        """Does one of the things that are possible now, orders most often."""
        possible = self._possible(most_groups)
        action = self._random.choices(list(possible), [_WEIGHTS[name] for name in possible])[0]
        possible[action]()

    def admit(self, patient: Patient | None = None, *, event: str | None = None) -> Patient:
        """Registers a patient: A01 for an inpatient, A04 for others, unless the event is given."""
        patient = patient or self._population.patient()
        event = event or ("A01" if patient.patient_class == "I" else "A04")
        if _is_accepted(self._send(f"ADT^{event}^ADT_A01", "2.3.1", _evn(), self._pid(patient), self._pv1(patient))):
            self.patients[patient.mrn] = patient
        return patient

    def admit_twin(self, patient: Patient) -> Patient:
        """Registers a known patient a second time under another number."""
        twin = self.admit(self._population.twin(patient))
        self._twins[twin.mrn] = patient.mrn
        return twin

    def update(self, patient: Patient) -> Patient:
        moved = self._population.moved(patient)
        if _is_accepted(self._send("ADT^A08^ADT_A01", "2.3.1", _evn(), self._pid(moved), self._pv1(moved))):
            self.patients[moved.mrn] = moved
        return moved

    def place(self, patient: Patient, *, groups: int = 1) -> list[Order]:
        """Places one order a group, all in one message; 2.3.1 and 2.5.1 take turns."""
        version = ("2.3.1", "2.5.1")[self._order_messages % 2]
        self._order_messages += 1
        orders = [self._new_order(patient, version) for _ in range(groups)]
        answer = self._send_orders("NW", orders)
        if answer:
            for order in orders:
                # Word of the start may have come in before the answer to the order.
                after = OrderState.placed if _is_accepted(answer) else OrderState.refused
                self._move(order, after, only_from=OrderState.sent)
        return orders

    def change(self, order: Order) -> Acknowledged | None:
        """Gives the order another priority and reason."""
        order.priority = self._random.choice([priority for priority in "SAR" if priority != order.priority])
        order.reason = self._population.reason_for(order.procedure)
        return self._send_orders("XO", [order])

    def cancel(self, order: Order) -> Acknowledged | None:
        """Cancels; a refusal is recorded, and the order is taken to have been started."""
        answer = self._send_orders("CA", [order])
        if answer:
            after = OrderState.cancelled if _is_accepted(answer) else OrderState.started
            self._move(order, after, only_from=OrderState.placed)
        return answer

    def merge(self, *, survivor: Patient, prior: Patient) -> Acknowledged | None:
        mrg = er7.segment("MRG", {1: self._identifier(prior.mrn, "MR")})
        answer = self._send("ADT^A40^ADT_A39", "2.3.1", _evn(), self._pid(survivor), mrg)
        if _is_accepted(answer):
            del self.patients[prior.mrn]
            for order in self.orders.values():
                if order.mrn == prior.mrn:
                    order.mrn = survivor.mrn
        return answer

    def _possible(self, most_groups: int) -> dict[str, Callable[[], object]]:
        pick = self._random.choice
        known = list(self.patients.values())
        open_orders = [order for order in self.orders.values() if order.state is OrderState.placed]
        twins = [(prior, original) for prior, original in self._twins.items() if {prior, original} <= self.patients.keys()]
        possible: dict[str, Callable[[], object]] = {}
        if self._population.count < self._most_patients or not known:
            possible["admit"] = lambda: self._admit_someone(known)
        if known:
            possible["place"] = lambda: self.place(pick(known), groups=min(pick((1, 1, 1, 2)), most_groups))
            possible["update"] = lambda: self.update(pick(known))
        if open_orders:
            possible["change"] = lambda: self.change(pick(open_orders))
            possible["cancel"] = lambda: self.cancel(pick(open_orders))
        if twins:
            possible["merge"] = lambda: self._merge_twins(*pick(twins))
        return possible

    def _admit_someone(self, known: list[Patient]) -> None:
        if known and self._random.random() < 0.12:
            self.admit_twin(self._random.choice(known))
        else:
            self.admit()

    def _merge_twins(self, prior: str, survivor: str) -> None:
        self.merge(survivor=self.patients[survivor], prior=self.patients[prior])

    def _new_order(self, patient: Patient, version: str) -> Order:
        procedure = self._population.procedure_for(patient)
        priority = self._random.choices("SAR", (1, 1, 8))[0]
        delay = {"S": timedelta(minutes=15), "A": timedelta(hours=2), "R": timedelta(days=self._random.randrange(1, 6))}
        order = Order(
            placer_number=f"P{self._run:010d}{len(self.orders) + 1:06d}^{self._sender[0]}",
            mrn=patient.mrn,
            procedure=procedure,
            reason=self._population.reason_for(procedure),
            provider=patient.referring,
            priority=priority,
            start=_now().replace(second=0) + delay[priority],
            version=version,
        )
        self.orders[order.placer_number] = order
        return order

    def _send_orders(self, control: str, orders: list[Order]) -> Acknowledged | None:
        patient = self.patients[orders[0].mrn]
        groups = [segment for n, order in enumerate(orders, 1) for segment in self._order_group(control, order, n)]
        return self._send("ORM^O01^ORM_O01", orders[0].version, self._pid(patient), self._pv1(patient), *groups)

    def _send(self, kind: str, version: str, *segments: str) -> Acknowledged | None:
        """The answer, or None when it was stopped before one came."""
        self._messages += 1
        control_id = f"E{self._run:010d}{self._messages:06d}"
        charset = "" if "".join(segments).isascii() else "UNICODE UTF-8"
        msh = er7.header(self._sender, self._receiver, kind=kind, control_id=control_id, version=version, charset=charset)
        return self._deliver(self.ledger.record_sent(er7.message(msh, *segments)))

    def _deliver(self, sent: Sent) -> Acknowledged | None:
        pause = self._first_pause_s
        while True:
            try:
                return self._exchange(sent)
            except NoAnswer as error:
                self._say(f"-> {sent.control_id} {sent.kind}: {error}; trying again in {pause:g} s")
            if not self._pause(pause):
                return None
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _exchange(self, sent: Sent) -> Acknowledged:
        answer = er7.read(self._client.send(sent.payload))
        named = er7.field(answer, "MSA", 2)
        if named != sent.control_id:
            self._client.close()
            raise NoAnswer(f"an answer to {named or 'nothing'} came instead")
        code, text = er7.answer_in(answer)
        self._say(f"-> {sent.control_id} {sent.kind} {code} {text}".rstrip())
        return self.ledger.record_acknowledged(control_id=sent.control_id, code=code, text=text)

    def _connect(self) -> None:
        pause = self._first_pause_s
        while True:
            try:
                return self._client.connect()
            except OSError as error:
                self._say(f"no connection to {self._client.host}:{self._client.port} ({error}); trying again in {pause:g} s")
            if not self._pause(pause):
                return None
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _goes_on(self, orders: int) -> bool:
        return not self._stopped.is_set() and monotonic() < self._ends_at and not (orders and len(self.orders) >= orders)

    def _pause(self, seconds: float) -> bool:
        """Waits; whether there is still time to go on."""
        left = self._ends_at - monotonic()
        return not self._stopped.wait(max(0.0, min(seconds, left))) and seconds < left

    def _take(self, arrival: Arrival) -> None:
        received = self.ledger.record_received(arrival.payload)
        self._say(f"<- {received.control_id} {received.kind} filed")
        self._follow(received)

    def _follow(self, received: Received) -> None:
        """Moves the orders that a message speaks of."""
        segments = er7.read(received.payload)
        for orc in er7.named(segments, "ORC"):
            order = self.orders.get("^".join(er7.field([orc], "ORC", 2).split("^")[:2]))
            state = _STATE_BY_STATUS.get((er7.field([orc], "ORC", 1), er7.field([orc], "ORC", 5)))
            if order and state:
                self._move(order, state)

    def _move(self, order: Order, state: OrderState, *, only_from: OrderState | None = None) -> None:
        with self._lock:
            if only_from in (None, order.state):
                order.state = state

    def _identifier(self, number: str, kind: str) -> str:
        return f"{number}^^^{self._sender[1]}^{kind}"

    def _pid(self, patient: Patient) -> str:
        address = [er7.escape(part) for part in (patient.street, patient.city, patient.state, patient.postal_code)]
        return er7.segment(
            "PID",
            {
                1: "1",
                3: self._identifier(patient.mrn, "MR"),
                5: f"{er7.escape(patient.family)}^{er7.escape(patient.given)}^^^^^L",
                7: f"{patient.birth_date:%Y%m%d}",
                8: patient.sex,
                11: f"{address[0]}^^{address[1]}^{address[2]}^{address[3]}^USA^H",
                13: f"{er7.escape(patient.phone)}^PRN^PH",
            },
        )

    def _pv1(self, patient: Patient) -> str:
        return er7.segment(
            "PV1",
            {
                1: "1",
                2: patient.patient_class,
                3: patient.location,
                7: _person(patient.attending),
                8: _person(patient.referring),
                19: self._identifier(patient.visit_number, "VN"),
            },
        )

    def _order_group(self, control: str, order: Order, number: int) -> list[str]:
        start = er7.timestamp(order.start)
        timing = f"^^^{start}^^{order.priority}"
        orc = {1: control, 2: order.placer_number, 7: timing, 9: er7.timestamp(_now()), 10: _person(_CLERK)}
        orc |= {12: _person(order.provider), 17: self._sender[1]}
        if control == "CA":
            orc[16] = "PTREQ^Patient request^L"
        obr = {
            1: str(number),
            2: order.placer_number,
            4: f"{er7.escape(order.procedure.code)}^{er7.escape(order.procedure.text)}^L",
            13: er7.escape(order.reason.clinical),
            16: _person(order.provider),
            27: timing,
            31: f"{er7.escape(order.reason.code)}^{er7.escape(order.reason.text)}^I10",
        }
        tq1 = [er7.segment("TQ1", {1: "1", 7: start, 9: order.priority})] if order.version == "2.5.1" else []
        return [er7.segment("ORC", orc), *tq1, er7.segment("OBR", obr)]


def _now() -> datetime:
    return datetime.now().astimezone()


def _evn() -> str:
    return er7.segment("EVN", {2: er7.timestamp(_now())})


def _person(physician: Physician) -> str:
    return f"{physician.number}^{er7.escape(physician.family)}^{er7.escape(physician.given)}"


def _is_accepted(answer: Acknowledged | None) -> bool:
    return answer is not None and answer.code in ACCEPTED
