"""Bytes as a sender might write them by mistake: pieces of messages in any order, and messages with something put into them."""

from hypothesis import strategies as st

from tests.messages.samples import adt, cancel, merge, message, msh, order, pid, pv1

PIECES = st.sampled_from(
    [b"MSH|^~\\&|", b"MSH", b"|", b"^", b"~", b"&", b"\\", b"\r", b"\n", b"\x0b", b"\x1c\r", b"\x1c", b"PID|1||M1", b"OBX|1|CE|a||b^c",
     b"8859/1", b"ADT^A04", b"2.5.1", b"\xff", b"\\X41\\", b"\\.br\\", b'""', adt("A04", pid(), pv1("V1")), order()]
)  # fmt: skip
BYTES = st.lists(PIECES | st.binary(max_size=12), max_size=30).map(b"".join)

MESSAGES = (
    order(control_id="F1"),
    cancel(control_id="F2"),
    merge("M1", "M2", control_id="F3"),
    adt("A08", pid("M3"), pv1("V3"), "AL1|1|DA|IODINE^Iodine^L|SV|Rash", control_id="F4"),
    message(msh("ORU^R01", "F5"), pid("M4"), "OBR|1|||CREA^Creatinine^L", "OBX|1|NM|2160-0^Creatinine^LN||1.1|mg/dL|||||F|||202611241200"),
)
ODD = st.sampled_from(
    [b"\x00", b"\\X00\\", b"\xed\xa0\x80", b"\\XEDA080\\", b"\xff\xfe", b"9" * 40, b"99999999", b"-1", b"1e999", b"NaN", b"00000000",
     b"20261399", b"\xf0\x9f\x92\x80", b"\x85", b"\xc2\x85", b"\x7f", b'""', b"|" * 30, b"^" * 30, b"~" * 30, b"&" * 30, b"\r", b"'", b"\\"]
)  # fmt: skip


@st.composite
def hurt(draw: st.DrawFn) -> bytes:
    """A message in which some bytes were replaced."""
    raw = draw(st.sampled_from(MESSAGES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        end = start + draw(st.integers(0, 12))
        raw = raw[:start] + draw(ODD | st.binary(max_size=6)) + raw[end:]
    return raw
