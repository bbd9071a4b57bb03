"""The pages over a test hospital with a clock that stands still; SQLite only, the domain below is tested on both engines."""

from collections.abc import Callable

import pytest
from flask import Flask

from ris.bootstrap import Ris
from tests.clock import Clock
from tests.compiled import quick_app
from tests.web.visitor import NOW, Visitor


@pytest.fixture
def engine_name() -> str:
    return "sqlite"


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def app(ris: Ris) -> Flask:
    app = quick_app(ris)
    app.testing = False
    return app


@pytest.fixture
def visitor(app: Flask, ris: Ris) -> Callable[[], Visitor]:
    """Makes people before the pages, each with cookies of their own."""
    return lambda: Visitor(app, ris)
