import re
import socket
import threading
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from ris.simulator import er7
from ris.simulator.ehr import Ehr, OrderState
from ris.simulator.ledger import Ledger
from ris.simulator.mllp import Client, Receiver
from ris.simulator.people import PROCEDURES, Population, procedures_by_code

RUN = 7


class ScriptedRis:
    """Keeps all messages by connection, and answers each as the script says: a code, bytes, or None to hang up."""

    def __init__(self, script=lambda message: "AA"):
        self.script = script
        self.arrivals = []
        self._connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    @property
    def messages(self):
        return [message for _, message in self.arrivals]

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections += 1
            with connection:
                self._converse(connection)

    def _converse(self, connection):
        stream = connection.makefile("rwb", buffering=0)
        while message := read_frame(stream):
            self.arrivals.append((self._connections, message))
            answer = self.script(message)
            if answer is None:
                return
            if not isinstance(answer, bytes):
                answer = f"MSH|^~\\&|RIS|RAD|EHR|HOSP|||ACK|1|P|2.3.1\rMSA|{answer}|{control_id(message)}|said so\r".encode()
            stream.write(b"\x0b" + answer + b"\x1c\r")


def read_frame(stream):
    received = b""
    while not received.endswith(b"\x1c\r"):
        if not (byte := stream.read(1)):
            return b""
        received += byte
    return received[1:-2]


def control_id(message):
    return message.split(b"|")[9].decode()


def segments_of(message, name):
    return [line.split("|") for line in message.decode().split("\r") if line.startswith(name + "|")]


@pytest.fixture
def ris():
    with ScriptedRis() as ris:
        yield ris


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def ehr(ris, receiver):
    with make_ehr(ris.port, receiver) as ehr:
        yield ehr


def make_ehr(port, receiver, ledger=None, **options):
    chosen = {"rate_per_minute": 600_000, "seed": 1, "run": RUN, "first_pause_s": 0.01} | options
    return Ehr("127.0.0.1", port, receiver, ledger or Ledger(), **chosen)


def report(order, *, status="F", control="R1", text="Normal.", at="20300101120000+0000", accession="A1", **changed):
    """A result as the RIS sends it, with whatever is wrong put in."""
    patient = changed.get("mrn", order.mrn)
    placer = changed.get("placer", order.placer_number)
    observation = f"OBX|2|TX|121071^Finding^DCM||{text}||||||{status}\r" if text else ""
    return (
        f"MSH|^~\\&|RIS|RAD|EHR|HOSP|{changed.get('built', at)}||ORU^R01^ORU_R01|{control}|P|2.5.1\r"
        f"PID|1||{patient}^^^HOSP^MR||X^Y\r"
        f"ORC|SC|{placer}|F1^RIS||CM\r"
        f"OBR|1|{placer}|F1^RIS|CTHEAD^CT^L||||||||||||||{accession}||||{at}|||{status}\r"
        f"OBX|1|ST|113014^DICOM Study^DCM||1.2.3||||||O\r{observation}"
    ).encode()


def status_message(order_control, order_status, *, placer, mrn, control="S1"):
    return (
        f"MSH|^~\\&|RIS|RAD|EHR|HOSP|20300101120000+0000||ORM^O01^ORM_O01|{control}|P|2.3.1\r"
        f"PID|1||{mrn}^^^HOSP^MR\rORC|{order_control}|{placer}|F1^RIS||{order_status}\rOBR|1|{placer}|F1^RIS\r"
    ).encode()


def deliver(receiver, *messages):
    with Client("127.0.0.1", receiver.port, 5) as client:
        for message in messages:
            client.send(message)


@contextmanager
def running(ehr, **limits):
    thread = threading.Thread(target=ehr.run, kwargs=limits)
    thread.start()
    yield
    ehr.stop()
    thread.join()


def test_admission_registers_inpatients_with_a01_and_others_with_a04(ehr, ris):
    events = {ehr.admit().patient_class: segments_of(ris.messages[-1], "MSH")[0][8] for _ in range(20)}
    assert events == {"O": "ADT^A04^ADT_A01", "E": "ADT^A04^ADT_A01", "I": "ADT^A01^ADT_A01"}


