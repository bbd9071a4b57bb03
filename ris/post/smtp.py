"""One conversation with the mail server: always inside TLS, its certificate checked, one message after the other (RFC 5321, RFC 3207)."""

import smtplib
import ssl

from ris.notice.letter import Letter
from ris.notice.sending import Verdict
from ris.settings import Mail

_TAKEN = 250
_FOR_GOOD = 500
_CLOSING = 421
LONGEST_ANSWER = 200


class NoServer(Exception):
    """There is nobody to hand messages to; the text says why and names no patient. Nothing was handed over."""


class MailServer:
    """A connection to the server of the settings; used by one thread."""

    def __init__(self, mail: Mail) -> None:
        self._mail = mail
        self._smtp: smtplib.SMTP | None = None

    def connect(self) -> None:
        """Sees to it that there is a connection inside TLS on which we may speak. Raises NoServer."""
        if not self._mail.host:
            raise NoServer("no mail server is set (mail.host)")
        if self._smtp is not None and self._is_alive(self._smtp):
            return
        self.close()
        try:
            self._smtp = self._opened()
        except ssl.SSLCertVerificationError as error:
            raise NoServer(f"the certificate of the mail server is not trusted: {error.verify_message}") from error
        except smtplib.SMTPNotSupportedError as error:
            raise NoServer("the mail server offers no TLS, or no way to log in") from error
        except smtplib.SMTPResponseException as error:
            raise NoServer(f"the mail server says {_said(error.smtp_code, error.smtp_error)}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise NoServer(f"the mail server cannot be reached: {type(error).__name__}") from error

    def send(self, letter: Letter) -> Verdict:
        """Hands one message over. Raises NoServer where the fault is ours with the server and not this message's.

        When the connection ends after the message's last byte nobody can know whether it was taken: it counts as put off.
        """
        smtp = self._smtp
        if smtp is None:
            raise NoServer("there is no connection")
        try:
            code, answer = smtp.mail(letter.sender)
            if code != _TAKEN:
                self._give_up(smtp)
                raise NoServer(f"the mail server does not take our sender: {_said(code, answer)}")
            code, answer = smtp.rcpt(letter.recipient)
            if code in (_TAKEN, 251):
                code, answer = smtp.data(letter.payload)
            if code != _TAKEN:
                self._give_up(smtp)
        except smtplib.SMTPResponseException as error:
            self._give_up(smtp)
            return _verdict(error.smtp_code, error.smtp_error)
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            return Verdict(False, False, f"the connection ended before the answer: {type(error).__name__}")
        if code == _CLOSING:
            self.close()
        return _verdict(code, answer)

    def close(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()

    def bid_farewell(self) -> None:
        """Ends an idle conversation as the standard wants it."""
        if self._smtp is not None:
            try:
                self._smtp.quit()
            except (smtplib.SMTPException, OSError):
                self.close()
        self._smtp = None

    def _opened(self) -> smtplib.SMTP:
        mail = self._mail
        tls = ssl.create_default_context(cafile=str(mail.authorities) if mail.authorities else None)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        if mail.security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=mail.timeout_seconds, context=tls)
        else:
            smtp = smtplib.SMTP(mail.host, mail.port, timeout=mail.timeout_seconds)
        try:
            if mail.security == "starttls":
                smtp.starttls(context=tls)
            smtp.ehlo()
            if mail.user:
                smtp.login(mail.user, mail.password.get_secret_value())
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _is_alive(self, smtp: smtplib.SMTP) -> bool:
        try:
            return smtp.noop()[0] == _TAKEN
        except (smtplib.SMTPException, OSError):
            return False

    def _give_up(self, smtp: smtplib.SMTP) -> None:
        """So that the next message begins afresh; a server that does not answer to it is left."""
        try:
            smtp.rset()
        except (smtplib.SMTPException, OSError):
            self.close()


def _verdict(code: int, answer: bytes | str) -> Verdict:
    return Verdict(code == _TAKEN, code >= _FOR_GOOD, _said(code, answer))


def _said(code: int, answer: bytes | str) -> str:
    """The server's answer, on one line. It may name the address, as the record of the message does."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return f"{code} {' '.join(text.split())}"[:LONGEST_ANSWER]
