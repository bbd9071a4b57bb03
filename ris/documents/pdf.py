"""Draws a template as a PDF file that is accessible, holds its fonts, fetches nothing and has the same bytes each time."""

import hashlib
import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import jinja2

FONT = "DejaVu Sans"
"""Of the package fonts-dejavu-core; it has the signs of European languages, Greek, Cyrillic and mathematics."""
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
_ONE_AT_A_TIME = threading.Lock()
"""Pango and Fontconfig below WeasyPrint share their state between threads."""

for _name in ("weasyprint", "fontTools"):
    # They quote what they draw: a log holds no words of a report.
    logging.getLogger(_name).setLevel(logging.CRITICAL)


def draw(template: str, made_at: datetime, *, compressed: bool = True, **context: object) -> bytes:
    """A file of `templates/` as PDF/UA-1 (ISO 14289-1), dated `made_at`. Equal words give equal bytes on one machine.

    Raises OSError or ImportError where Pango or WeasyPrint is not there.
    """
    return draw_all(template, made_at, [context], compressed=compressed)


def draw_all(template: str, made_at: datetime, contexts: Sequence[Mapping[str, object]], *, compressed: bool = True) -> bytes:
    """The template once for each context, one behind the other in one file, each with page numbers of its own."""
    found = _TEMPLATES.get_template(template)
    pages = [found.render(font=FONT, made_at=made_at.isoformat(), **context) for context in contexts]
    with _ONE_AT_A_TIME:
        return _drawn(pages, compressed)


def _drawn(pages: Sequence[str], compressed: bool) -> bytes:
    from weasyprint import HTML  # noqa: PLC0415 (half a second and Pango, which whoever draws nothing need not have)
    from weasyprint.urls import URLFetcher  # noqa: PLC0415

    class Refusing(URLFetcher):
        """Everything that is drawn stands in the page itself."""

        def fetch(self, url: str, headers: object = None) -> object:
            raise ValueError("a document fetches nothing")

    identifier = hashlib.sha256("".join(pages).encode()).digest()[:16]
    options = {"pdf_variant": "pdf/ua-1", "pdf_identifier": identifier, "uncompressed_pdf": not compressed}
    first, *others = [HTML(string=page, url_fetcher=Refusing()).render(**options) for page in pages]
    whole = first.copy([*first.pages, *(page for other in others for page in other.pages)]) if others else first
    written: bytes = whole.write_pdf(**options)
    return written


def why_not() -> str:
    """Why no PDF file can be drawn on this machine; empty where it can."""
    try:
        drawn = draw("probe.html", datetime.fromisoformat("2026-01-01T00:00:00+00:00"), compressed=False)
    except (ImportError, OSError):
        return "Pango is missing: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
    return "" if FONT.replace(" ", "-").encode() in drawn else f"the font {FONT} is missing: apt-get install fonts-dejavu-core"
