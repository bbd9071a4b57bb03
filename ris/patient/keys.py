"""The keys under which a patient is found: names folded, as they sound, and the telephone number from its end."""

import functools
import re
import unicodedata

import jellyfish

_APART = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"} | dict.fromkeys("'’ʼ`´.", None))
"""Letters that Unicode does not take apart, and marks that one writes and another leaves out."""
_NO_DIGIT = re.compile(r"[^0-9]+")
_SPACES = str.maketrans(dict.fromkeys("-‐‑–_,", " "))


@functools.lru_cache(maxsize=8192)
def folded(text: str) -> str:
    """For search: lower case, without accents and apostrophes, a hyphen as a space, one space between words."""
    plain = text.casefold().translate(_APART)
    if not plain.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return " ".join(plain.translate(_SPACES).split())


@functools.lru_cache(maxsize=8192)
def sound(folded_name: str) -> str:
    """How the first word of a name is spoken (Metaphone, with y as i, so that Meyer is Maier); empty in other scripts than Latin."""
    first = folded_name.partition(" ")[0]
    return jellyfish.metaphone(first.replace("y", "i")) if first.isascii() else ""


def sound_key(family_key: str, given_key: str) -> str:
    """Both names as they sound; empty without a family name that can be spoken."""
    spoken = sound(family_key)
    return f"{spoken} {sound(given_key)}" if spoken else ""


def phone_key(phone: str) -> str:
    """The digits from the last to the first: a number is the same with and without what stands before it."""
    return _NO_DIGIT.sub("", phone)[::-1]


def search_keys(family: str, given: str, phone: str) -> dict[str, str]:
    """Every key of a `Patient`, by the name of its column."""
    family_key, given_key = folded(family), folded(given)
    _, parted, last = family_key.rpartition(" ")
    return {
        "family_key": family_key,
        "given_key": given_key,
        "family_last": last if parted else "",
        "sound": sound_key(family_key, given_key),
        "phone_key": phone_key(phone),
    }
