"""The report as a PDF file, read back: what stands in it, that a reader for the blind finds its way, and that it is always the same."""

import dataclasses
import io
import re
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pypdf
import pytest
import zxingcpp
from PIL import Image

from ris.bootstrap import Ris
from ris.documents import pdf, qr_code, report_sheet
from ris.documents.report_sheet import Exam, ReportSheet
from ris.report import reading
from ris.report.status import VersionKind
from tests.factories.hospital import Hospital
from tests.factories.orders import reported

SHEET = ReportSheet(
    site_name="Main hospital", zone="America/New_York", patient_name="Überlend, Zoë", birth_date=date(1970, 5, 17), sex="F", mrn="MRN12",
    exams=(Exam("A26000001", "CT chest with contrast", datetime(2026, 11, 30, 15, tzinfo=UTC)),), orderer_name="Grove, Oscar",
    reason="R/O embolism", number=2, kind=VersionKind.final, text="FINDINGS:\nNo embolus ≥ 5 mm.\n\nIMPRESSION:\nNormal.",
    signer_name="Rita Reader", meaning="Final interpretation", signed_at=datetime(2026, 11, 30, 16, tzinfo=UTC), digest="ab" * 32,
)  # fmt: skip


def opened(drawn: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(drawn))


def text(drawn: bytes) -> str:
    return "\n".join(page.extract_text() for page in opened(drawn).pages)


def elements(element: pypdf.generic.DictionaryObject) -> Iterator[pypdf.generic.DictionaryObject]:
    """The structure elements in reading order."""
    element = element.get_object()
    if isinstance(element, pypdf.generic.DictionaryObject):
        yield element
        children = element.get("/K", [])
        for child in children if isinstance(children, list) else [children]:
            yield from elements(child)


