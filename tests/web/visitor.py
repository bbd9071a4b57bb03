"""A person before the pages, without a browser: keeps cookies, and sends what a browser sends with a form."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from flask import Flask
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse

from ris.audit.model import AuditEntry
from ris.bootstrap import Ris
from ris.staff import service as staff
from ris.staff.model import WebSession
from tests.factories.hospital import PASSWORD

HOST = "http://localhost"
NOW = datetime(2026, 11, 30, 15, tzinfo=UTC)
TOKEN = re.compile(r'name="csrf-token" content="([^"]+)"')


class Visitor:
    def __init__(self, app: Flask, ris: Ris) -> None:
        self.app = app
        self.ris = ris
        self.client = app.test_client()
        self.csrf = ""

    @property
    def cookie(self) -> str:
        found = self.client.get_cookie("ris")
        return found.value if found else ""

    @cookie.setter
    def cookie(self, token: str) -> None:
        self.client.set_cookie("ris", token)

    def log_in(self, login: str, password: str = PASSWORD, **fields: str) -> TestResponse:
        """As a person does: with the form; afterwards the form token of the first page is at hand."""
        answer = self.post("/login", login=login, password=password, **fields)
        if answer.status_code == 303 and (found := TOKEN.search(self.get("/password").text)):
            self.csrf = found[1]
        return answer

    def enter(self, user_id: int) -> None:
        """Without the slow check of a password."""
        with self.ris.uow() as uow:
            self.cookie = staff.open_session(uow, user_id=user_id, place="127.0.0.1")
        with self.ris.read() as session:
            secret = session.get_one(WebSession, staff.token_hash(self.cookie)).csrf_secret
        self.csrf = str(URLSafeTimedSerializer(self.app.secret_key or "", salt="wtf-csrf-token").dumps(secret))

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, *, headers: Mapping[str, str] | None = None, **fields: Any) -> TestResponse:
        sent = {"Origin": HOST} if headers is None else headers
        return self.client.post(path, headers=sent, data={"csrf_token": self.csrf, **fields})


def trail(ris: Ris, **where: Any) -> list[AuditEntry]:
    """Entries of the audit trail in their order."""
    wanted = sa.select(AuditEntry).filter_by(**where).order_by(AuditEntry.id)
    with ris.read() as session:
        return list(session.scalars(wanted))
