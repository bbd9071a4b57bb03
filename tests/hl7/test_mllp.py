import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ris.hl7.mllp import CR, FS, VT, Commit, Frame, Framer, Oversized, Partial, frame

MESSAGE = b"MSH|^~\\&|EHR\rPID|||1\r"


def fed(*reads: bytes, max_bytes: int = 100) -> list[object]:
    framer = Framer(max_bytes)
    return [item for read in reads for item in framer.feed(read)]


@pytest.mark.parametrize(
    ("stream", "items"),
    [
        (frame(MESSAGE), [Frame(MESSAGE)]),
        (frame(b"1") + frame(b"2") + frame(b"3"), [Frame(b"1"), Frame(b"2"), Frame(b"3")]),
        (b"GET / HTTP/1.1\r\n\r\n" + frame(b"1"), [Frame(b"1")]),
        (b"\r\n\x00" + frame(b"1") + b"\x00\r\n" + frame(b"2"), [Frame(b"1"), Frame(b"2")]),
        (FS + CR + frame(b"1"), [Frame(b"1")]),
        (VT + b"lost" + frame(b"1"), [Partial(b"lost", 4), Frame(b"1")]),
        (VT + VT + frame(b"1"), [Frame(b"1")]),
        (frame(b"1")[:-1] + frame(b"2"), [Frame(b"1"), Frame(b"2")]),
        (VT + b"a" + FS + b"b" + FS + FS + CR, [Frame(b"a" + FS + b"b" + FS)]),
        (VT + FS + CR, [Frame(b"")]),
        (frame(b"\x06") + frame(b"\x15"), [Commit(accepted=True), Commit(accepted=False)]),
        (VT + MESSAGE + FS, []),
        (VT + MESSAGE, []),
        (MESSAGE, []),
        (frame(b"x" * 100), [Frame(b"x" * 100)]),
        (frame(b"x" * 101) + frame(b"1"), [Oversized(b"x" * 101), Frame(b"1")]),
        (VT + b"x" * 101, [Oversized(b"x" * 101)]),
        (VT + b"x" * 101 + frame(b"1"), [Oversized(b"x" * 101), Frame(b"1")]),
        (VT + b"x" * 100 + FS, []),
        (VT + b"x" * 100 + FS + frame(b"1"), [Frame(b"x" * 100), Frame(b"1")]),
        (VT + b"x" * 200 + FS + b"y" + FS + CR + frame(b"1"), [Oversized(b"x" * 101), Frame(b"1")]),
    ],
)
def test_messages_are_found_in_the_stream_in_one_read_or_byte_by_byte(stream, items):
    def shortened(found: list[object]) -> list[object]:
        return [Oversized(item.head[:101]) if isinstance(item, Oversized) else item for item in found]

    assert shortened(fed(stream)) == items
    assert shortened(fed(*(stream[i : i + 1] for i in range(len(stream))))) == items


PIECES = st.sampled_from([VT, FS, CR, FS + CR, b"\n", b"\x00", b"\x06", b"a", b"bc", b"x" * 9, frame(b"ok"), frame(b"y" * 11)])


@given(st.lists(PIECES, max_size=25).map(b"".join), st.lists(st.integers(0, 60), max_size=12))
def test_however_the_stream_is_split_the_same_messages_come_out(stream, cuts):
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reads = [stream[start:end] for start, end in itertools.pairwise(places)]

    def kinds(items: list[object]) -> list[object]:
        # How much of an oversized message had come when the limit was passed is no matter of the stream.
        return [Oversized if isinstance(item, Oversized) else item for item in items]

    whole, split = Framer(10), Framer(10)
    assert kinds(whole.feed(stream)) == kinds([item for read in reads for item in split.feed(read)])
    assert whole.skipped == split.skipped
    assert whole.is_inside == split.is_inside
    assert whole.settle() == split.settle()


@given(st.lists(st.binary(max_size=40).map(lambda payload: payload.replace(VT, b"").replace(FS, b"")), max_size=6))
def test_what_is_framed_comes_out_again(payloads):
    payloads = [payload for payload in payloads if payload not in {b"\x06", b"\x15"}]
    assert fed(b"".join(map(frame, payloads))) == [Frame(payload) for payload in payloads]


@pytest.mark.parametrize("payload", [b"a\x0bb", b"a\x1c\rb", b"a\x1c"])
def test_what_would_break_the_framing_is_not_framed(payload):
    with pytest.raises(ValueError, match="VT or FS"):
        frame(payload)


def test_skipped_bytes_are_counted_without_the_usual_noise():
    framer = Framer(100)
    framer.feed(b"HELO\r\n\x00")
    framer.feed(b"x" + frame(b"1") + b"\r\n" + b"tail")
    assert framer.skipped == len(b"HELO" + b"x" + b"tail")


def test_an_oversized_message_is_told_at_once_by_its_beginning():
    framer = Framer(2000)
    assert framer.feed(VT + MESSAGE) == []
    assert framer.feed(b"x" * 2000) == [Oversized((MESSAGE + b"x" * 2000)[:1024])]
    assert framer.feed(b"x" * 2000) == []
    assert framer.feed(FS + CR + frame(b"1")) == [Frame(b"1")]


def test_the_rest_of_an_oversized_message_is_not_held():
    framer = Framer(10)
    framer.feed(VT + b"x" * 11)
    for _ in range(100):
        framer.feed(b"x" * 1000 + FS)
        assert len(framer._buffer) <= 1
    assert framer.feed(CR + frame(b"1")) == [Frame(b"1")]


def test_a_trailer_without_its_cr_is_taken_when_nothing_more_comes():
    framer = Framer(100)
    assert framer.settle() is None
    framer.feed(VT + b"1")
    assert framer.settle() is None
    framer.feed(FS)
    assert framer.is_inside
    assert framer.settle() == Frame(b"1")
    assert not framer.is_inside
    assert framer.settle() is None
    assert framer.feed(CR + frame(b"2")) == [Frame(b"2")]
    assert framer.skipped == 0


def test_an_oversized_message_without_its_cr_is_left_when_nothing_more_comes():
    framer = Framer(10)
    assert framer.feed(VT + b"x" * 11 + FS) == [Oversized(b"x" * 11 + FS)]
    assert framer.is_inside
    assert framer.settle() is None
    assert not framer.is_inside
    assert framer.feed(b"junk" + frame(b"1")) == [Frame(b"1")]


@pytest.mark.parametrize(
    ("stream", "read"),
    [
        (frame(b"x" * 5_000_000), 5_000_000),
        (frame(b"x" * 5_000_000), 4096),
        (frame(b"x" * 200_000), 1),
        (VT * 200_000, 200_000),
        ((VT + b"x") * 200_000, 400_000),
        (VT + FS * 1_000_000, 1_000_000),
        (frame(b"x") * 100_000, 400_000),
        (b"x" * 5_000_000, 4096),
    ],
)
def test_no_stream_takes_more_than_linear_time(stream, read):
    framer = Framer(10_000_000)
    started = time.process_time()
    for i in range(0, len(stream), read):
        framer.feed(stream[i : i + read])
    # Quadratic work on any of these takes minutes.
    assert time.process_time() - started < 5
