"""The tablet of a waiting patient: a code that opens it once, for the forms of one patient, until they are filled."""

import hashlib
import math
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Invalid
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.order import service as orders
from ris.questionnaire import filling, queries
from ris.questionnaire.model import TabletSession
from ris.questionnaire.queries import Needed
from ris.staff import guessing

CODE_DIGITS = 8
CODE_HOLDS = timedelta(minutes=10)
IDLE = timedelta(minutes=10)
LONGEST = timedelta(hours=1)
FREE_BY_PLACE, FREE_IN_ALL = 5, 100
"""So many wrong codes an hour cost no wait: from one address, and in the whole house."""
EVERYWHERE = "tablet"


@dataclass(frozen=True, slots=True)
class Opened:
    """What came of a code: a token for the cookie, else how many seconds to wait, else neither."""

    token: str = ""
    wait_s: int = 0


@service
def make_code(uow: UnitOfWork, *, procedure_id: int, version_ids: Collection[int], language: str) -> str:
    """A code for the tablet: it opens what this exam asks for and is not filled, of the versions chosen.

    Whatever was opened for the exam before ends. Raises Invalid where nothing is to be filled.
    """
    procedure = orders.get_procedure(uow, procedure_id)
    open_forms = [form for form in queries.needed(uow.session, procedure_id, uow.now) if not form.is_valid]
    chosen = [form for form in open_forms if form.version.version_id in version_ids]
    if not chosen:
        raise Invalid("choose at least one form that is still to be filled", error_code="101")
    for other in _live_of(uow.session, procedure_id):
        _end(uow, other, "another code was made")
    responses = [_response(uow, procedure_id, form, language) for form in chosen]
    code = _unused(uow)
    session = uow.add(
        TabletSession(
            id=new_id(), procedure_id=procedure_id, response_ids=responses, code_hash=_hash(code), made_at=uow.now, made_by=uow.actor.name,
            expires_at=uow.now + CODE_HOLDS, opened_at=None, place="", token_hash=None, csrf_secret="", confirmed_at=None,
            last_used_at=None, ended_at=None, ended_why="",
        )
    )  # fmt: skip
    uow.emit(orders.procedure_event("questionnaire.code_made", procedure, tablet=session.id, forms=len(responses)))
    return code


@service
def open_with(uow: UnitOfWork, code: str, *, place: str) -> Opened:
    """Takes a code that somebody typed at an address; each wrong one makes the next wait longer, there and in the house."""
    keys = (f"tablet:{place}", EVERYWHERE)
    uow.lock(*keys)
    wait = max(guessing.wait(uow, keys[0], FREE_BY_PLACE), guessing.wait(uow, keys[1], FREE_IN_ALL))
    if wait > timedelta():
        return Opened(wait_s=math.ceil(wait.total_seconds()))
    digits = "".join(code.split())
    session = _of_code(uow, digits)
    if session is None:
        guessing.note(uow, keys)
        uow.emit(Event("questionnaire.code_refused", Ref(EVERYWHERE, 0)))
        return Opened()
    token = secrets.token_urlsafe(32)
    uow.touch()
    session.opened_at = session.last_used_at = uow.now
    session.place, session.token_hash, session.csrf_secret = place, _hash(token), secrets.token_hex(32)
    _tell(uow, "questionnaire.tablet_opened", session)
    return Opened(token)


def live(session: Session, token: str, now: datetime) -> TabletSession | None:
    """The session of a tablet's cookie; None for one that has ended, has been left alone, or never was."""
    if not token:
        return None
    row = session.scalars(sa.select(TabletSession).where(TabletSession.token_hash == _hash(token))).one_or_none()
    return row if row is not None and _is_live(row, now) else None


def use(uow: UnitOfWork, token: str) -> TabletSession | None:
    """As `live`, for a change: it counts as use of the session."""
    row = live(uow.session, token, uow.now)
    if row is not None:
        uow.touch()
        row.last_used_at = uow.now
    return row


@service
def confirm(uow: UnitOfWork, session: TabletSession) -> None:
    """Whoever holds the tablet says that name and year of birth are their own."""
    uow.touch()
    session.confirmed_at = uow.now


@service
def end(uow: UnitOfWork, session: TabletSession, why: str) -> None:
    """The cookie is worth nothing any more; what was answered stays."""
    _end(uow, session, why)


@service
def end_all(uow: UnitOfWork, procedure_id: int) -> None:
    """Ends what is open for an exam, also a code that nobody typed yet."""
    for session in _live_of(uow.session, procedure_id):
        _end(uow, session, "ended by the desk")


def latest(session: Session, procedure_id: int) -> TabletSession | None:
    """The newest of an exam, also one that has ended."""
    of = TabletSession
    return session.scalars(sa.select(of).where(of.procedure_id == procedure_id).order_by(of.id.desc()).limit(1)).first()


def state(row: TabletSession, now: datetime) -> str:
    """One of code, expired, open, idle and ended."""
    if row.ended_at is not None:
        return "ended"
    if row.opened_at is None:
        return "code" if row.expires_at > now else "expired"
    return "open" if _is_live(row, now) else "idle"


def _is_live(row: TabletSession, now: datetime) -> bool:
    if row.opened_at is None or row.ended_at is not None or row.last_used_at is None:
        return False
    return now - row.last_used_at < IDLE and now - row.opened_at < LONGEST


def _response(uow: UnitOfWork, procedure_id: int, form: Needed, language: str) -> int:
    first = form.version.content.languages
    begun = filling.begin(
        uow, procedure_id=procedure_id, version_id=form.version.version_id, language=language if language in first else first[0]
    )
    return begun.id


def _of_code(uow: UnitOfWork, digits: str) -> TabletSession | None:
    """The session that a code opens; of two tablets that send it at once one finds it."""
    of = TabletSession
    wanted = sa.select(of).where(
        of.code_hash == _hash(digits), of.opened_at.is_(None), of.ended_at.is_(None), of.expires_at > uow.now
    )  # fmt: skip
    return uow.session.scalars(wanted.with_for_update()).one_or_none()


def _unused(uow: UnitOfWork) -> str:
    while True:
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        if _of_code(uow, code) is None:
            return code


def _live_of(session: Session, procedure_id: int) -> list[TabletSession]:
    of = TabletSession
    return list(session.scalars(sa.select(of).where(of.procedure_id == procedure_id, of.ended_at.is_(None))))


def _end(uow: UnitOfWork, row: TabletSession, why: str) -> None:
    uow.touch()
    row.ended_at, row.ended_why = uow.now, why
    _tell(uow, "questionnaire.tablet_ended", row, why=why)


def _tell(uow: UnitOfWork, name: str, row: TabletSession, **facts: Any) -> None:
    procedure = orders.get_procedure(uow, row.procedure_id)
    uow.emit(orders.procedure_event(name, procedure, tablet=row.id, **facts))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
