"""Whose an unread exam is to read: taken by a person, or given by somebody else, until it is read or let go."""

import sqlalchemy as sa

from ris.base.errors import Conflict, Forbidden, Invalid, NotAllowedNow, Stale
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Procedure
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.report.model import UnreadExam
from ris.report.status import Holding
from ris.staff import queries as staff
from ris.staff import reads
from ris.staff.model import User
from ris.staff.permission import Permission


@service
def reserve(uow: UnitOfWork, procedure_id: int) -> UnreadExam:
    """The actor takes it. Raises Stale naming whose it is, NotAllowedNow for an exam that waits no more, Forbidden beyond credentials."""
    exam = _waiting(uow, procedure_id)
    if exam.held_by_id not in (None, uow.actor.id):
        raise Stale(f"{uow.session.get_one(User, exam.held_by_id).name} has it already: ask, or choose another one")
    _refuse_reader(uow, exam, uow.actor.id, "you")
    return _hold(uow, exam, uow.actor.id, Holding.reserved, f"{uow.actor.name} has reserved it")


@service
def assign(uow: UnitOfWork, procedure_id: int, *, user_id: int, why: str = "") -> UnreadExam:
    """Gives it to a person, also what is somebody else's already. `why` says by which rule; without one the actor gives it.

    Raises Forbidden where the actor may not sign there, Invalid for a person who cannot read it.
    """
    exam = _waiting(uow, procedure_id)
    if not why:
        _refuse_giver(uow, exam)
    person = uow.session.get(User, user_id)
    if person is None or not person.active:
        raise Invalid("there is no such person to give it to")
    _refuse_reader(uow, exam, user_id, person.name)
    return _hold(uow, exam, user_id, Holding.assigned, why or f"{uow.actor.name} has given it to {person.name}")


@service
def let_go(uow: UnitOfWork, procedure_id: int) -> None:
    """It is anybody's again. Raises Forbidden for what is somebody else's, unless the actor may sign there."""
    exam = _waiting(uow, procedure_id)
    if exam.held_by_id is None:
        return
    if exam.held_by_id != uow.actor.id:
        _refuse_giver(uow, exam)
    before = exam.held_by_id
    uow.touch()
    exam.held_by_id, exam.holding, exam.held_at, exam.held_why = None, None, None, ""
    _tell(uow, "report.let_go", exam, user_id=before)


def reader_by_login(uow: UnitOfWork, login: str) -> int:
    """The key of an account. Raises Invalid."""
    user_id = uow.session.scalar(sa.select(User.id).where(User.login == login.strip().lower()))
    if user_id is None:
        raise Invalid("there is nobody with this login")
    return user_id


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _waiting(uow: UnitOfWork, procedure_id: int) -> UnreadExam:
    exam = uow.session.get(UnreadExam, procedure_id, with_for_update=True, populate_existing=True)
    if exam is None:
        raise NotAllowedNow("this exam does not wait to be read any more")
    return exam


def _hold(uow: UnitOfWork, exam: UnreadExam, user_id: int, holding: Holding, why: str) -> UnreadExam:
    if exam.held_by_id == user_id and exam.holding is holding:
        return exam
    uow.touch()
    exam.held_by_id, exam.holding, exam.held_at, exam.held_why = user_id, holding, uow.now, why
    _tell(uow, f"report.{holding}", exam, user_id=user_id, why=why)
    return exam


def _tell(uow: UnitOfWork, name: str, exam: UnreadExam, **facts: object) -> None:
    procedure = uow.session.get_one(RequestedProcedure, exam.procedure_id)
    uow.emit(orders.procedure_event(name, procedure, Ref("procedure", exam.procedure_id), **facts))


def _refuse_giver(uow: UnitOfWork, exam: UnreadExam) -> None:
    if not staff.rights_of(uow.session, uow.actor.id).may(Permission.REPORT_SIGN, exam.site_id):
        raise Forbidden("only who may sign reports here gives exams to others, or takes them away")


def _refuse_reader(uow: UnitOfWork, exam: UnreadExam, user_id: int, name: str) -> None:
    """Raises Invalid for who writes no reports there, Conflict beyond the person's credentials."""
    if not staff.rights_of(uow.session, user_id).may(Permission.REPORT_WRITE, exam.site_id):
        raise Invalid(f"{name} may not write reports at this site")
    kind = uow.session.get(Procedure, exam.catalog_id)
    if kind is not None and not reads.of(uow.session, user_id).covers(kind.modality, kind.subspecialty):
        raise Conflict(f"the credentials of {name} do not cover this exam")
