"""A person at a browser, as far as plain HTTP goes: follows forms, keeps a cookie, sends what a browser sends."""

import re
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

TOKEN = re.compile(r'<meta name="csrf-token" content="([^"]+)"')


class Clerk:
    """One browser of one person."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.cookies = CookieJar()
        self.opener: OpenerDirector = build_opener(HTTPCookieProcessor(self.cookies))
        self.token = ""

    def log_in(self, login: str, password: str) -> None:
        page = self.post("/login", login=login, password=password)
        assert "Log out" in page, page[-2000:]

    def get(self, path: str, *, status: int = 200) -> str:
        return self._open(Request(self.base + path), status)  # noqa: S310 (the base is a loopback address of the test)

    def post(self, path: str, *, status: int = 200, **fields: str) -> str:
        """The page that the answer leads to."""
        body = urlencode({"csrf_token": self.token, **fields}).encode()
        request = Request(self.base + path, data=body, headers={"Origin": self.base})  # noqa: S310 (as above)
        return self._open(request, status)

    def _open(self, request: Request, status: int) -> str:
        try:
            with self.opener.open(request, timeout=20) as answer:
                got, text = answer.status, answer.read().decode()
        except HTTPError as error:
            got, text = error.code, error.read().decode()
        assert got == status, f"{request.full_url}: {got}\n{text[-3000:]}"
        if found := TOKEN.search(text):
            self.token = found[1]
        return text
