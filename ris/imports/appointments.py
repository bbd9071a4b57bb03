"""Future appointments as a file: each an order with its exam, booked as the desk books, so that what stands in the way is said by line."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ris.base.clock import from_wall_clock, local
from ris.base.errors import Forbidden, Invalid, Occupied, RisError
from ris.base.ref import Coded
from ris.base.uow import UnitOfWork
from ris.catalog.model import Procedure, Room, Site
from ris.catalog.records.field import Field, Known, Number, Reference
from ris.imports import cells
from ris.imports.cells import Day, MaybeChoice, Time, number_fields
from ris.imports.kind import Kind, Line, LineRefused, TakeOne
from ris.order import service as orders
from ris.order.desk import OURS
from ris.order.model import Order
from ris.order.status import NOT_STARTED, Priority
from ris.partner.model import Partner
from ris.scheduling import service as scheduling
from ris.scheduling.model import ScheduledProcedureStep
from ris.staff.permission import Permission

MOST_LINES = 5000
"""Each takes locks of its room and patient until the end of the transaction, and a database holds so many."""
_SIDES = ("", "L", "R", "B")
FIELDS: tuple[Field, ...] = (
    Field("partner", "Partner", "Whose order number it is, as the partner is called here: its later messages find the order.",
          required=True, longest=100),
    Field("number", "Order number", "What that partner calls the order; a number for each exam.", required=True, longest=60),
    *number_fields("patient_"),
    Reference("procedure", "Procedure", to=Procedure),
    Reference("room", "Room", to=Room),
    Day("date", "Date", "By the clock of the site.", required=True),
    Time("time", "Time", required=True, longest=5),
    Number("minutes", "Minutes", "Where it is not what the exam takes in that room.", least=1, most=1440),
    Field("side", "Side", "L, R or B; nothing for an exam without sides.", longest=1),
    MaybeChoice("priority", "Priority", "Table 0485.", of=Priority),
    Field("orderer_name", "Who orders", longest=120),
    Field("reason", "Reason", "Of the exam.", longest=500),
)  # fmt: skip


class _Agreed(Mapping[str, str]):
    """The answer to every rule that only warns: the appointment was made where somebody else was asked."""

    def __getitem__(self, key: str) -> str:
        return "it was booked in the system before"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a line asks for."""

    partner_id: int
    patient_id: int
    room: Room
    zone: str
    starts_at: datetime
    values: Mapping[str, Any]

    @property
    def key(self) -> str:
        return orders.placer_key(self.partner_id, "", self.values["number"])


def _begin(uow: UnitOfWork, lines: Sequence[Line]) -> TakeOne:
    known = Known(uow.session)
    partners = dict(uow.session.execute(sa.select(Partner.name, Partner.id).where(Partner.active)).all())
    cells.load_identifiers(uow, lines, "patient_")

    def take(line: Line) -> None:
        values = cells.read(known, FIELDS, line)
        wanted = _wanted(uow, line, values, partners) if values else None
        if wanted is None:
            return
        order = uow.session.scalars(sa.select(Order).where(Order.placer_key == wanted.key)).one_or_none()
        if order is None:
            _book(uow, line, wanted, known.codes(Procedure)[values["procedure"]] if values else "")
        else:
            _compare(uow, line, wanted, order)

    return take


def _wanted(uow: UnitOfWork, line: Line, values: Mapping[str, Any], partners: Mapping[str, int]) -> _Wanted | None:
    if values["partner"] not in partners:
        line.wrong("partner", "is no partner of ours", f"write one of {', '.join(sorted(partners)) or 'them, once there is one'}")
    if values["side"] not in _SIDES:
        line.wrong("side", "is no side", "write L, R or B, or nothing")
    room = uow.session.get_one(Room, values["room"])
    zone = uow.session.get_one(Site, room.site_id).zone
    try:
        starts_at = from_wall_clock(datetime.combine(values["date"], values["time"]), zone)
    except ValueError as error:
        line.wrong("time", str(error), "write a time that there is on that day")
        return None
    patient_id = cells.patient_of(uow, line, values)
    if line.is_wrong or patient_id is None:
        return None
    return _Wanted(partners[values["partner"]], patient_id, room, zone, starts_at, values)


