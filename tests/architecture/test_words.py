"""Every page of the bar and every button of a worklist says what it is for."""

from ris.web.navigation import NAVIGATION
from ris.web.words import DEEDS, PAGES
from ris.web.worklists import WORKLISTS


def test_each_page_of_the_bar_has_its_sentence_and_no_other_has() -> None:
    assert list(PAGES) == [item.label for item in NAVIGATION]


def test_each_button_of_a_worklist_has_its_sentence_and_no_other_has() -> None:
    assert {name: set(of) for name, of in DEEDS.items()} == {
        name: {deed.name for deed in worklist.deeds} for name, worklist in WORKLISTS.items()
    }
