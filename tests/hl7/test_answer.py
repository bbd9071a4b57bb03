"""Which acknowledgements go back: every pair of MSH-15 and MSH-16 with every end that a message can have; responses to orders."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ris.base.errors import Invalid, RisError, Unavailable, Unsupported
from ris.bootstrap import Ris
from ris.hl7 import ack, answer
from ris.hl7.intake import Intake
from ris.hl7.mllp import BETWEEN
from ris.settings import Mllp
from tests.factories.hospital import Hospital
from tests.hl7.asking import PLACE, accept, agree, counts, journal, order_of, rows
from tests.hl7.listening import Peer, listening
from tests.messages.samples import cancel, message, msh, obr, orc, order, orm, pid

ENDS: dict[str, RisError | None] = {
    "applied": None,
    "wrong content": Invalid("no"),
    "wrong header": Unsupported("no"),
    "not stored": Unavailable("no"),
}
# MSH-15, MSH-16: what goes back when it is applied, its content is wrong, its header is wrong, it could not be stored.
TABLE = {
    ("", ""): ("AA", "AE", "AR", "AE"),
    ("XX", "?"): ("AA", "AE", "AR", "AE"),
    ("NE", "NE"): ("", "", "", ""),
    ("AL", "NE"): ("CA", "CE", "CR", "CE"),
    ("AL", ""): ("CA", "CE", "CR", "CE"),
    ("ER", "NE"): ("", "CE", "CR", "CE"),
    ("SU", "NE"): ("CA", "", "", ""),
    ("NE", "AL"): ("AA", "AE", "AR", "AE"),
    ("", "AL"): ("AA", "AE", "AR", "AE"),
    ("NE", "ER"): ("", "AE", "AR", "AE"),
    ("NE", "SU"): ("AA", "", "", ""),
    ("AL", "AL"): ("CA AA", "CA AE", "CR", "CE"),
    ("AL", "ER"): ("CA", "CA AE", "CR", "CE"),
    ("AL", "SU"): ("CA AA", "CA", "CR", "CE"),
    ("ER", "AL"): ("AA", "AE", "CR", "CE"),
    ("ER", "ER"): ("", "AE", "CR", "CE"),
    ("ER", "SU"): ("AA", "", "CR", "CE"),
    ("SU", "AL"): ("CA AA", "CA AE", "", ""),
    ("SU", "ER"): ("CA", "CA AE", "", ""),
    ("SU", "SU"): ("CA AA", "CA", "", ""),
}
CASES = [(pair, end, codes) for pair, row in TABLE.items() for end, codes in zip(ENDS, row, strict=True)]


def header(accept_type: str, application_type: str, control_id: str = "X1") -> ack.Header:
    return ack.header(rf"MSH|^~\&|EHR|HOSP|RIS|RAD|1||ORM^O01|{control_id}|P|2.5.1|||{accept_type}|{application_type}".encode())


def enhanced(raw: bytes, accept_type: str, application_type: str) -> bytes:
    """The message with MSH-15 and MSH-16."""
    head, rest = raw.split(b"\r", 1)
    fields = head.split(b"|")
    return b"|".join([*fields[:14], accept_type.encode(), application_type.encode(), *fields[16:]]) + b"\r" + rest


@pytest.mark.parametrize(("pair", "end", "codes"), CASES)
def test_the_header_says_which_acknowledgements_go_back(pair: tuple[str, str], end: str, codes: str) -> None:
    assert " ".join(answer.codes(header(*pair), ENDS[end])) == codes


@pytest.mark.parametrize("pair", TABLE)
def test_a_partner_that_fills_the_header_and_expects_one_answer_gets_one(pair: tuple[str, str]) -> None:
    assert [answer.codes(header(*pair), end, always_original=True) for end in ENDS.values()] == [("AA",), ("AE",), ("AR",), ("AE",)]


def test_without_a_control_id_the_answer_is_never_positive_nor_about_the_content() -> None:
    assert answer.codes(header("", "", ""), ENDS["wrong content"]) == ("AR",)
    assert answer.codes(header("AL", "AL", ""), ENDS["wrong content"]) == ("CR",)


ON_SQLITE = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
"""For what the database has no part in."""


# ── through the intake ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def house(hospital: Hospital) -> Hospital:
    return hospital


def take(ris: Ris, *messages: bytes) -> list[bytes | None]:
    return Intake(ris).take([(one, PLACE) for one in messages])


@contextmanager
def connected(ris: Ris, max_bytes: int = 1_000_000) -> Iterator[Peer]:
    other = Ris(ris.settings.model_copy(update={"mllp": Mllp(port=0, max_bytes=max_bytes)}))
    with listening(other) as port, Peer(port) as peer:
        yield peer
    other.close()


def lines(payload: bytes) -> dict[str, list[str]]:
    return {line[:3]: line.split("|") for line in payload.decode().split("\r") if line}


@pytest.mark.usefixtures("house")
def test_an_accepted_order_is_committed_first_and_then_answered_by_a_message_of_its_own(ris: Ris) -> None:
    one = enhanced(order(control_id="X1"), "AL", "AL")
    (payload,) = take(ris, one)
    accepted, applied = map(lines, payload.split(BETWEEN))
    assert (accepted["MSA"][1:3], applied["MSA"][1:3]) == (["CA", "X1"], ["AA", "X1"])
    assert accepted["MSH"][9] != applied["MSH"][9]
    assert applied["MSH"][14:16] == ["NE", "NE"]
    assert take(ris, one) == [payload]
    assert journal(ris) == [("applied", "AA"), ("repeated", "AA")]
    assert counts(ris)["imaging_order"] == 1


@ON_SQLITE
@pytest.mark.usefixtures("house")
def test_a_sender_that_wants_no_answer_gets_none_and_its_connection_lives(ris: Ris) -> None:
    silent = enhanced(order("P1^EHR"), "NE", "NE")
    with connected(ris) as peer:
        peer.send(silent, silent, order("P2^EHR", control_id="X2"))
        assert lines(peer.answer())["MSA"][1:3] == ["AA", "X2"]
        peer.send(enhanced(order("P3^EHR", control_id="X3"), "AL", "AL"))
        assert [lines(peer.answer())["MSA"][1:3] for _ in range(2)] == [["CA", "X3"], ["AA", "X3"]]
    assert journal(ris)[:2] == [("applied", ""), ("repeated", "")]
    assert counts(ris)["imaging_order"] == 3


@pytest.mark.usefixtures("house")
def test_after_a_negative_commit_the_same_bytes_are_tried_anew(ris: Ris) -> None:
    one = enhanced(cancel(control_id="X1"), "AL", "NE")
    assert lines(take(ris, one)[0])["MSA"][1] == "CE"
    accept(ris, order())
    assert lines(take(ris, one)[0])["MSA"][1] == "CA"
    unknown = enhanced(message(msh("ZZZ^Z01", "X2")), "AL", "NE")
    assert [lines(payload)["MSA"][1] for payload in take(ris, unknown, unknown)] == ["CR", "CR"]


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(("pair", "code"), [(("", ""), "AE"), (("AL", "AL"), "CE"), (("AL", "NE"), "CE"), (("NE", "AL"), "AE")])
def test_what_cannot_be_stored_is_never_called_accepted(pair: tuple[str, str], code: str, ris: Ris) -> None:
    one = enhanced(order(), *pair)
    with ris.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE message RENAME TO message_away")
    (payload,) = take(ris, one)
    assert lines(payload)["MSA"][1] == code
    with ris.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE message_away RENAME TO message")
    assert counts(ris)["imaging_order"] == 0
    assert lines(take(ris, one)[0].split(BETWEEN)[-1])["MSA"][1] in ("AA", "CA")


@ON_SQLITE
@pytest.mark.usefixtures("house")
def test_a_sender_that_wants_no_answer_is_hung_up_on_when_its_message_cannot_be_stored(ris: Ris) -> None:
    assert answer.answer(header("NE", "NE"), Unavailable("no"), ris.clock()).payload == b""
    assert answer.answer(header("NE", "NE"), Invalid("no"), ris.clock()).payload is None


@ON_SQLITE
def test_a_partner_may_agree_on_one_answer_whatever_it_writes(ris: Ris, house: Hospital) -> None:
    agree(ris, house, acknowledgement_mode="original")
    assert lines(take(ris, enhanced(order(), "AL", ""))[0])["MSA"][1] == "AA"


@ON_SQLITE
def test_a_partner_with_release_2_gets_the_commit_block_first(ris: Ris, house: Hospital) -> None:
    agree(ris, house, mllp_release=2)
    silent = enhanced(order("P2^EHR", control_id="X2"), "NE", "NE")
    with connected(ris) as peer:
        peer.send(order("P1^EHR", control_id="X1"), silent, silent, cancel("P9^EHR", control_id="X3"))
        answers = [peer.answer() for _ in range(6)]
    assert [a if len(a) == 1 else lines(a)["MSA"][1:3] for a in answers] == [
        b"\x06", ["AA", "X1"], b"\x06", b"\x06", b"\x06", ["AE", "X3"],
    ]  # fmt: skip
    assert answer.Answer(b"", "").with_commit(is_stored=False).payload == b"\x15"


@ON_SQLITE
@pytest.mark.usefixtures("house")
def test_an_acknowledgement_of_our_own_answer_is_not_answered(ris: Ris) -> None:
    (payload,) = take(ris, enhanced(order(), "AL", "AL"))
    own = lines(payload.split(BETWEEN)[1])["MSH"][9]
    assert take(ris, message(msh("ACK"), f"MSA|CA|{own}")) == [None]
    assert take(ris, message(msh("ACK"), "MSA|CA|SOMETHING"))[0] is not None


# ── the response to orders ───────────────────────────────────────────────────────────────────────────────────────────


@ON_SQLITE
@pytest.mark.parametrize(
    ("kind", "response"), [("ORM^O01", "ORR^O02^ORR_O02"), ("OMG^O19", "ORG^O20^ORG_O20"), ("OMI^O23", "ORI^O24^ORI_O24")]
)
def test_an_order_is_answered_with_our_numbers_where_agreed(kind: str, response: str, ris: Ris, house: Hospital) -> None:
    agree(ris, house, order_response="response")
    (payload,) = take(ris, message(msh(kind), pid(), orc("SN", "P1^EHR"), obr("P1^EHR"), obr("P1^EHR", "MRBRAIN^MR^L")))
    answered = lines(payload)
    with ris.read() as session:
        placed = order_of(session)
    assert answered["MSH"][8] == response
    assert answered["ORC"][1:4] == ["NA", "P1^EHR", f"{placed.filler_number}^RIS"]
    accessions = [line.split("|")[18] for line in payload.decode().split("\r") if line.startswith("OBR")]
    assert accessions == [procedure.accession_number for procedure in placed.procedures]


@ON_SQLITE
@pytest.mark.parametrize(
    ("control", "done", "unable"),
    [("NW", "OK", "UA"), ("XO", "XR", "UX"), ("CA", "CR", "UC"), ("DC", "DR", "UD"), ("HD", "HR", "UH"), ("RL", "OR", "UR")],
)
def test_every_control_has_its_own_yes_and_no(control: str, done: str, unable: str, ris: Ris, house: Hospital) -> None:
    agree(ris, house, order_response="response")
    accept(ris, order())
    (yes,) = take(ris, orm(pid(), orc(control, "P1^EHR"), obr("P1^EHR")))
    (no,) = take(ris, orm(pid("M2"), orc(control, "P1^EHR"), obr("P1^EHR")))
    assert (lines(yes)["MSA"][1], lines(yes)["ORC"][1]) == ("AA", done)
    assert (lines(no)["MSA"][1], lines(no)["ERR"][3][:3], lines(no)["ORC"][1:3]) == ("AE", "205", [unable, "P1^EHR"])


@ON_SQLITE
def test_other_messages_are_acknowledged_as_ever(ris: Ris, house: Hospital) -> None:
    agree(ris, house, order_response="response")
    (payload,) = take(ris, message(msh("ADT^A04^ADT_A01"), pid()))
    assert lines(payload)["MSH"][8] == "ACK^A04^ACK"


# ── messages that are too long ───────────────────────────────────────────────────────────────────────────────────────


@ON_SQLITE
@pytest.mark.usefixtures("house")
def test_a_message_that_is_too_long_stands_in_the_journal_with_its_beginning(ris: Ris) -> None:
    long = order(control_id="X1") + b"NTE|1||" + b"x" * 30_000 + b"\r"
    with connected(ris, max_bytes=20_000) as peer:
        assert lines(peer.exchange(long))["MSA"][1:3] == ["AR", "X1"]
    assert journal(ris) == [("refused", "AR")]
    ((control_id, size, error),) = rows(ris, "SELECT control_id, length(raw), error FROM message")
    assert (control_id, size) == ("X1", 1024)
    assert error.startswith("207")
