"""Every page of the bar, every button of a worklist and every field of the forms at the desk says what it is for."""

import re
from pathlib import Path

import ris.web
from ris.web.navigation import NAVIGATION
from ris.web.words import DEEDS, FIELDS, PAGES
from ris.web.worklists import WORKLISTS


def test_each_page_of_the_bar_has_its_sentence_and_no_other_has() -> None:
    assert list(PAGES) == [item.label for item in NAVIGATION]


def test_each_button_of_a_worklist_has_its_sentence_and_no_other_has() -> None:
    assert {name: set(of) for name, of in DEEDS.items()} == {
        name: {deed.name for deed in worklist.deeds} for name, worklist in WORKLISTS.items()
    }


def test_each_sentence_about_a_field_stands_at_that_field() -> None:
    field = re.compile(r'fields\.\w+\(form, [^,]+, "([^"]+)".*?of_field\("([^"]+)", "([^"]+)"\)')
    templates = Path(ris.web.__file__).parent.glob("pages/**/*.html")
    found = [match.groups() for page in templates for match in field.finditer(page.read_text(encoding="utf-8"))]
    assert [label for label, _, named in found if label != named] == []
    assert sorted((form, label) for label, form, _ in found) == sorted((form, label) for form, of in FIELDS.items() for label in of)
