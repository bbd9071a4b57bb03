"""Day sheets in the browser: what stands on them, by whom they were printed, and who may not see them."""

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pypdf

from ris.bootstrap import Ris
from ris.exports import downtime
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.mail import book, patient_with_mail
from tests.factories.orders import MONDAY
from tests.web.visitor import Visitor, trail


def test_a_day_sheet_says_who_comes_and_who_printed_it(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor]) -> None:
    anna = patient_with_mail(ris, hospital)
    for number in range(14):
        book(ris, hospital, anna, MONDAY - timedelta(hours=2) + timedelta(minutes=30 * number))
    clerk = visitor()
    clerk.enter(hospital.users["front_desk"])
    asked = f"?room={hospital.rooms['CT1']}&date=2026-11-30"
    page = clerk.get(f"/schedule/sheet{asked}").text
    assert page.count("Meadow, Anna") == 14
    assert "56 years" in page
    assert "Room XR1" in clerk.get(f"/schedule/sheet?site={hospital.sites['MAIN']}").text
    drawn = clerk.get(f"/schedule/sheet/pdf{asked}")
    assert drawn.content_type == "application/pdf"
    pages = [each.extract_text() for each in pypdf.PdfReader(io.BytesIO(drawn.data)).pages]
    assert len(pages) > 1
    for number, text in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in text
        assert "Printed 2026-11-30 10:00 by Test Front_desk" in text
    assert [entry.detail["day"] for entry in trail(ris, what="day sheet printed", object_id=hospital.rooms["CT1"])] == ["2026-11-30"]
    assert clerk.get("/schedule/sheet?room=17").status_code == 404
    assert clerk.get("/schedule/sheet/pdf?site=17").status_code == 404


def test_the_age_of_the_downtime_packet_is_watched(ris: Ris, hospital: Hospital, visitor: Callable[[], Visitor], clock: Clock) -> None:
    with ris.uow() as uow:
        downtime.note_written(uow, Path("/srv/downtime/2026-11-30T150000Z"))
    clock.advance(hours=3)
    watcher = visitor()
    assert "ris_downtime_packet_age_seconds 10800" in watcher.get("/metrics").text
    watcher.enter(hospital.users["integration"])
    page = watcher.get("/interfaces").text
    assert "Downtime packet" in page
    assert "late: 3 h" in page
