"""Exam labels and wristbands, as PDF for any printer and as ZPL II for label printers, each with a bar code that a scanner reads."""

import enum
from dataclasses import dataclass
from datetime import date, datetime

import barcode
from barcode.errors import BarcodeError

from ris.base.errors import Invalid
from ris.documents import pdf

QUIET = 10
"""Modules of white before and after a bar code (ISO/IEC 15417, 4.2)."""
DOTS_PER_MM = 8
"""Of a label printer with 203 dots an inch."""


class LabelKind(enum.StrEnum):
    label = "label"
    """For a requisition, a sample or a disc: the code is the accession number."""
    wristband = "wristband"
    """For the patient's arm: the code is the record number."""


SIZES = {LabelKind.label: (62, 29), LabelKind.wristband: (254, 25)}
"""Width and height in mm."""


@dataclass(frozen=True, slots=True)
class LabelSheet:
    patient_name: str
    birth_date: date | None
    sex: str
    mrn: str
    accession_number: str
    exam_name: str
    site_name: str

    def code(self, kind: LabelKind) -> str:
        return self.accession_number if kind is LabelKind.label else self.mrn

    def lines(self, kind: LabelKind) -> tuple[str, ...]:
        """The two identifiers first: a label that names a patient by one only is none."""
        born = f"born {self.birth_date or 'unknown'}, {self.sex}, {self.mrn}"
        return (self.patient_name, born, f"{self.exam_name}, {self.site_name}" if kind is LabelKind.label else self.site_name)


def draw(sheet: LabelSheet, kind: LabelKind, made_at: datetime) -> bytes:
    """One label a page, in its own size. Raises Invalid for a number that no bar code can hold, and as `ris.documents.pdf.draw`."""
    width, height = SIZES[kind]
    code = sheet.code(kind)
    bars, modules = _bars(code)
    return pdf.draw(
        "label.html", made_at, kind=kind.value, width=width, height=height, code=code, lines=sheet.lines(kind), bars=bars, modules=modules
    )


def zpl(sheet: LabelSheet, kind: LabelKind) -> str:
    """The same in ZPL II (Zebra programming guide: ^XA, ^FO, ^A0, ^BC, ^FH), UTF-8. Raises Invalid as `draw`."""
    width, height = SIZES[kind]
    code = sheet.code(kind)
    _bars(code)
    name, born, what = (_field(line) for line in sheet.lines(kind))
    return (
        f"^XA^CI28^PW{width * DOTS_PER_MM}^LL{height * DOTS_PER_MM}\n"
        f"^FO24,16^A0N,34,30^FH_^FD{name}^FS\n"
        f"^FO24,54^A0N,24,22^FH_^FD{born}^FS\n"
        f"^FO24,82^A0N,22,20^FH_^FD{what}^FS\n"
        f"^FO24,110^BY2^BCN,70,Y,N,N^FH_^FD{_field(code)}^FS\n"
        "^XZ\n"
    )


def _bars(code: str) -> tuple[list[tuple[int, int]], int]:
    """Start and width of each bar of Code 128 in modules, and the width of all with the quiet zones."""
    if not code:
        raise Invalid("there is no number to make a bar code of")
    try:
        pattern = barcode.get("code128", code).build()[0]
    except BarcodeError as error:
        raise Invalid("the number holds a sign that no bar code of this kind can hold") from error
    bars, position = [], QUIET
    for run in pattern.replace("01", "0 1").replace("10", "1 0").split():
        if run[0] == "1":
            bars.append((position, len(run)))
        position += len(run)
    return bars, position + QUIET


def _field(text: str) -> str:
    """With the signs that ZPL reads as commands in hexadecimal digits."""
    return "".join(f"_{ord(sign):02X}" if sign in "^~_" or ord(sign) < 32 else sign for sign in text)
