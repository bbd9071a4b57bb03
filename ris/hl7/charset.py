"""Character sets: which Python codec the name in MSH-18 stands for, and what to do with bytes that do not keep to it."""

import re
from functools import lru_cache
from typing import NamedTuple

from ris.base.errors import Location, Unsupported

_HEAD_BYTES = 4096
_UTF8_BOM = b"\xef\xbb\xbf"
_WIDE_STARTS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff", b"M\x00S\x00H\x00", b"\x00M\x00S\x00H", b"M\x00\x00\x00S", b"\x00\x00\x00M")
_ISO_2022 = ("iso2022_jp_2", "iso2022_jp")

_CODECS = {
    "ASCII": "ascii",
    "USASCII": "ascii",
    "ISOIR6": "ascii",
    "8859": "iso8859-1",
    **{f"8859{part}": f"iso8859-{part}" for part in range(1, 17) if part != 12},
    "ISOIR87": "iso2022_jp",
    "ISO2022JP": "iso2022_jp",
    "ISOIR159": "iso2022_jp_2",
    "ISO2022JP2": "iso2022_jp_2",
    "ISOIR100": "iso8859-1",
    "ISOIR192": "utf-8",
    "LATIN1": "iso8859-1",
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "KSX1001": "euc_kr",
    "EUCKR": "euc_kr",
    "BIG5": "big5",
    "SHIFTJIS": "cp932",
    "SJIS": "cp932",
    "CP932": "cp932",
    "UNICODE": "utf-8",
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "CP1252": "cp1252",
    "WINDOWS1252": "cp1252",
}
"""Table 0211 without blanks and punctuation, then the names that Python and careless senders use for the same sets."""


class Decoded(NamedTuple):
    """A message as text, and how it was read."""

    text: str
    codec: str
    """The codec that was used; the answer goes out in it."""
    declared: str
    """MSH-18, with the standard's delimiters."""
    mismatch: bool
    """The bytes are not what MSH-18 says, or MSH-18 says something unknown. An empty MSH-18 says nothing."""


class Encoded(NamedTuple):
    raw: bytes
    replaced: bool
    """Something could not be written in this character set and became a question mark."""


def codec_for(msh18: str) -> str | None:
    """The Python codec for MSH-18 with all its repetitions (HL7 v2.5.1 ch. 2.15.9.18, table 0211), None if there is none.

    The first repetition is the set that a message begins in. Japanese sets among the others are switched to by escape
    sequences, which the codec of that set follows. Case, blanks, punctuation and surplus components do not matter,
    and a codec that this function has returned is known to it as well. Sets without a codec in Python (ISO IR14, CNS 11643-1992) and the
    sets that MLLP cannot carry (UTF-16, UTF-32) have none.
    """
    return _codec_for(msh18[:200])


@lru_cache(maxsize=256)
def _codec_for(msh18: str) -> str | None:
    codecs = [_CODECS.get(_plain(name.partition("^")[0])) for name in msh18.split("~") if name.strip()]
    for codec in _ISO_2022:
        if codec in codecs:
            return codec
    return codecs[0] if codecs else None


def _plain(name: str) -> str:
    plain = re.sub(r"[^A-Z0-9]", "", name.upper())
    return plain.removeprefix("ISO") if plain.startswith("ISO8859") else plain


def decode(raw: bytes, default: str | None) -> Decoded:
    """The text of a message, by the first of these that fits: byte order mark, MSH-18, `default`, UTF-8, cp1252, latin-1.

    `default` is what the partner writes when MSH-18 is silent or wrong: a codec or a name of table 0211; a name that is
    not known is passed over. No byte is ever refused or lost.

    Raises:
        Unsupported: UTF-16 or UTF-32, whose bytes collide with the framing of MLLP; error code 102 at MSH-18.
    """
    if raw.startswith(_WIDE_STARTS):
        raise Unsupported("UTF-16 and UTF-32 cannot be read", error_code="102", location=Location("MSH", field=18))
    declared = _declared(raw)
    wanted = codec_for(declared)
    marked = "utf-8" if raw.startswith(_UTF8_BOM) else None
    text, codec = _read(raw.removeprefix(_UTF8_BOM), (marked, wanted, codec_for(default or "")))
    return Decoded(text, codec, declared, bool(declared) and codec != wanted)


def _read(raw: bytes, candidates: tuple[str | None, ...]) -> tuple[str, str]:
    for codec in (*candidates, "utf-8", "cp1252"):
        if codec is not None:
            try:
                return raw.decode(codec), codec
            except UnicodeDecodeError:
                continue
    return raw.decode("latin-1"), "latin-1"


def _declared(raw: bytes) -> str:
    """MSH-18 with the standard's delimiters; all its names are ASCII, and so are the delimiters of every header."""
    head = raw[:_HEAD_BYTES].removeprefix(_UTF8_BOM).lstrip(b"\x00 \t\r\n")
    if not head.startswith(b"MSH"):
        return ""
    fields = head.replace(b"\n", b"\r").partition(b"\r")[0].split(head[3:4] or b"|", 18)
    if len(fields) < 18:
        return ""
    component, repetition = fields[1][:1] or b"^", fields[1][1:2] or b"~"
    names = fields[17].split(repetition)
    return b"~".join(name.replace(component, b"^") for name in names).decode("ascii", "replace").strip()


def encode(text: str, codec: str) -> Encoded:
    """The bytes of `text`; never raises for any text, and says when a character had to be replaced.

    Raises:
        LookupError: `codec` is not a codec that Python has.
    """
    try:
        return Encoded(text.encode(codec), replaced=False)
    except UnicodeEncodeError:
        return Encoded(text.encode(codec, "replace"), replaced=True)
