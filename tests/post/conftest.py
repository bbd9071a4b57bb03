"""A mail server, and a site that writes to its patients through it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ris.settings import Mail, Settings
from tests.certificates import make_certificate
from tests.clock import Clock
from tests.post.mail_server import PASSWORD, USER, MailServer


@pytest.fixture
def clock() -> Clock:
    """Monday before Thanksgiving, 10:00 by the clock of MAIN."""
    return Clock(datetime(2026, 11, 23, 15, tzinfo=UTC))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("mail"), "mail.example")


@pytest.fixture
def mail_server(certificate: tuple[Path, Path]) -> Iterator[MailServer]:
    with MailServer(certificate) as server:
        yield server


@pytest.fixture
def settings(settings: Settings, mail_server: MailServer) -> Settings:
    mail = Mail(
        host="127.0.0.1", port=mail_server.port, user=USER, password=PASSWORD, authorities=mail_server.certificate[0],
        timeout_seconds=5, public_url="https://ris.example",
    )  # fmt: skip
    return settings.model_copy(update={"mail": mail})