def test_order_carries_the_fields_that_radiology_asks_for(ehr, ris):
    patient = ehr.admit()
    [order] = ehr.place(patient)
    msh, pid, pv1, orc, obr = (segments_of(ris.messages[-1], name)[0] for name in ("MSH", "PID", "PV1", "ORC", "OBR"))
    assert msh[2:6] == ["EHR", "HOSP", "RIS", "RAD"]
    assert re.fullmatch(r"\d{14}[+-]\d{4}", msh[6])
    assert (msh[8], msh[10], msh[11]) == ("ORM^O01^ORM_O01", "P", "2.3.1")
    assert pid[3] == f"{patient.mrn}^^^HOSP^MR"
    assert all(pid[n] for n in (5, 7, 8, 11, 13))
    assert all(pv1[n] for n in (2, 3, 7, 8, 19))
    assert (orc[1], orc[2]) == ("NW", order.placer_number)
    assert all(orc[n] for n in (7, 9, 10, 12, 17))
    assert obr[2] == order.placer_number
    assert all(obr[n] for n in (4, 13, 16, 27, 31))
    assert (len(orc) < 4 or orc[3] == "", obr[3]) == (True, "")
    assert re.fullmatch(r"P\d+\^EHR", order.placer_number)


def test_orders_alternate_between_both_versions_and_the_later_has_timing(ehr, ris):
    patient = ehr.admit()
    orders = [ehr.place(patient)[0] for _ in range(2)]
    old, new = ris.messages[-2:]
    assert (segments_of(old, "MSH")[0][11], segments_of(new, "MSH")[0][11]) == ("2.3.1", "2.5.1")
    assert segments_of(old, "TQ1") == []
    assert segments_of(new, "TQ1")[0][9] == orders[1].priority


def test_two_groups_in_one_message_are_two_orders(ehr, ris):
    orders = ehr.place(ehr.admit(), groups=2)
    assert [orc[2] for orc in segments_of(ris.messages[-1], "ORC")] == [order.placer_number for order in orders]
    assert len({order.placer_number for order in orders}) == 2


def test_names_beyond_ascii_are_declared_as_utf_8(ehr, ris):
    ehr.admit()
    while ris.messages[-1].isascii():
        assert len(segments_of(ris.messages[-1], "MSH")[0]) == 12
        ehr.admit()
    assert segments_of(ris.messages[-1], "MSH")[0][17] == "UNICODE UTF-8"


def test_change_names_the_order_and_gives_another_priority(ehr, ris):
    [order] = ehr.place(ehr.admit())
    before = order.priority
    ehr.change(order)
    orc = segments_of(ris.messages[-1], "ORC")[0]
    assert (orc[1], orc[2]) == ("XO", order.placer_number)
    assert orc[7].split("^")[5] == order.priority != before


def test_cancel_says_why_and_ends_the_order(ehr, ris):
    [order] = ehr.place(ehr.admit())
    ehr.cancel(order)
    orc = segments_of(ris.messages[-1], "ORC")[0]
    assert (orc[1], orc[16]) == ("CA", "PTREQ^Patient request^L")
    assert order.state is OrderState.cancelled


def test_refused_cancel_is_recorded_and_is_no_mismatch(ehr, ris):
    [order] = ehr.place(ehr.admit())
    ris.script = lambda message: "AE"
    ehr.cancel(order)
    assert order.state is OrderState.started
    [(sent, answer)] = ehr.ledger.refused()
    assert (sent.kind, answer.code, answer.text) == ("ORM^O01 CA", "AE", "said so")
    assert ehr.ledger.problems() == []


def test_refused_order_is_a_mismatch(ehr, ris):
    patient = ehr.admit()
    ris.script = lambda message: "AE"
    [order] = ehr.place(patient)
    assert order.state is OrderState.refused
    assert ehr.ledger.problems() == [f"E{RUN:010d}000002 (ORM^O01 NW) was refused with AE said so"]


def test_update_sends_the_new_address_under_the_same_number(ehr, ris):
    patient = ehr.admit()
    moved = ehr.update(patient)
    pid = segments_of(ris.messages[-1], "PID")[0]
    assert segments_of(ris.messages[-1], "MSH")[0][8] == "ADT^A08^ADT_A01"
    assert pid[3].startswith(patient.mrn)
    assert pid[11].startswith(moved.street)
    assert ehr.patients[patient.mrn] == moved != patient


