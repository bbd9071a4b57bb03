"""The pages about interfaces name every message that is read or built, and everything that may be agreed."""

from pathlib import Path

import pytest

from ris.hl7.inbound import READERS
from ris.hl7.outbound import BUILDERS
from ris.partner.policy import DEFAULTS, POLICIES

PAGES = "\n".join(page.read_text() for page in sorted((Path(__file__).parents[2] / "docs/interfaces").glob("*.md")))


@pytest.mark.parametrize(("code", "trigger"), READERS)
def test_every_message_that_is_read_is_named(code: str, trigger: str) -> None:
    assert f"{code}^{trigger}" in PAGES


@pytest.mark.parametrize("name", BUILDERS)
def test_every_message_that_is_built_is_named(name: str) -> None:
    assert name.upper().replace("_", "^") in PAGES


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_policy_is_named_with_its_default(name: str) -> None:
    default = str(DEFAULTS[name]).lower()
    assert any(f"`{name}`" in line and default in line.split("|")[2].lower() for line in PAGES.splitlines() if line.startswith("|"))
    assert POLICIES[name].meaning
