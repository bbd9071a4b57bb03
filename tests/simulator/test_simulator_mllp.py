import json
import socket
import threading
from contextlib import closing, contextmanager

import pytest

from ris.simulator import er7
from ris.simulator.mllp import Client, Deframer, NoAnswer, Receiver

ORDER = b"MSH|^~\\&|EHR|HOSP|RIS|RAD|20260801084500+0000||ORM^O01^ORM_O01|O1|P|2.3.1\rPID|1||M1^^^HOSP^MR\r"


def result(control_id):
    return ORDER.replace(b"ORM^O01^ORM_O01|O1", b"ORU^R01^ORU_R01|" + control_id)


@contextmanager
def peer(script):
    """Listens, runs the script on each connection that comes, and hangs up after it."""

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                script(connection)

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def read_frame(connection):
    received = b""
    while not received.endswith(b"\x1c\r"):
        chunk = connection.recv(4096)
        if not chunk:
            return b""
        received += chunk
    return received[1:-2]


def answer_with(acknowledgement):
    def script(connection):
        while read_frame(connection):
            connection.sendall(acknowledgement)

    return script


def test_client_returns_the_payload_of_the_acknowledgement():
    with peer(answer_with(b"\x0bMSH|^~\\&\rMSA|AA|O1\r\x1c\r")) as port, Client("127.0.0.1", port, 5) as client:
        assert client.send(ORDER) == b"MSH|^~\\&\rMSA|AA|O1\r"


def test_client_sends_text_as_utf_8_in_one_frame():
    frames = []

    def script(connection):
        frames.append(connection.recv(4096))
        connection.sendall(b"\x0bACK\x1c\r")

    with peer(script) as port, Client("127.0.0.1", port, 5) as client:
        client.send("MSH|García\r")
    assert frames == ["\x0bMSH|García\r\x1c\r".encode()]


def test_client_puts_an_answer_together_that_comes_in_pieces():
    def script(connection):
        read_frame(connection)
        for piece in (b"\x0bMS", b"A|AA", b"|O1\x1c", b"\r"):
            connection.sendall(piece)

    with peer(script) as port, Client("127.0.0.1", port, 5) as client:
        assert client.send(ORDER) == b"MSA|AA|O1"


def test_client_says_no_answer_when_the_peer_hangs_up():
    with peer(read_frame) as port, Client("127.0.0.1", port, 5) as client, pytest.raises(NoAnswer, match="closed"):
        client.send(ORDER)


def test_client_says_no_answer_when_nobody_listens():
    with peer(read_frame) as port:
        pass
    with pytest.raises(NoAnswer, match="refused"):
        Client("127.0.0.1", port, 5).send(ORDER)


def test_client_says_no_answer_when_time_is_up():
    def script(connection):
        while read_frame(connection):
            pass

    with peer(script) as port, Client("127.0.0.1", port, 0.05) as client, pytest.raises(NoAnswer, match="timed out"):
        client.send(ORDER)


def test_client_does_not_wait_longer_for_a_peer_that_drips():
    dripped = threading.Event()

    def script(connection):
        read_frame(connection)
        try:
            while not dripped.wait(0.01):
                connection.sendall(b"x")
        except OSError:
            return

    with peer(script) as port, Client("127.0.0.1", port, 0.1) as client:
        with pytest.raises(NoAnswer, match="timed out"):
            client.send(ORDER)
        dripped.set()


def test_client_takes_a_new_connection_after_a_lost_answer():
    connections = []

    def script(connection):
        connections.append(read_frame(connection))
        if len(connections) > 1:
            connection.sendall(b"\x0bMSA|AA|O1\x1c\r")

    with peer(script) as port, Client("127.0.0.1", port, 5) as client:
        with pytest.raises(NoAnswer):
            client.send(ORDER)
        assert client.send(ORDER) == b"MSA|AA|O1"
    assert connections == [ORDER, ORDER]