def test_merge_names_the_survivor_and_the_prior_number_and_moves_the_orders(ehr, ris):
    survivor = ehr.admit()
    twin = ehr.admit_twin(survivor)
    [order] = ehr.place(twin)
    ehr.merge(survivor=survivor, prior=twin)
    assert segments_of(ris.messages[-1], "MSH")[0][8] == "ADT^A40^ADT_A39"
    assert segments_of(ris.messages[-1], "PID")[0][3] == f"{survivor.mrn}^^^HOSP^MR"
    assert segments_of(ris.messages[-1], "MRG")[0][1] == f"{twin.mrn}^^^HOSP^MR"
    ehr.cancel(order)
    assert segments_of(ris.messages[-1], "PID")[0][3] == f"{survivor.mrn}^^^HOSP^MR"
    assert list(ehr.patients) == [survivor.mrn]


def test_lost_answer_brings_the_same_bytes_on_a_new_connection(ehr, ris):
    answers = iter([None, None, "AA"])
    ris.script = lambda message: next(answers)
    ehr.admit()
    assert [connection for connection, _ in ris.arrivals] == [1, 2, 3]
    assert len(set(ris.messages)) == 1
    assert ehr.ledger.summary().acknowledged == 1


def test_answer_to_another_message_is_no_answer(ehr, ris):
    answers = iter([b"MSH|^~\\&\rMSA|AA|earlier\r", "AA"])
    ris.script = lambda message: next(answers)
    ehr.admit()
    assert [connection for connection, _ in ris.arrivals] == [1, 2]


def test_late_answer_is_not_taken_for_the_answer_to_the_resend(receiver):
    with Receiver(answer="late", late_s=0.3) as ris:
        ehr = make_ehr(ris.port, receiver, timeout_s=0.05)
        with running(ehr):
            assert ris.wait_for(2, timeout_s=5)
            ris.answer = "AA"
            assert ehr.ledger.wait_for(lambda ledger: bool(ledger.acknowledgements), timeout_s=5)
        first, second = ris.arrivals[:2]
    assert (first.payload, first.control_id) == (second.payload, second.control_id)
    assert first.connection != second.connection


def test_message_that_nobody_answers_is_a_mismatch(receiver):
    with Receiver(answer="none") as ris:
        ehr = make_ehr(ris.port, receiver, timeout_s=0.05)
        with running(ehr):
            assert ris.wait_for(2, timeout_s=5)
    [problem] = ehr.ledger.problems()
    assert re.fullmatch(r"E\d+ \(ADT\^A0[14]\) was never acknowledged", problem)


def test_run_waits_for_a_listener_that_is_not_there_yet(receiver):
    said, refused = [], threading.Event()

    def say(line):
        said.append(line)
        refused.set()

    ris = Receiver().start()
    ris.stop()
    ehr = make_ehr(ris.port, receiver, say=say)
    with running(ehr):
        assert refused.wait(5)
        with ris:
            assert ris.wait_for(3, timeout_s=5)
            ehr.stop()
    assert said[0].startswith(f"no connection to 127.0.0.1:{ris.port}")
    assert said[0].endswith("trying again in 0.01 s")


def test_run_ends_when_so_many_orders_are_placed(ris, receiver):
    ehr = make_ehr(ris.port, receiver)
    ehr.run(orders=25)
    assert len(ehr.orders) == 25
    assert ehr.ledger.problems() == []


def test_run_ends_when_time_is_up(ris, receiver):
    ehr = make_ehr(ris.port, receiver, rate_per_minute=1)
    ehr.run(seconds=0.05)
    assert ehr.ledger.summary().sent == 1


def test_run_ends_in_time_although_nobody_listens(receiver):
    ris = Receiver().start()
    ris.stop()
    make_ehr(ris.port, receiver, first_pause_s=600).run(seconds=0.05)


