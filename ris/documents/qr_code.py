"""A QR code as a picture of a page (ISO/IEC 18004)."""

import segno

QUIET = 4
"""Modules of white around it (ISO/IEC 18004:2015, 6.3.8): a reader finds it on a dark page by them."""


def svg(text: str, title: str | None = None) -> str:
    """An `<svg>` element of black on white, as large as its surroundings let it be; medium error correction.

    `title` is what those read who cannot see it.
    """
    code = segno.make_qr(text, error="m")
    return code.svg_inline(border=QUIET, omitsize=True, dark="#000", light="#fff", svgclass="qr-code", title=title)
