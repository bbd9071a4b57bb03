"""Labels and wristbands, read back as a scanner reads them."""

import io
import re
from datetime import UTC, date, datetime

import pypdf
import pytest
import zxingcpp
from PIL import Image, ImageDraw

from ris.base.errors import Invalid
from ris.documents import labels
from ris.documents.labels import LabelKind, LabelSheet

NOW = datetime(2026, 11, 30, 15, tzinfo=UTC)
SHEET = LabelSheet("Überlend, Zoë", date(1970, 5, 17), "F", "MRN000012", "A2600000001", "CT chest", "Main ^hospital")
PIXELS_PER_POINT = 8


def printed(drawn: bytes) -> Image.Image:
    """The page with every rectangle that the file fills; text is left out."""
    (page,) = pypdf.PdfReader(io.BytesIO(drawn)).pages
    width, height = float(page.mediabox.width), float(page.mediabox.height)
    image = Image.new("L", (int(width * PIXELS_PER_POINT), int(height * PIXELS_PER_POINT)), 255)
    pen = ImageDraw.Draw(image)
    pending: list[list[list[float]]] = []
    matrices = [(1.0, 0.0, 0.0, 1.0, 0.0, 0.0)]
    for operands, operator in page.get_contents().operations:
        if operator == b"q":
            matrices.append(matrices[-1])
        elif operator == b"Q":
            matrices.pop()
        elif operator == b"cm":
            matrices[-1] = _times([float(value) for value in operands], matrices[-1])
        elif operator == b"re":
            x, y, w, h = (float(value) for value in operands)
            corners = [_at(matrices[-1], x, y), _at(matrices[-1], x + w, y + h)]
            pending.append([sorted(c[i] * PIXELS_PER_POINT for c in corners) for i in (0, 1)])
        elif operator in (b"f", b"f*", b"n"):
            for (left, right), (low, high) in pending if operator != b"n" else ():
                pen.rectangle((round(left), image.height - high, round(right) - 1, image.height - low), fill=0)
            pending.clear()
    return image


def _times(inner: list[float], outer: tuple[float, ...]) -> tuple[float, ...]:
    a, b, c, d, e, f = inner
    g, h, i, j, k, m = outer
    return (a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m)


def _at(matrix: tuple[float, ...], x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return (a * x + c * y + e, b * x + d * y + f)


@pytest.mark.parametrize(("kind", "code"), [(LabelKind.label, "A2600000001"), (LabelKind.wristband, "MRN000012")])
def test_a_scanner_reads_the_number_and_a_person_two_identifiers(kind: LabelKind, code: str) -> None:
    drawn = labels.draw(SHEET, kind, NOW)
    assert [(found.text, found.format.name) for found in zxingcpp.read_barcodes(printed(drawn))] == [(code, "Code128")]
    (page,) = pypdf.PdfReader(io.BytesIO(drawn)).pages
    text = page.extract_text()
    for shown in ("Überlend, Zoë", "1970-05-17", "MRN000012", code):
        assert shown in text
    width, height = labels.SIZES[kind]
    assert (round(float(page.mediabox.width) * 25.4 / 72), round(float(page.mediabox.height) * 25.4 / 72)) == (width, height)


def test_the_text_for_label_printers_has_the_code_and_no_command_of_a_name() -> None:
    text = labels.zpl(SHEET, LabelKind.label)
    assert re.search(r"\^BCN,70,Y,N,N\^FH_\^FDA2600000001\^FS", text)
    assert "Main _5Ehospital" in text
    assert "Überlend, Zoë" in text
    assert text.startswith("^XA^CI28")
    assert text.endswith("^XZ\n")


def test_a_number_that_no_code_can_hold_is_refused() -> None:
    for mrn in ("", "МРН1"):
        with pytest.raises(Invalid):
            labels.draw(LabelSheet("Meadow, Anna", None, "F", mrn, "A1", "CT", "Main"), LabelKind.wristband, NOW)