def _book(uow: UnitOfWork, line: Line, wanted: _Wanted, code: str) -> None:
    _refuse_past(uow, wanted)
    values = wanted.values
    procedure = uow.session.get_one(Procedure, values["procedure"])
    if not procedure.active:
        raise LineRefused("procedure", f"{code} is retired", "write a procedure that is in use")
    order = orders.place(
        uow,
        orders.OrderRequest(
            patient_id=wanted.patient_id, site_id=wanted.room.site_id, partner_id=wanted.partner_id, placer_number=values["number"],
            procedures=(orders.ProcedureRequest(Coded(code, procedure.name, OURS), procedure.id, values["side"]),),
            priority=values["priority"], orderer_name=values["orderer_name"], reason=values["reason"],
        ),
    )  # fmt: skip
    procedure_id = order.procedures[0].id
    uow.flush()
    with _saying_why():
        scheduling.book(
            uow, procedure_id=procedure_id, room_id=wanted.room.id, starts_at=wanted.starts_at, minutes=values["minutes"],
            answers=_Agreed(),
        )  # fmt: skip
    line.new()


def _compare(uow: UnitOfWork, line: Line, wanted: _Wanted, order: Order) -> None:
    """A known order: unchanged, moved to what the file says, or left to a person where something has happened to it here."""
    exam = order.procedures[0]
    if order.patient_id != wanted.patient_id:
        raise LineRefused("number", "is an order of another patient here", "put the number right")
    if exam.procedure_id != wanted.values["procedure"]:
        line.undecided("procedure", "is another exam here", "change it by hand, or take the line out")
        return
    steps = scheduling.live_steps(uow, exam.id)
    if exam.status not in NOT_STARTED or not steps:
        what = "has been begun or has ended here" if exam.status not in NOT_STARTED else "has no appointment here any more"
        line.undecided("number", what, "take the line out, or book it by hand")
        return
    step = min(steps, key=lambda step: step.number)
    before, after = _place(uow, step, wanted.zone), _said(wanted)
    names = [name for name in after if before[name] != after[name]]
    if names:
        _refuse_past(uow, wanted)
        with _saying_why():
            scheduling.move(
                uow, step_id=step.id, room_id=wanted.room.id, starts_at=wanted.starts_at, minutes=wanted.values["minutes"],
                answers=_Agreed(),
            )  # fmt: skip
    line.saved({name: before[name] for name in names}, {name: after[name] for name in names})


def _place(uow: UnitOfWork, step: ScheduledProcedureStep, zone: str) -> dict[str, str]:
    at = local(step.starts_at, zone)
    return {"room": uow.session.get_one(Room, step.room_id).code, "date": f"{at:%Y-%m-%d}", "time": f"{at:%H:%M}"}


def _said(wanted: _Wanted) -> dict[str, str]:
    at = local(wanted.starts_at, wanted.zone)
    return {"room": wanted.room.code, "date": f"{at:%Y-%m-%d}", "time": f"{at:%H:%M}"}


def _refuse_past(uow: UnitOfWork, wanted: _Wanted) -> None:
    if wanted.starts_at <= uow.now:
        raise LineRefused("date", "is past", "take the line out: only appointments ahead are taken in")


@contextmanager
def _saying_why() -> Iterator[None]:
    """A refusal of the booking as one of the column that can be changed about it."""
    try:
        yield
    except Forbidden as error:
        raise LineRefused("procedure", error.message, "book it by hand, with somebody who may override the rule") from error
    except Occupied as error:
        raise LineRefused("time", error.message, "write another time or room") from error
    except Invalid as error:
        raise LineRefused("room", error.message, "write another room or time") from error
    except RisError as error:
        raise LineRefused("", error.message, "book it by hand") from error


APPOINTMENTS = Kind(
    "appointment",
    "Future appointments",
    "What is booked already where you come from: each line becomes an order with its appointment. Later steps follow the first.",
    Permission.PATIENT_IMPORT,
    cells.columns(FIELDS),
    ("partner", "number"),
    _begin,
    as_one=True,
    tells="Partners who are told of orders and appointments would be told of each, and patients who get e-mails of theirs.",
    most_lines=MOST_LINES,
)
