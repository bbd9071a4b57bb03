"""What is taken for an e-mail address and for a language that a message can be written in."""

import re

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
_LANGUAGE = re.compile(r"[a-z]{2}")


def is_address(text: str) -> bool:
    """Whether it is one address that every mail server can be told: ASCII, no quotes, a domain with a dot (RFC 5321 4.1.2)."""
    local = text.partition("@")[0]
    return len(text) <= 254 and _ADDRESS.fullmatch(text) is not None and ".." not in local and local.strip(".") == local


def is_language(text: str) -> bool:
    """Whether it has the form of an ISO 639-1 code."""
    return _LANGUAGE.fullmatch(text) is not None
