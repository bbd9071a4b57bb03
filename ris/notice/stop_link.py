"""The signed part of the link by which whoever reads a mailbox stops it: it names a message and shows nothing."""

import base64
import hashlib
import hmac

_SIGNATURE = 16
"""Bytes: 128 bits cannot be guessed."""
_ID = 8


def token(secret: str, notice_id: int) -> str:
    """For the address of the page; it does not run out, since old messages are read too."""
    key = notice_id.to_bytes(_ID, "big")
    return base64.urlsafe_b64encode(key + _sign(secret, key)).decode().rstrip("=")


def notice_of(secret: str, token: str) -> int | None:
    """The message that a token was made for; None where it is not ours."""
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError:
        return None
    key = raw[:_ID]
    if len(raw) != _ID + _SIGNATURE or not hmac.compare_digest(raw[_ID:], _sign(secret, key)):
        return None
    return int.from_bytes(key, "big")


def _sign(secret: str, key: bytes) -> bytes:
    return hmac.digest(secret.encode(), b"stop-mail" + key, hashlib.sha256)[:_SIGNATURE]
