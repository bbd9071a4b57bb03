"""Links to the images of an exam: an address of the site's viewer, signed and good for a few minutes."""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.catalog.model import Site
from ris.catalog.records.field import YES, Field, Known, Reference, YesNo
from ris.catalog.records.record import Problem, Record
from ris.report.writing.model import ImageViewer

HOLDS = timedelta(minutes=5)
"""So long a link opens the images."""
NAMES = ("study", "accession", "patient", "user", "expires", "signature")
"""What an address may hold in braces: (0020,000D), (0008,0050), the medical record number, the login, seconds since 1970, the signature."""
_NAME = re.compile(r"\{([^{}]*)\}")
_BEGINS = re.compile(r"(?!javascript|data|vbscript)[a-z][a-z0-9+.-]*://[^\s{}]+")


def _address(_known: Known, values: Mapping[str, Any]) -> Iterator[Problem]:
    address = values["address"]
    names = _NAME.findall(address)
    if unknown := [name for name in names if name not in NAMES]:
        yield Problem("address", f"names {', '.join(unknown)} in braces", f"write one of {', '.join(NAMES)}")
    if not _BEGINS.match(address):
        yield Problem("address", "does not begin like an address", "begin it with https:// and the name of the viewer's machine")
    if missing := [name for name in ("study", "expires", "signature") if name not in names]:
        yield Problem("address", f"does not hold {', '.join(missing)}", "the viewer lets nobody in who cannot show all three")


IMAGE_VIEWER = Record(
    "image_viewer",
    "image viewer",
    "Image viewers",
    "Where the images of a site are looked at, in one key from a report.",
    ImageViewer,
    (
        Reference("site", "Site", to=Site),
        Field(
            "address", "Address", "Such as https://pacs.example/viewer?study={study}&user={user}&until={expires}&sig={signature}",
            required=True, longest=1000,
        ),
        YesNo("active", "In use", default=YES),
    ),
    ("site",),
    _address,
)  # fmt: skip


def address_of(session: Session, site_id: int) -> str:
    """Of the viewer of a site, with its names in braces; empty where it has none."""
    return session.scalar(sa.select(ImageViewer.address).where(ImageViewer.site_id == site_id, ImageViewer.active)) or ""


def link(address: str, key: str, now: datetime, *, study: str, accession: str, patient: str, user: str) -> str:
    """The address filled; what is signed is study, accession, patient, user and expiry, one a line (HMAC-SHA256, hexadecimal)."""
    expires = str(int((now + HOLDS).timestamp()))
    values = {"study": study, "accession": accession, "patient": patient, "user": user, "expires": expires}
    values["signature"] = signature(key, **values)
    return _NAME.sub(lambda match: quote(values[match[1]], safe=""), address)


def signature(key: str, *, study: str, accession: str, patient: str, user: str, expires: str) -> str:
    """What the viewer compares."""
    signed = f"{study}\n{accession}\n{patient}\n{user}\n{expires}"
    return hmac.new(key.encode(), signed.encode(), hashlib.sha256).hexdigest()