@pytest.mark.parametrize(
    ("stream", "payloads"),
    [
        (b"\x0bA\x1c\r\x0bB\x1c\r", [b"A", b"B"]),
        (b"noise\r\n\x00\x0bA\x1c\r", [b"A"]),
        (b"\x0blost its end\x0bA\x1c\r", [b"A"]),
        (b"\x0bA\x1cB\x1c\r", [b"A\x1cB"]),
        (b"no start\x1c\r\x0bA\x1c\r", [b"A"]),
        (b"\x0bnot yet whole\x1c", []),
    ],
)
def test_frames_are_cut_out_of_a_stream_however_it_is_sliced(stream, payloads):
    assert Deframer().feed(stream) == payloads
    deframer = Deframer()
    assert [payload for n in range(len(stream)) for payload in deframer.feed(stream[n : n + 1])] == payloads


@pytest.mark.parametrize("code", ["AA", "AE", "AR"])
def test_receiver_answers_with_the_code_it_is_told_and_the_control_id_of_the_message(code):
    with Receiver(answer=code) as receiver, Client("127.0.0.1", receiver.port, 5) as client:
        answer = er7.read(client.send(ORDER))
    assert (answer[1][1], answer[1][2]) == (code, "O1")
    assert answer[0][3:7] == ["RIS", "RAD", "EHR", "HOSP"]
    assert answer[0][9] == "ACK^O01^ACK"


def test_receiver_never_accepts_what_has_no_control_id():
    with Receiver() as receiver, Client("127.0.0.1", receiver.port, 5) as client:
        assert er7.field(er7.read(client.send(b"GET / HTTP/1.1\r")), "MSA", 1) == "AR"


def test_receiver_answers_in_the_separators_of_the_message():
    with Receiver() as receiver, Client("127.0.0.1", receiver.port, 5) as client:
        assert client.send(b"MSH#*~\\&#A#B#C#D###ADT#X1#P#2.3.1\r").split(b"\r")[1] == b"MSA#AA#X1#"


def test_receiver_keeps_bytes_control_id_and_connection_of_all_that_arrives():
    with Receiver() as receiver:
        with Client("127.0.0.1", receiver.port, 5) as client:
            client.send(ORDER)
        with Client("127.0.0.1", receiver.port, 5) as client:
            client.send(result(b"R1"))
        assert receiver.wait_for(2, timeout_s=5)
    first, second = receiver.arrivals
    assert (first.payload, first.control_id, second.control_id) == (ORDER, "O1", "R1")
    assert first.connection != second.connection
    assert first.at <= second.at


def test_receiver_can_be_told_to_answer_otherwise_while_it_runs():
    with Receiver() as receiver, Client("127.0.0.1", receiver.port, 5) as client:
        assert b"MSA|AA" in client.send(ORDER)
        receiver.answer = "AE"
        assert b"MSA|AE" in client.send(ORDER)
        receiver.answer = lambda arrival: "AR" if arrival.control_id == "O1" else "AA"
        assert b"MSA|AR" in client.send(ORDER)
        receiver.answer = lambda arrival: b"MSH|^~\\&\rMSA|AA|another\r"
        assert b"another" in client.send(ORDER)


def test_receiver_that_gives_no_answer_keeps_the_message_all_the_same():
    with Receiver(answer="none") as receiver, Client("127.0.0.1", receiver.port, 0.05) as client:
        with pytest.raises(NoAnswer):
            client.send(ORDER)
        assert receiver.wait_for(1, timeout_s=5)


def test_receiver_that_hangs_up_keeps_the_message_all_the_same():
    with Receiver(answer="close") as receiver, Client("127.0.0.1", receiver.port, 5) as client:
        with pytest.raises(NoAnswer, match="closed"):
            client.send(ORDER)
        assert receiver.wait_for(1, timeout_s=5)


def test_late_answer_comes_in_the_end():
    with Receiver(answer="late", late_s=0.1) as receiver, Client("127.0.0.1", receiver.port, 5) as client:
        with closing(socket.create_connection(("127.0.0.1", receiver.port))) as impatient:
            impatient.settimeout(0.02)
            impatient.sendall(b"\x0b" + ORDER + b"\x1c\r")
            with pytest.raises(TimeoutError):
                impatient.recv(100)
        assert b"MSA|AA|O1" in client.send(ORDER)


def test_stopping_does_not_wait_for_a_late_answer():
    with Receiver(answer="late", late_s=600) as receiver, Client("127.0.0.1", receiver.port, 0.05) as client:
        with pytest.raises(NoAnswer):
            client.send(ORDER)
        receiver.wait_for(1, timeout_s=5)