def test_day_holds_everything_an_ehr_does_and_no_number_twice(ris, receiver):
    ehr = make_ehr(ris.port, receiver, patients=12)
    ehr.run(orders=150)
    sent = ehr.ledger.sent
    assert {message.kind for message in sent} == {
        *("ADT^A01", "ADT^A04", "ADT^A08", "ADT^A40"),
        *("ORM^O01 NW", "ORM^O01 XO", "ORM^O01 CA"),
    }
    assert len({message.control_id for message in sent}) == len(sent) == len(ris.messages)
    assert len({key for message in sent if message.is_order for key in message.keys}) == 150
    assert {order.priority for order in ehr.orders.values()} == {"S", "A", "R"}
    assert len({key for message in sent for key in (message.patient,)}) == 12


def test_same_seed_gives_the_same_day(receiver):
    def day(seed):
        with ScriptedRis() as ris:
            ehr = make_ehr(ris.port, receiver, seed=seed)
            ehr.run(orders=20)
        return [(message.kind, message.patient, message.keys) for message in ehr.ledger.sent]

    assert day(5) == day(5) != day(6)


def test_later_run_uses_other_numbers(ris, receiver):
    first, second = (make_ehr(ris.port, receiver, run=run) for run in (1, 2))
    for ehr in (first, second):
        ehr.run(orders=3)
    assert not first.orders.keys() & second.orders.keys()
    assert len({control_id(message) for message in ris.messages}) == len(ris.messages)


def test_only_the_given_codes_are_ordered(ris, receiver):
    ehr = make_ehr(ris.port, receiver, codes=["CTHEAD", "LOCAL1"])
    ehr.run(orders=20)
    assert {segments_of(message, "OBR")[0][4] for message in ris.messages if b"\rORC|NW" in message} == {
        "CTHEAD^CT head without contrast^L",
        "LOCAL1^LOCAL1^L",
    }


def test_results_are_filed_by_placer_number(ehr, receiver):
    [order] = ehr.place(ehr.admit())
    deliver(receiver, report(order, status="P", control="R1", text="Wet read."), report(order, control="R2", text="All\\T\\more."))
    preliminary, final = ehr.ledger.results_for(order.placer_number)
    assert (preliminary.status, preliminary.text) == ("P", "Wet read.")
    assert (final.status, final.text, final.control_id) == ("F", "All&more.", "R2")
    assert (final.accession_number, final.filler_number) == ("A1", "F1^RIS")
    assert ehr.ledger.problems() == []


def test_result_with_two_groups_is_two_results(ehr, receiver):
    one, two = ehr.place(ehr.admit(), groups=2)
    second = report(two, accession="A2").partition(b"\rORC|")[2]
    deliver(receiver, report(one) + b"ORC|" + second)
    assert [len(ehr.ledger.results_for(order.placer_number)) for order in (one, two)] == [1, 1]
    assert ehr.ledger.problems() == []


@pytest.mark.parametrize(
    ("order_control", "order_status", "state"),
    [
        ("SC", "IP", "started"),
        ("SC", "CM", "done"),
        ("SC", "DC", "done"),
        ("OC", "CA", "cancelled"),
        ("OC", "", "cancelled"),
        ("XX", "", "placed"),
    ],
)
def test_status_message_moves_the_order(ehr, receiver, order_control, order_status, state):
    [order] = ehr.place(ehr.admit())
    deliver(receiver, status_message(order_control, order_status, placer=order.placer_number, mrn=order.mrn))
    assert order.state == state
    assert ehr.ledger.statuses_for(order.placer_number)[0].order_status == order_status


def test_started_order_is_never_cancelled_by_the_run(ehr, ris, receiver):
    [order] = ehr.place(ehr.admit())
    deliver(receiver, status_message("SC", "IP", placer=order.placer_number, mrn=order.mrn))
    ehr.run(orders=60)
    assert f"ORC|CA|{order.placer_number}".encode() not in b"".join(ris.messages)


def test_word_of_the_start_may_come_before_the_answer_to_the_order(ehr, ris, receiver):
    def start_at_once(message):
        orc = segments_of(message, "ORC")[0]
        mrn = segments_of(message, "PID")[0][3].split("^")[0]
        deliver(receiver, status_message("SC", "IP", placer=orc[2], mrn=mrn))
        return "AA"

    patient = ehr.admit()
    ris.script = start_at_once
    [order] = ehr.place(patient)
    assert order.state is OrderState.started


