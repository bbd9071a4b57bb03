import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from ris.simulator import er7
from ris.simulator.command import receive, send, simulate
from ris.simulator.ledger import Ledger
from ris.simulator.mllp import Client, Receiver

TWO_MESSAGES = b"MSH|^~\\&|EHR|HOSP|RIS|RAD|||ADT^A04|T1|P|2.3.1\nPID|1||M1\nMSH|^~\\&|EHR|HOSP|RIS|RAD|||ADT^A08|T2|P|2.3.1\nPID|1||M1\n"
FAST = ["--rate", "600000", "--listen-port", "0", "--seed", "1"]


@pytest.fixture
def ris():
    with Receiver() as ris:
        yield ris


def run(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@contextmanager
def started(name, *arguments):
    """A command as its own process, unbuffered so that each line can be waited for."""
    program = f"from ris.simulator.command import {name}; {name}()"
    command = [sys.executable, "-u", "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process, pattern):
    for line in process.stdout:
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"the process ended without printing {pattern}")


def test_simulate_prints_a_line_for_each_message_and_a_summary(ris):
    outcome = run(simulate, "--port", ris.port, "--orders", 3, *FAST)
    assert outcome.exit_code == 0
    lines = outcome.output.splitlines()
    assert lines[0].startswith(f"EHR with seed 1: orders to 127.0.0.1:{ris.port}, results on port ")
    sent = [line for line in lines if line.startswith("->")]
    assert len(sent) == len(ris.arrivals)
    assert all(re.fullmatch(r"-> E\d{16} (ADT\^A\d\d|ORM\^O01 (NW|XO|CA)) AA", line) for line in sent)
    assert f"acknowledged      {len(sent):>8}" in lines


def test_simulate_prints_only_the_summary_when_quiet(ris):
    outcome = run(simulate, "--port", ris.port, "--orders", 3, "--quiet", *FAST)
    assert outcome.output.startswith("sent  ")
    assert "->" not in outcome.output


def test_simulate_orders_only_the_given_codes_for_so_many_patients(ris):
    run(simulate, "--port", ris.port, "--orders", 20, "--patients", 2, "--codes", "XRCHEST2, LOCAL1", *FAST)
    read = [er7.read(arrival.payload) for arrival in ris.arrivals]
    assert {er7.component(er7.field(segments, "OBR", 4), 1) for segments in read if er7.named(segments, "OBR")} == {"XRCHEST2", "LOCAL1"}
    assert len({er7.field(segments, "PID", 3) for segments in read}) == 2


def test_simulate_ends_after_so_many_seconds(ris):
    assert run(simulate, "--port", ris.port, "--seconds", "0.05", *FAST).exit_code == 0


def test_simulate_fails_and_says_which_message_was_refused(ris):
    ris.answer = lambda arrival: "AE" if b"ORC|NW" in arrival.payload else "AA"
    outcome = run(simulate, "--port", ris.port, "--orders", 1, *FAST)
    assert outcome.exit_code == 1
    assert re.search(r"MISMATCH: E\d+ \(ORM\^O01 NW\) was refused with AE", outcome.output)


def test_simulate_fails_on_a_result_for_an_unknown_order(ris, tmp_path):
    path = tmp_path / "ehr.jsonl"
    Ledger(path).record_received(b"MSH|^~\\&|RIS|RAD|EHR|HOSP|||ORU^R01|R1|P|2.3.1\rPID|1||M1\rOBR|1|P0^EHR\rOBX|1|TX|||Normal\r")
    outcome = run(simulate, "--port", ris.port, "--orders", 1, "--ledger", path, *FAST)
    assert outcome.exit_code == 1
    assert "MISMATCH: R1 names the placer number P0^EHR, which was never placed" in outcome.output


def test_simulate_keeps_its_account_in_the_file(ris, tmp_path):
    path = tmp_path / "ehr.jsonl"
    run(simulate, "--port", ris.port, "--orders", 2, "--ledger", path, *FAST)
    assert [sent.payload for sent in Ledger(path).sent] == [arrival.payload for arrival in ris.arrivals]


def test_simulate_says_in_one_line_that_its_port_is_taken(ris):
    outcome = run(simulate, "--port", ris.port, "--listen-port", ris.port)
    assert outcome.exit_code == 1
    assert outcome.output.startswith(f"Error: cannot listen on 127.0.0.1:{ris.port}: ")
    assert outcome.output.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_simulate_stops_on_a_signal_and_prints_the_summary(ris, number):
    with started("simulate", "--port", ris.port, "--listen-port", 0, "--rate", "1") as process:
        read_until(process, "^-> ")
        process.send_signal(number)
        output, _ = process.communicate(timeout=20)
    assert re.search(r"^acknowledged +1$", output, re.MULTILINE)
    assert process.returncode == 0


def test_simulate_takes_results_and_prints_them(ris):
    with started("simulate", "--port", ris.port, "--listen-port", 0, "--rate", "1") as process:
        port = int(read_until(process, r"results on port (\d+)")[1])
        with Client("127.0.0.1", port, 10) as client:
            client.send(
                b"MSH|^~\\&|RIS|RAD|EHR|HOSP|||ORU^R01|R1|P|2.3.1\rPID|1||M1\rOBR|1|P0^EHR|||||||||||||||||||||||F\rOBX|1|TX|||Normal\r"
            )
        read_until(process, r"^<- R1 ORU\^R01 F filed")
        process.terminate()
        assert process.wait(20) == 1


def test_simulate_waits_for_the_listener_and_says_so(ris):
    ris.stop()
    with started("simulate", "--port", ris.port, "--listen-port", 0, "--rate", "1") as process:
        read_until(process, f"no connection to 127.0.0.1:{ris.port}.*trying again in 0.5 s")
        with ris.start():
            assert ris.wait_for(1, timeout_s=20)


def test_simulate_can_be_stopped_while_nobody_listens(ris):
    ris.stop()
    with started("simulate", "--port", ris.port, "--listen-port", 0) as process:
        read_until(process, "no connection")
        process.terminate()
        assert process.wait(20) == 0


def test_send_prints_the_answer_to_each_message_of_a_file(ris, tmp_path):
    path = tmp_path / "two.hl7"
    path.write_bytes(TWO_MESSAGES)
    outcome = run(send, path, "--port", ris.port)
    assert outcome.exit_code == 0
    assert outcome.output == f"{path}: T1 ADT^A04: AA\n{path}: T2 ADT^A08: AA\n"
    assert ris.arrivals[0].payload == TWO_MESSAGES.replace(b"\n", b"\r").partition(b"MSH|^~\\&|EHR|HOSP|RIS|RAD|||ADT^A08")[0]


def test_send_fails_when_one_answer_is_not_positive_and_prints_its_text(ris, tmp_path):
    path = tmp_path / "two.hl7"
    path.write_bytes(TWO_MESSAGES)
    ris.answer = lambda arrival: b"MSH|^~\\&\rMSA|AE|T1|who is M1?\r" if arrival.control_id == "T1" else "CA"
    outcome = run(send, path, "--port", ris.port)
    assert outcome.exit_code == 1
    assert outcome.output == f"{path}: T1 ADT^A04: AE who is M1?\n{path}: T2 ADT^A08: CA\n"


def test_send_reads_the_text_of_a_later_version_from_its_error_segment(ris, tmp_path):
    path = tmp_path / "two.hl7"
    path.write_bytes(TWO_MESSAGES)
    ris.answer = lambda arrival: b"MSH|^~\\&\rMSA|AE|T1\rERR||PID^1^3|204^Unknown key identifier^HL70357|E\r"
    assert "T1 ADT^A04: AE Unknown key identifier\n" in run(send, path, "--port", ris.port).output


def test_send_does_not_take_the_answer_to_another_message_for_its_own(ris, tmp_path):
    path = tmp_path / "two.hl7"
    path.write_bytes(TWO_MESSAGES)
    ris.answer = lambda arrival: b"MSH|^~\\&\rMSA|AA|T1\r"
    outcome = run(send, path, "--port", ris.port)
    assert outcome.exit_code == 1
    assert outcome.output.endswith("T2 ADT^A08: AA (in answer to T1)\n")


def test_send_prints_whole_answers_when_asked(ris, tmp_path):
    path = tmp_path / "two.hl7"
    path.write_bytes(TWO_MESSAGES)
    ris.answer = lambda arrival: b"MSH|^~\\&|RIS\rMSA|AA|T1\r"
    assert run(send, path, "--port", ris.port, "--verbose").output.splitlines()[1:3] == ["MSH|^~\\&|RIS", "MSA|AA|T1"]


def test_send_says_in_one_line_that_a_file_holds_no_hl7_and_sends_the_others(ris, tmp_path):
    path, other = tmp_path / "letter.txt", tmp_path / "two.hl7"
    path.write_text("Dear colleague")
    other.write_bytes(TWO_MESSAGES)
    outcome = run(send, path, other, "--port", ris.port)
    assert outcome.exit_code == 1
    assert outcome.output.splitlines()[0] == f"{path}: no HL7 message in this file"
    assert len(ris.arrivals) == 2


def test_send_says_in_one_line_that_nobody_listens(ris, tmp_path):
    path = tmp_path / "one.hl7"
    path.write_bytes(b"MSH|^~\\&|EHR|HOSP|RIS|RAD|||ADT^A04|T1|P|2.3.1\r")
    ris.stop()
    outcome = run(send, path, "--port", ris.port)
    assert outcome.exit_code == 1
    assert outcome.output.startswith(f"{path}: T1 ADT^A04: no answer from 127.0.0.1:{ris.port}: ")
    assert outcome.output.count("\n") == 1


def test_receive_prints_one_segment_a_line_and_answers_as_told():
    with started("receive", "--port", 0, "--answer", "AE") as process:
        port = int(read_until(process, r"listening on 127.0.0.1:(\d+), answering AE")[1])
        with Client("127.0.0.1", port, 10) as client:
            assert b"MSA|AE|T1" in client.send(TWO_MESSAGES.partition(b"MSH|^~\\&|EHR|HOSP|RIS|RAD|||ADT^A08")[0])
        process.terminate()
        output, _ = process.communicate(timeout=20)
    heading, msh, pid, *_ = output.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d connection 1, \d+ bytes", heading)
    assert (msh, pid) == ("MSH|^~\\&|EHR|HOSP|RIS|RAD|||ADT^A04|T1|P|2.3.1", "PID|1||M1")
    assert output.endswith("1 messages received\n")
    assert process.returncode == 0


def test_receive_says_in_one_line_that_its_port_is_taken(ris):
    outcome = run(receive, "--port", ris.port)
    assert outcome.exit_code == 1
    assert outcome.output.startswith("Error: cannot listen on ")