def test_receiver_takes_the_same_port_again_and_remembers():
    receiver = Receiver().start()
    port = receiver.port
    with Client("127.0.0.1", port, 5) as client:
        client.send(ORDER)
        receiver.stop()
        with pytest.raises(NoAnswer):
            client.send(ORDER)
        with pytest.raises(NoAnswer, match="refused"):
            client.send(ORDER)
        with receiver.start():
            assert receiver.port == port
            client.send(result(b"R2"))
    assert [arrival.control_id for arrival in receiver.arrivals] == ["O1", "R2"]


def test_receiver_can_hang_up_and_go_on_listening():
    with Receiver() as receiver, Client("127.0.0.1", receiver.port, 5) as client:
        client.send(ORDER)
        receiver.hang_up()
        with pytest.raises(NoAnswer):
            client.send(ORDER)
        client.send(ORDER)


def test_waiting_ends_when_the_predicate_holds_or_time_is_up():
    with Receiver() as receiver, Client("127.0.0.1", receiver.port, 5) as client:
        client.send(ORDER)
        assert receiver.wait_for(lambda arrivals: arrivals[0].control_id == "O1", timeout_s=5)
        assert not receiver.wait_for(2, timeout_s=0.01)


def test_message_is_on_disk_before_it_is_answered(tmp_path):
    path = tmp_path / "arrivals.jsonl"
    with Receiver(path=path) as receiver, Client("127.0.0.1", receiver.port, 5) as client:
        client.send(b"MSH|^~\\&|\xff|HOSP|RIS|RAD|||ORU|R9|P|2.3.1\r")
        assert json.loads(path.read_text())["control_id"] == "R9"


def test_receiver_carries_on_from_its_file_and_forgets_a_line_cut_short(tmp_path):
    path = tmp_path / "arrivals.jsonl"
    with Receiver(path=path) as receiver, Client("127.0.0.1", receiver.port, 5) as client:
        client.send(ORDER)
    with path.open("a") as file:
        file.write('{"connection": 2, "control_id": "ne')
    with Receiver(path=path) as again, Client("127.0.0.1", again.port, 5) as client:
        client.send(result(b"R3"))
    assert [arrival.payload for arrival in Receiver(path=path).arrivals] == [ORDER, result(b"R3")]


def test_file_with_frames_batches_or_bare_messages_is_split_at_each_header():
    bare = er7.messages_in(b"MSH|^~\\&|A\nPID|1\n\nMSH|^~\\&|B\nPID|2\n")
    framed = er7.messages_in(b"\x0bMSH|^~\\&|A\rPID|1\r\x1c\r\x0bMSH|^~\\&|B\rPID|2\r\x1c\r")
    batch = er7.messages_in(b"FHS|x\r\nBHS|x\r\nMSH|^~\\&|A\r\nPID|1\r\nMSH|^~\\&|B\r\nPID|2\r\nBTS|2\r\nFTS|1\r\n")
    assert bare == framed == batch == [b"MSH|^~\\&|A\rPID|1\r", b"MSH|^~\\&|B\rPID|2\r"]


def test_file_without_hl7_holds_no_message():
    assert er7.messages_in(b"MSHAPED like a message\nbut none\n") == []


def test_escaped_text_comes_back_as_it_was():
    text = "a|b^c&d~e\\f\ng"
    assert er7.unescape(er7.escape(text)) == text
    assert er7.escape(text) == "a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f\\.br\\g"


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("20260801160000+0200", "2026-08-01T14:00:00"),
        ("20260801160000.1234-0500", "2026-08-01T21:00:00"),
        ("202608011600+0000", "2026-08-01T16:00:00"),
    ],
)
def test_times_are_read_with_their_offset(written, utc):
    moment = er7.moment(written)
    assert moment is not None
    assert f"{moment.timestamp():.0f}" == f"{er7.moment(utc.replace('-', '').replace('T', '').replace(':', '') + '+0000').timestamp():.0f}"


@pytest.mark.parametrize("written", ["", "yesterday", "20261399", "2026"])
def test_time_that_cannot_be_read_is_none(written):
    assert er7.moment(written) is None
