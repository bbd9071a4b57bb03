"""The public page behind the link in an e-mail: it asks once, shows nothing of anybody, and stops e-mails to the address."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from ris.base.errors import NotFound
from ris.base.uow import Actor, retrying
from ris.notice import consent
from ris.notice.language import Page, language
from ris.notice.model import Notice, StopSource
from ris.notice.stop_link import notice_of
from ris.web.access import public
from ris.web.page import program, reading
from ris.web.security import csrf

bp = Blueprint("stop", __name__, url_prefix="/stop-mail", template_folder="templates")

READER = "reader of the mailbox"


@bp.get("/<token>")
@public
def show(token: str) -> ResponseReturnValue:
    """Asks only: mail programs open links by themselves to look for malware."""
    page, code = _page(_notice(token))
    return render_template("mail/stop.html", page=page, code=code, done=False)


@bp.post("/<token>")
@csrf.exempt
@public
def stop(token: str) -> ResponseReturnValue:
    """From the page, or straight from a mail program (RFC 8058), which sends no form token; the signature stands for it."""
    notice_id = _notice(token)
    source = StopSource.mail_program if request.form.get("List-Unsubscribe") == "One-Click" else StopSource.link

    def work() -> None:
        with program().uow(Actor("system", 0, READER, request.remote_addr or "")) as uow:
            consent.stop_by_link(uow, notice_id, source)

    retrying(work)
    page, code = _page(notice_id)
    return render_template("mail/stop.html", page=page, code=code, done=True)


def _notice(token: str) -> int:
    """Raises NotFound, whether the link is wrong or its message is not there."""
    found = notice_of(program().settings.web.secret_key.get_secret_value(), token)
    if found is None:
        raise NotFound("This link is not one of ours, or it is not whole. Please call us instead.")
    return found


def _page(notice_id: int) -> tuple[Page, str]:
    """In the language of the message."""
    with reading() as session:
        notice = session.get(Notice, notice_id)
    spoken = language(notice.language if notice else "en")
    return spoken.page, spoken.code if spoken.texts else "en"
