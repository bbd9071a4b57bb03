"""A real mail server on the loopback interface, inside TLS, that keeps what it took and can be told to refuse or to fail."""

import asyncio
import ssl
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

USER, PASSWORD = "ris", "a lantern in the fog"


@dataclass
class MailServer:
    """`says` holds answers to give instead of 250, by stage (mail, rcpt, data), each used once."""

    certificate: tuple[Path, Path]
    implicit: bool = False
    offers_tls: bool = True
    says: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    hang_up_after_data: bool = False
    """Takes the message and is gone before it says so."""
    taken: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    logins: int = 0
    port: int = 0

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,))
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def is_upgraded(self) -> bool:
        """Whether a conversation begins in clear text and goes on inside TLS."""
        return self.offers_tls and not self.implicit

    def subjects(self) -> list[str]:
        return [str(message["Subject"]) for message in self.taken]

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._run(ready))
        self._loop.close()

    async def _run(self, ready: threading.Event) -> None:
        self._stop = asyncio.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate)
        protocols: list[SMTP] = []

        def protocol() -> SMTP:
            speaks = {"tls_context": context, "require_starttls": True, "auth_required": True} if self.is_upgraded else {}
            speaks |= {"authenticator": self._authenticate, "auth_require_tls": self.is_upgraded}
            protocols.append(SMTP(self, loop=self._loop, ident="peer", **speaks))
            return protocols[-1]

        server = await self._loop.create_server(protocol, "127.0.0.1", self.port, ssl=context if self.implicit else None)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for each in protocols:
            if each.transport is not None:
                each.transport.abort()
        # What an aborted connection leaves behind is cleared away in the next rounds of the loop.
        for _ in range(3):
            await asyncio.sleep(0)
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()), return_exceptions=True)

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, said: Any) -> AuthResult:
        self.logins += 1
        is_right = (said.login, said.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=is_right, handled=False)

    # ── the handler of aiosmtpd ──────────────────────────────────────────────────────────────────────────────────────

    async def handle_MAIL(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:  # noqa: N802
        if self.says["mail"]:
            return self.says["mail"].pop(0)
        envelope.mail_from = address
        return "250 fine"

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:  # noqa: N802
        if self.says["rcpt"]:
            return self.says["rcpt"].pop(0)
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.says["data"]:
            return self.says["data"].pop(0)
        self.recipients += envelope.rcpt_tos
        content = envelope.original_content or b""
        self.taken.append(message_from_bytes(content, policy=policy.default))  # type: ignore[arg-type]
        if self.hang_up_after_data:
            self.hang_up_after_data = False
            server.transport.abort()
        return "250 2.0.0 queued as 17"
