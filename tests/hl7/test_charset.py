import pytest
from hypothesis import given
from hypothesis import strategies as st

from ris.base.errors import Location, Unsupported
from ris.hl7 import charset

BOM = b"\xef\xbb\xbf"


def message(msh18: str, name: bytes, delimiters: str = "|^~\\&") -> bytes:
    f = delimiters[0]
    header = f"MSH{delimiters}{f}EHR{f}HOSP{f}RIS{f}RAD{f}20260801{f}{f}ADT^A08{f}1{f}P{f}2.5.1{f * 6}{msh18}{f}{f}"
    return header.encode() + b"\rPID|||1||" + name + b"\r"


@pytest.mark.parametrize(
    ("msh18", "codec"),
    [
        ("", None),
        ("ASCII", "ascii"),
        ("ISO IR6", "ascii"),
        ("8859/1", "iso8859-1"),
        ("8859/15", "iso8859-15"),
        ("8859", "iso8859-1"),
        ("iso-8859-1", "iso8859-1"),
        ("ISO8859/2", "iso8859-2"),
        ("8859/12", None),
        ("8859/17", None),
        ("UNICODE", "utf-8"),
        ("UNICODE UTF-8", "utf-8"),
        ("utf8", "utf-8"),
        ("UTF-8^MULTIBYTE", "utf-8"),
        ("UNICODE UTF-16", None),
        ("UNICODE UTF-32", None),
        ("ISO IR87", "iso2022_jp"),
        ("ISOIR87", "iso2022_jp"),
        ("ISO IR159", "iso2022_jp_2"),
        ("~ISO IR87", "iso2022_jp"),
        ("ASCII~ISO IR87~ISO IR159", "iso2022_jp_2"),
        ("ISO IR14", None),
        ("8859/1~8859/2", "iso8859-1"),
        ("nonsense~8859/1", None),
        ("GB 18030-2000", "gb18030"),
        ("KS X 1001", "euc_kr"),
        ("CNS 11643-1992", None),
        ("BIG-5", "big5"),
        ("Shift_JIS", "cp932"),
        ("windows-1252", "cp1252"),
        ("^~^", None),
    ],
)
def test_a_name_of_table_0211_stands_for_a_codec(msh18, codec):
    assert charset.codec_for(msh18) == codec
    if codec is not None:
        "plain".encode(codec)
        assert charset.codec_for(codec) == codec


@pytest.mark.parametrize(
    ("raw", "default", "codec", "name", "mismatch"),
    [
        (message("", b"Smith"), None, "utf-8", "Smith", False),
        (message("", "Zoë".encode()), None, "utf-8", "Zoë", False),
        (message("", "Zoë".encode("latin-1")), None, "cp1252", "Zoë", False),
        (message("", b"\x81\x8d"), None, "latin-1", "\x81\x8d", False),
        (message("", "Łuk".encode("iso8859-2")), "8859/2", "iso8859-2", "Łuk", False),
        (message("", "Łuk".encode("iso8859-2")), "iso8859-2", "iso8859-2", "Łuk", False),
        (message("", "Zoë".encode()), "unheard of", "utf-8", "Zoë", False),
        (message("", "Zoë".encode()), "ascii", "utf-8", "Zoë", False),
        (message("8859/2", "Łuk".encode("iso8859-2")), "utf-8", "iso8859-2", "Łuk", False),
        (message("UNICODE UTF-8", "Zoë".encode("latin-1")), None, "cp1252", "Zoë", True),
        (message("UNICODE UTF-8", "Łuk".encode("iso8859-2")), "8859/2", "iso8859-2", "Łuk", True),
        (message("~ISO IR87", "山田".encode("iso2022_jp")), None, "iso2022_jp", "山田", False),
        (message("~ISO IR87", "山田".encode()), None, "utf-8", "山田", True),
        (message("ASCII", "Zoë".encode()), None, "utf-8", "Zoë", True),
        (message("nonsense", b"Smith"), None, "utf-8", "Smith", True),
        (message("UNICODE UTF-16", b"Smith"), None, "utf-8", "Smith", True),
        (message("GB 18030-2000", "山|田".encode("gb18030")), None, "gb18030", "山|田", False),
        (message("*8859/2", "Łuk".encode("iso8859-2"), "|^*\\&"), None, "iso8859-2", "Łuk", False),
        (BOM + message("", "Zoë".encode()), "8859/1", "utf-8", "Zoë", False),
        (BOM + message("8859/1", "Zoë".encode()), None, "utf-8", "Zoë", True),
        (BOM + message("8859/1", "Zoë".encode("latin-1")), None, "iso8859-1", "Zoë", False),
        (b"\r\n" + message("8859/2", "Łuk".encode("iso8859-2")), None, "iso8859-2", "Łuk", False),
        (b"MSH|^~\\&|EHR\rPID|||1||" + "Zoë".encode("latin-1") + b"\r", None, "cp1252", "Zoë", False),
        (b"PID|||1||Zo\xc3\xab\r", None, "utf-8", "Zoë", False),
    ],
)
def test_the_first_character_set_that_fits_is_used(raw, default, codec, name, mismatch):
    decoded = charset.decode(raw, default)
    assert decoded.codec == codec
    assert decoded.text.endswith(f"PID|||1||{name}\r")
    assert decoded.mismatch is mismatch
    assert not decoded.text.startswith("\ufeff")


