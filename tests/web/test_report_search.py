"""The page that finds reports: hits are marked, pages follow, the search is in the trail, and a mistake is said."""

import importlib
import re
from collections.abc import Callable

import pytest

from ris.bootstrap import Ris
from tests.clock import Clock
from tests.factories.hospital import Hospital
from tests.factories.orders import reported
from tests.web.people import somebody
from tests.web.visitor import Visitor, trail

PAGE = "/report-search"


def test_reports_are_found_page_by_page(
    ris: Ris, hospital: Hospital, clock: Clock, visitor: Callable[[], Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("ris.web.pages.report_search.views"), "PAGE", 2)
    exams = []
    for number in range(3):
        clock.advance(minutes=1)
        exams.append(reported(ris, hospital, text=f"IMPRESSION:\nNo <b>fracture</b> of rib {number}."))
    doctor, west = visitor(), visitor()
    doctor.enter(hospital.users["front_desk"])
    west.enter(somebody(ris, hospital, "west", resident="WEST"))
    assert "in the audit trail" in doctor.get(PAGE).text
    first = doctor.get(f"{PAGE}?q=fracture+-spine&part=impression&modality=CT&until=2099-01-01").text
    assert "No &lt;b&gt;<mark>fracture</mark>&lt;/b&gt; of rib 2." in first
    assert re.findall(r'id="r-(\d+)"', first) == [str(exam.id) for exam in exams[:0:-1]]
    further = re.search(r'href="([^"]+)" rel="next"', first)
    assert further is not None
    second = doctor.get(further[1].replace("&amp;", "&")).text
    assert re.findall(r'id="r-(\d+)"', second) == [str(exams[0].id)]
    assert "No report has all of this" in west.get(f"{PAGE}?q=fracture").text
    assert (doctor.get(f"{PAGE}?q=-fracture").status_code, doctor.get(f"{PAGE}?q=a&since=soon").status_code) == (422, 422)
    asked = [entry.detail for entry in trail(ris, what="report search")]
    assert asked[0] == {"q": "fracture -spine", "part": "impression", "modality": "CT", "until": "2099-01-01"}
    assert len(asked) == 5