def test_order_that_the_other_side_announces_may_have_results(ehr, receiver):
    [order] = ehr.place(ehr.admit())
    deliver(receiver, status_message("SN", "", placer="", mrn="M77"), report(order, placer="", mrn="M77"))
    assert ehr.ledger.problems() == []


def test_result_for_an_order_never_placed_is_a_mismatch(ehr, receiver):
    [order] = ehr.place(ehr.admit())
    deliver(receiver, report(order, placer="P999^EHR"), status_message("SC", "IP", placer="", mrn=order.mrn))
    assert ehr.ledger.problems() == [
        "R1 names the placer number P999^EHR, which was never placed",
        "S1 names the placer number (none), which was never placed",
    ]


def test_result_for_another_patient_is_a_mismatch(ehr, receiver):
    [order] = ehr.place(ehr.admit())
    deliver(receiver, report(order, mrn="M2"))
    [problem] = ehr.ledger.problems()
    assert problem == f"R1 names the patient M2^^^HOSP for {order.placer_number}, not {order.mrn}^^^HOSP"


def test_after_a_merge_results_name_the_survivor(ehr, receiver):
    survivor = ehr.admit()
    twin = ehr.admit_twin(survivor)
    [order] = ehr.place(twin)
    ehr.merge(survivor=survivor, prior=twin)
    later = er7.timestamp(datetime.now().astimezone() + timedelta(seconds=2))
    deliver(receiver, report(order, control="R1", built=later, mrn=survivor.mrn), report(order, control="R2", built=later, mrn=twin.mrn))
    [problem] = ehr.ledger.problems()
    assert problem.startswith(f"R2 names the patient {twin.mrn}")


def test_result_built_before_a_merge_may_name_either(ehr, receiver):
    survivor = ehr.admit()
    twin = ehr.admit_twin(survivor)
    [order] = ehr.place(twin)
    ehr.merge(survivor=survivor, prior=twin)
    earlier = er7.timestamp(datetime.now().astimezone() - timedelta(seconds=2))
    deliver(receiver, report(order, built=earlier, mrn=twin.mrn), report(order, control="R2", built=earlier, mrn=survivor.mrn))
    assert ehr.ledger.problems() == []


def test_refused_merge_changes_no_patient(ehr, ris, receiver):
    survivor = ehr.admit()
    twin = ehr.admit_twin(survivor)
    [order] = ehr.place(twin)
    ris.script = lambda message: "AR"
    ehr.merge(survivor=survivor, prior=twin)
    deliver(receiver, report(order, mrn=survivor.mrn))
    refused, wrong_patient = ehr.ledger.problems()
    assert "(ADT^A40) was refused with AR" in refused
    assert wrong_patient.startswith(f"R1 names the patient {survivor.mrn}")


def test_final_older_than_the_one_before_it_is_a_mismatch(ehr, receiver):
    [order] = ehr.place(ehr.admit())
    newer = report(order, status="C", control="R1", at="20300101120000+0000")
    older = report(order, status="F", control="R2", at="20300101130000+0200")
    deliver(receiver, newer, older)
    assert ehr.ledger.problems() == ["R2 is a final result for A1 that is older than R1"]


def test_preliminary_after_a_final_is_a_mismatch(ehr, receiver):
    [order] = ehr.place(ehr.admit())
    deliver(receiver, report(order), report(order, status="P", control="R2"), report(order, status="P", control="R3", accession="A2"))
    assert ehr.ledger.problems() == ["R2 is a preliminary result for A1 after the final R1"]


def test_preliminary_after_a_final_that_was_taken_back_is_none(ehr, receiver):
    [order] = ehr.place(ehr.admit())
    deliver(receiver, report(order), report(order, status="X", control="R2"), report(order, status="P", control="R3"))
    assert ehr.ledger.problems() == []


def test_control_id_used_again_for_other_bytes_is_a_mismatch(ehr, receiver):
    [order] = ehr.place(ehr.admit())
    deliver(receiver, report(order), report(order, text="Quite other."))
    assert ehr.ledger.problems() == ["R1 arrived again with other bytes"]