def scanned(svg: str) -> Image.Image:
    """The black lines of a code as a camera sees them, eight dots a module."""
    side = int(re.search(r'viewBox="0 0 (\d+)', svg)[1])
    picture = Image.new("L", (8 * side, 8 * side), 255)
    x = y = 0.0
    for move, across, down in re.findall(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?", svg.partition('d="M0')[2].partition('d="')[2]):
        if move == "h":
            picture.paste(0, (int(8 * x), int(8 * (y - 0.5)), int(8 * (x + float(across))), int(8 * (y + 0.5))))
        x, y = (float(across), float(down)) if move == "M" else (x + float(across), y + float(down or 0))
    return picture


def roles(element: pypdf.generic.DictionaryObject) -> list[str]:
    """The structure elements in reading order."""
    children = element.get("/K", [])
    own = [str(element["/S"])] if "/S" in element else []
    for child in children if isinstance(children, list) else [children]:
        child = child.get_object()
        if isinstance(child, pypdf.generic.DictionaryObject):
            own += roles(child)
    return own


def test_the_sheet_says_who_what_and_who_stands_for_it() -> None:
    found = text(report_sheet.draw(SHEET))
    for words in (
        "Main hospital", "Überlend, Zoë", "1970-05-17, F", "MRN12", "CT chest with contrast, A26000001, 2026-11-30 10:00 EST",
        "Grove, Oscar", "R/O embolism", "No embolus ≥ 5 mm.", "Rita Reader, 2026-11-30 11:00 EST",
        "Final interpretation. Signed electronically, version 2.", "ab" * 32, "Page 1 of 1",
    ):  # fmt: skip
        assert words in found
    assert "PRELIMINARY" not in found


def test_it_is_accessible_and_holds_its_fonts() -> None:
    document = opened(report_sheet.draw(SHEET))
    root = document.trailer["/Root"]
    metadata = root["/Metadata"].get_data().decode()
    assert "pdfuaid:part" in metadata
    assert (root["/Lang"], root["/MarkInfo"]["/Marked"], root["/ViewerPreferences"]["/DisplayDocTitle"]) == ("en", True, True)
    assert document.metadata.title == "Radiology report A26000001, version 2"
    found = roles(root["/StructTreeRoot"].get_object())
    assert [role for role in found if role.startswith("/H")] == ["/H1", "/H2", "/H2"]
    assert {"/Table", "/TH", "/TD", "/P"} <= set(found)
    fonts = [font.get_object() for page in document.pages for font in page["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:
        descriptor = font["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        assert {"/FontFile2", "/FontFile3"} & set(descriptor)


def test_every_page_of_a_long_report_names_the_patient_and_what_it_is_worth() -> None:
    long = dataclasses.replace(SHEET, kind=VersionKind.preliminary, text="A line of a long report.\n" * 150)
    first, *others = opened(report_sheet.draw(long)).pages
    assert "PRELIMINARY. This is not the final interpretation." in first.extract_text()
    assert len(others) >= 2
    for number, page in enumerate(others, 2):
        found = page.extract_text()
        for words in ("Überlend, Zoë · born 1970-05-17 · MRN MRN12", "PRELIMINARY", f"Page {number} of {len(others) + 1}"):
            assert words in found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": VersionKind.retraction}, "RETRACTED. What is written below does not hold."),
        ({"superseded_by": 3}, "SUPERSEDED. Version 3 took its place: do not rely on this one."),
        ({"kind": VersionKind.preliminary, "superseded_by": 3}, "SUPERSEDED"),
    ],
)
def test_what_does_not_hold_says_so_at_its_head(change: dict, words: str) -> None:
    assert words in text(report_sheet.draw(dataclasses.replace(SHEET, **change)))


def test_a_letter_names_its_recipient_and_holds_a_code_that_leads_to_the_check() -> None:
    address = "https://ris.example/verify/" + "ab" * 32
    letter = dataclasses.replace(SHEET, verify_url=address, recipient=("Dr. Oscar Grove", "1 Hill"))
    document = opened(report_sheet.draw_all([letter, dataclasses.replace(SHEET, is_unaltered=False)]))
    first, second = (page.extract_text() for page in document.pages)
    assert "Dr. Oscar Grove\n1 Hill" in first
    assert "ALTERED. This is not what was signed" in second
    assert ["Page 1 of 1" in page for page in (first, second)] == [True, True]
    figures = [str(element["/Alt"]) for element in elements(document.trailer["/Root"]["/StructTreeRoot"]) if element.get("/S") == "/Figure"]
    assert figures == [f"Code that leads to {address}"]
    assert [found.text for found in zxingcpp.read_barcodes(scanned(qr_code.svg(address)))] == [address]


def test_equal_sheets_give_equal_bytes_also_from_several_threads() -> None:
    drawn: list[bytes] = []
    threads = [threading.Thread(target=lambda: drawn.append(report_sheet.draw(SHEET))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == 3
    assert set(drawn) == {report_sheet.draw(SHEET)}
    assert report_sheet.draw(dataclasses.replace(SHEET, text="Else.")) not in drawn


def test_words_that_look_like_markup_are_words_and_nothing_is_fetched(tmp_path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("not for paper")
    evil = f'<img src="file://{secret}"><a rel=attachment href="file://{secret}">x</a><style>@import url("file://{secret}")</style>'
    drawn = report_sheet.draw(dataclasses.replace(SHEET, text=evil, reason=evil))
    assert '<img src="file://' in text(drawn)
    assert "not for paper" not in text(drawn)
    assert opened(drawn).attachments == {}


def test_a_page_that_names_a_file_does_not_get_it(tmp_path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("not for paper")
    page = f'<html lang="en"><head><title>x</title></head><body><a rel="attachment" href="file://{secret}">y</a></body></html>'
    assert opened(pdf._drawn([page], compressed=True)).attachments == {}


def test_a_version_of_an_exam_is_read_from_its_rows(ris: Ris, hospital: Hospital) -> None:
    exam = reported(ris, hospital, text="No fracture.")
    with ris.read() as session:
        report = reading.report_of(session, exam.id)
        sheet = report_sheet.read(session, report.versions[0].id)
    assert (sheet.patient_name, sheet.exams[0].accession_number, sheet.text) == ("Meadow, Anna", exam.accession_number, "No fracture.")
    assert (sheet.signer_name, sheet.superseded_by, sheet.banner) == ("Test Radiologist", None, None)
    assert sheet.exams[0].name == "CT head without contrast"


def test_this_machine_can_draw() -> None:
    assert pdf.why_not() == ""
