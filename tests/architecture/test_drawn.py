"""The drawn pages of the documentation say what the code's tables say."""

import pytest

from tests.architecture.drawn import PAGES, ROOT


@pytest.mark.parametrize("page", PAGES)
def test_a_drawn_page_is_what_the_tables_say(page: str) -> None:
    assert (ROOT / page).read_text(encoding="utf-8") == PAGES[page](), "run `make docs`"