def test_message_that_arrives_again_is_filed_once(ehr, receiver):
    [order] = ehr.place(ehr.admit())
    deliver(receiver, report(order), report(order))
    assert len(ehr.ledger.received) == 2
    assert len(ehr.ledger.results) == 1
    assert ehr.ledger.problems() == []


@pytest.mark.parametrize("status", ["P", "F", "C"])
def test_result_without_text_is_a_mismatch(ehr, receiver, status):
    [order] = ehr.place(ehr.admit())
    deliver(receiver, report(order, text="", status=status))
    assert ehr.ledger.problems() == [f"R1 is a result for {order.placer_number} without text"]


def test_images_without_report_need_no_text(ehr, receiver):
    [order] = ehr.place(ehr.admit())
    deliver(receiver, report(order, text="", status="R"))
    assert ehr.ledger.problems() == []


def test_message_without_control_id_is_a_mismatch(ehr, receiver):
    deliver(receiver, b"what is this")
    assert ehr.ledger.problems() == ["a message of 12 bytes arrived without control id"]


def test_summary_counts_what_was_sent_and_what_came(ehr, ris, receiver):
    [order] = ehr.place(ehr.admit())
    ris.script = lambda message: "AE"
    ehr.cancel(order)
    deliver(receiver, *(report(order, status=status, control=f"R{status}") for status in "PFCR"))
    deliver(receiver, status_message("SC", "CM", placer=order.placer_number, mrn=order.mrn))
    summary = ehr.ledger.summary()
    assert (summary.sent, summary.acknowledged, summary.refused, summary.unanswered) == (3, 2, 1, 0)
    assert (summary.preliminary, summary.final, summary.corrected, summary.other_results) == (1, 1, 1, 1)
    assert summary.status_messages == 1


def test_ledger_carries_on_from_its_file(ris, receiver, tmp_path):
    path = tmp_path / "somewhere" / "ehr.jsonl"
    with make_ehr(ris.port, receiver, Ledger(path)) as ehr:
        [order] = ehr.place(ehr.admit())
        deliver(receiver, report(order))
    again = Ledger(path)
    assert (again.sent, again.acknowledgements, again.results) == (ehr.ledger.sent, ehr.ledger.acknowledgements, ehr.ledger.results)
    assert again.problems() == []


def test_message_left_without_answer_by_a_killed_run_is_sent_first_by_the_next(ris, receiver, tmp_path):
    path = tmp_path / "ehr.jsonl"
    left = Ledger(path).record_sent(b"MSH|^~\\&|EHR|HOSP|RIS|RAD|||ADT^A04|LEFT1|P|2.3.1\r")
    ehr = make_ehr(ris.port, receiver, Ledger(path))
    ehr.run(orders=1)
    assert ris.messages[0] == left.payload
    assert ehr.ledger.unanswered() == []


def test_message_is_in_the_file_before_it_leaves(ris, receiver, tmp_path):
    path = tmp_path / "ehr.jsonl"
    known = []

    def look(message):
        known.append(control_id(message) in path.read_text())
        return "AA"

    ris.script = look
    with make_ehr(ris.port, receiver, Ledger(path)) as ehr:
        ehr.admit()
    assert known == [True]


def test_people_are_the_same_for_a_seed_and_others_for_another():
    def people(seed):
        population = Population(seed)
        return [population.patient() for _ in range(5)]

    assert people(3) == people(3)
    assert not {patient.mrn for patient in people(3)} & {patient.mrn for patient in people(4)}


def test_men_are_sent_to_no_mammography_unless_nothing_else_is_done():
    population = Population(1)
    men = [patient for patient in (population.patient() for _ in range(20)) if patient.sex == "M"]
    assert "MGSCREEN" not in {population.procedure_for(man).code for man in men for _ in range(10)}
    assert Population(1, procedures_by_code(["MGSCREEN"])).procedure_for(men[0]).code == "MGSCREEN"


def test_built_in_procedures_are_a_dozen_and_local_codes():
    assert len({procedure.code for procedure in PROCEDURES}) == 12
    assert not [procedure for procedure in PROCEDURES if procedure.code.isdigit()]
