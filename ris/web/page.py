"""What views work with: a session to read, a unit of work, an exam by right, the audit entry of a look, one-use keys, wall clocks."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from flask import abort, current_app, g, request
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from ris.audit import service as audit
from ris.audit.model import Action
from ris.base.clock import local
from ris.base.errors import Invalid, NotAllowedNow, RisError, Unavailable
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork, retrying
from ris.catalog import reasons
from ris.catalog.model import ReasonKind
from ris.order import queries as orders
from ris.order.queries import ExamRow
from ris.patient import alerts, contacts
from ris.patient.alerts import Alert
from ris.patient.contacts import Reached
from ris.program import Program
from ris.referrer import queries as referrers
from ris.staff import service as staff
from ris.staff.model import UsedKey
from ris.staff.permission import Permission
from ris.web.access import Person, may, not_here, person, sites_for
from ris.web.form import Form
from ris.web.session import current_session, sessions

READS = (Permission.EXAM_READ, Permission.REPORT_READ)
PASSWORD_HOLDS = timedelta(minutes=5)
"""So long a password that was given counts as given for a signature."""


def program() -> Program:
    return cast("Program", current_app.extensions["ris"])


def current_user() -> Person:
    return person()


@contextmanager
def reading() -> Iterator[Session]:
    """A session for queries; it sees what is committed."""
    with program().read() as session:
        yield session


@contextmanager
def changing() -> Iterator[UnitOfWork]:
    """A unit of work of the person who is logged in; it commits when the block ends well.

    When it does not, because another click with the same form was faster, the answer leads where that one led.
    """
    try:
        with program().uow(person().actor) as uow:
            yield uow
    except (RisError, IntegrityError):
        if (before := used_before()) is not None:
            abort(before)
        raise


def exam_here(procedure_id: int, permission: Permission) -> ExamRow:
    """The exam, for a person who has the right at its site; who ordered it reads it too; 404 for everybody else."""
    with reading() as session:
        exam = orders.exam(session, procedure_id)
    if exam is None:
        abort(404)
    if not (may(permission, exam.site_id) or (permission in READS and may(permission, exam.ordered_site_id))):
        raise not_here(permission, Ref("procedure", procedure_id))
    return exam


def look(
    what: str, about: Ref, *, patient_id: int | None = None, procedure_id: int | None = None, site_id: int | None = None, **detail: Any
) -> None:
    """Writes that the person looks at something, committed before the first byte leaves. Raises Unavailable when it cannot be."""
    _entry(Action.read, what, about, patient_id=patient_id, procedure_id=procedure_id, site_id=site_id, detail=detail)


def look_query(what: str, detail: dict[str, Any]) -> None:
    """Writes that the person searched or listed: the terms, never the results; not at each poll of a live list."""
    _entry(Action.query, what, Ref("list", 0), detail=detail)


def _entry(action: Action, what: str, about: Ref, **facts: Any) -> None:
    def work() -> None:
        with program().uow(person().actor) as uow:
            audit.entry(uow, action, what, about, **facts)

    try:
        retrying(work)
    except SQLAlchemyError as error:
        raise Unavailable("what is looked at cannot be recorded now, so it is not shown") from error


def check_password(password: str) -> bool:
    """Whether it is the password of who is logged in; the session then goes on under a fresh token. Raises NotAllowedNow."""
    with changing() as uow:
        is_right = staff.check_again(uow, user_id=person().id, password=password)
        if is_right:
            sessions().step_up(uow)
    return is_right


def password_holds_until() -> datetime | None:
    """Until when a signature needs no password again, because it was given lately; None when it must be given."""
    row = current_session().row
    if row is None or row.password_at is None:
        return None
    until = row.password_at + PASSWORD_HOLDS
    return until if program().clock() < until else None


def require_password(refusal: str, *, lately: bool = False) -> None:
    """Raises NotAllowedNow with the refusal unless the form's password is right, or `lately` was and is left empty."""
    password = request.form.get("password", "")
    if lately and not password and password_holds_until() is not None:
        return
    if not check_password(password):
        raise NotAllowedNow(refusal)