def test_what_was_declared_is_told_with_the_delimiters_of_the_standard():
    raw = message("ASCII*ISO IR87%x", b"Smith", "$%*!@").replace(b"\rPID|||1||", b"\rPID$$$1$$")
    assert charset.decode(raw, None).declared == "ASCII~ISO IR87^x"
    assert charset.decode(b"", None).declared == ""
    assert charset.decode(b"MSH", None).declared == ""


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_wide_characters_are_refused(codec):
    with pytest.raises(Unsupported) as refusal:
        charset.decode(message("UNICODE UTF-16", b"Smith").decode().encode(codec), None)
    assert refusal.value.error_code == "102"
    assert refusal.value.location == Location("MSH", field=18)


@given(st.binary(), st.sampled_from(["", "ASCII", "8859/7", "~ISO IR87", "UNICODE UTF-8", "BIG-5", "x"]), st.none() | st.text())
def test_every_byte_is_read(name, msh18, default):
    decoded = charset.decode(message(msh18, name), default)
    assert decoded.text.startswith("MSH|")


@given(st.binary())
def test_whatever_comes_is_read_or_refused_as_too_wide(raw):
    try:
        assert isinstance(charset.decode(raw, None).text, str)
    except Unsupported:
        assert raw.startswith((b"\xff\xfe", b"\xfe\xff", b"\0", b"M\0"))


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_what_utf_8_has_read_is_written_back_byte_for_byte(name):
    raw = message("UNICODE UTF-8", name.encode())
    assert charset.encode(charset.decode(raw, None).text, "utf-8") == (raw, False)


@pytest.mark.parametrize(
    ("text", "codec", "raw", "replaced"),
    [
        ("Zoë", "utf-8", "Zoë".encode(), False),
        ("Zoë", "iso8859-1", b"Zo\xeb", False),
        ("Zoë 山", "iso8859-1", b"Zo\xeb ?", True),
        ("Zoë", "ascii", b"Zo?", True),
        ("a\ud800b", "utf-8", b"a?b", True),
        ("山é", "iso2022_jp", b"\x1b$B;3\x1b(B?", True),
    ],
)
def test_what_a_character_set_does_not_have_becomes_a_question_mark(text, codec, raw, replaced):
    assert charset.encode(text, codec) == (raw, replaced)


@given(st.text(), st.sampled_from(["ascii", "iso8859-2", "iso2022_jp_2", "gb18030", "euc_kr", "big5", "cp932", "utf-8"]))
def test_writing_never_fails_and_reads_back_what_was_not_replaced(text, codec):
    encoded = charset.encode(text, codec)
    if not encoded.replaced and codec in {"ascii", "iso8859-2", "utf-8", "gb18030"}:
        assert encoded.raw.decode(codec) == text


def test_a_codec_that_does_not_exist_is_an_error_of_the_program():
    with pytest.raises(LookupError):
        charset.encode("x", "nonsense")