# ── one-use keys ─────────────────────────────────────────────────────────────────────────────────────────────────────


def form_key() -> str:
    """A hidden field's value: a form that is sent twice acts once."""
    return secrets.token_urlsafe(16)


def used_before() -> Response | None:
    """Where the first use of this form led; None for the first one, or for a form without a key."""
    key = _sent_key()
    if not key:
        return None
    with reading() as session:
        location = session.scalar(sa.select(UsedKey.location).where(UsedKey.key == key))
    return redirect(location, 303) if location is not None else None


def use_key(uow: UnitOfWork, location: str) -> None:
    """Marks the form's key as used, in the transaction of what it does; the second of two at once fails on it."""
    key = _sent_key()
    if key:
        uow.session.add(UsedKey(key=key, at=uow.now, location=location))


def _sent_key() -> str:
    """One form may do the same with each row of a list: its key is used once for each."""
    key = request.form.get("form_key", "")
    return f"{key} {request.path}" if key else ""


# ── templates ────────────────────────────────────────────────────────────────────────────────────────────────────────


def wall_clock(moment: datetime, zone: str) -> str:
    return f"{local(moment, zone):%Y-%m-%d %H:%M}"


def wall_clock_seconds(moment: datetime, zone: str) -> str:
    return f"{local(moment, zone):%Y-%m-%d %H:%M:%S}"


def wall_date(moment: datetime, zone: str) -> str:
    return f"{local(moment, zone):%Y-%m-%d}"


def is_second(moment: datetime, zone: str) -> bool:
    """Whether its wall-clock time was there an hour before already: in the autumn night."""
    return local(moment, zone).fold == 1


def words(name: str) -> str:
    """`in_progress` as a person reads it."""
    return str(name).replace("_", " ")


def right_name(permission: str) -> str:
    """`safety:override` as a person reads it."""
    return permission.replace(":", ": ").replace("_", " ")


def sentence(text: str) -> str:
    """The reason of a refusal as the beginning of a sentence: its codes stay as they are."""
    return text[:1].upper() + text[1:]


FILTERS = {
    "wall_clock": wall_clock,
    "wall_clock_seconds": wall_clock_seconds,
    "wall_date": wall_date,
    "is_second": is_second,
    "words": words,
    "sentence": sentence,
    "right_name": right_name,
}


def alerts_of(patient_id: int) -> tuple[Alert, ...]:
    """What must be known of a patient, for the banner of every page that shows one."""
    with reading() as session:
        return alerts.of_patients(session, (patient_id,), program().clock()).get(patient_id, ())


def reasons_of(kind: str) -> list[str]:
    """What the house offers where a reason of the kind is given."""
    with reading() as session:
        return reasons.offered(session, ReasonKind(kind))


def reason_for(kind: ReasonKind, name: str = "reason") -> str:
    """The reason that a form gives. Raises Invalid for one that says too little."""
    with reading() as session:
        return reasons.enough(session, kind, request.form.get(name, ""))


def reason_in(form: Form, name: str, label: str, kind: ReasonKind, *, required: bool = True) -> str:
    """The same of a form with its errors beside the fields."""
    said = form.text(name, label, required=required)
    try:
        with reading() as session:
            return reasons.enough(session, kind, said)
    except Invalid as error:
        form.errors[name] = f"{error.message}."
        return said


def reached_of(patient_id: int) -> Reached:
    """Whom the desk speaks to in the place of a patient, for the banner."""
    with reading() as session:
        return contacts.reached(session, patient_id, program().clock().date())


def listed_sites(permission: Permission) -> frozenset[int]:
    """Whose rows a list shows and counts: the site that the person works at, else all at which they have the permission."""
    own = sites_for(permission)
    chosen = g.get("chosen_site")
    return frozenset({chosen}) if chosen in own else own


def referrers_offered() -> list[str]:
    """Whom order entry proposes."""
    with reading() as session:
        return referrers.offered(session)


def working_site(sites: frozenset[int]) -> int | None:
    """The site that the person works at now: the one chosen, else the first of those given."""
    chosen = g.get("chosen_site")
    if chosen in sites:
        return cast("int", chosen)
    return min(sites) if sites else None
