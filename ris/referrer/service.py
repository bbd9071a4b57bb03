"""What can be done with referrers: take them from what arrives, complete them, join two that are one."""

import re
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from ris.base.errors import Conflict, Duplicate, Invalid, NotFound, Stale
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.patient.email import is_address
from ris.patient.keys import folded
from ris.referrer.model import Delivery, Referrer, ReferrerAlias, ReferrerPractice
from ris.referrer.npi import is_npi

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
"""What leads nowhere else."""


def is_folder(text: str) -> bool:
    """Whether it can be the name of a folder within that of all results."""
    return _FOLDER.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class ReferrerData:
    family: str
    given: str = ""
    title: str = ""
    specialty: str = ""
    npi: str = ""
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class PracticeData:
    name: str
    street: str = ""
    postal_code: str = ""
    city: str = ""
    region: str = ""
    phone: str = ""
    fax: str = ""
    email: str = ""
    delivery: Delivery = Delivery.print
    destination_id: int | None = None
    folder: str = ""
    is_main: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """How an order names its orderer: XCN of ORC-12, OBR-16 or typed at the desk (`partner_id` None)."""

    partner_id: int | None
    number: str
    name: str
    """`Family, Given`."""

    @property
    def key(self) -> str:
        return f"{self.partner_id or 0}|{self.number}" if self.number else f"{self.partner_id or 0}||{folded(self.name)}"


@service
def take_in(uow: UnitOfWork, named: Collection[Named]) -> int:
    """Makes an entry, to be completed, of everybody whom nobody has named before; gives how many were new.

    A number that is an NPI leads to the entry that has it, whoever sends it.
    """
    wanted = {one.key: one for one in named if one.number or one.name}
    known = set(uow.session.scalars(sa.select(ReferrerAlias.key).where(ReferrerAlias.key.in_(wanted))))
    made = 0
    for key in wanted.keys() - known:
        one = wanted[key]
        referrer = uow.session.scalars(sa.select(Referrer).where(Referrer.npi == one.number)).first() if is_npi(one.number) else None
        if referrer is None:
            family, _, given = one.name.partition(",")
            said = ReferrerData(family.strip() or one.number, given.strip(), npi=one.number if is_npi(one.number) else "")
            referrer = _add(uow, said, is_complete=False)
            made += 1
        _call(uow, referrer, one)
        uow.session.flush()
    return made


@service
def add(uow: UnitOfWork, data: ReferrerData) -> Referrer:
    """A new entry that a person wrote. Raises Invalid, Duplicate for an NPI that somebody has."""
    _check(uow, data, None)
    return _add(uow, data, is_complete=True)


@service
def save(uow: UnitOfWork, referrer_id: int, data: ReferrerData, *, row_version: int | None) -> Referrer:
    """What a person says of it; it is complete from then on. Raises Invalid, Duplicate, Stale, NotFound."""
    row = _locked(uow, referrer_id)
    if row.row_version != row_version:
        raise Stale("somebody else has changed this referrer in the meantime: compare, and save again")
    _check(uow, data, referrer_id)
    changed = [name for name in ReferrerData.__slots__ if getattr(row, name) != getattr(data, name)]
    uow.touch()
    for name in changed:
        setattr(row, name, getattr(data, name))
    row.family_key, row.given_key, row.is_complete = folded(data.family), folded(data.given), True
    _tell(uow, "referrer.changed", row.id, changed=changed)
    return row


@service
def save_practice(
    uow: UnitOfWork, referrer_id: int, data: PracticeData, *, practice_id: int | None = None, row_version: int | None = None
) -> ReferrerPractice:
    """A contact point; the first one, or one that is said to be it, is the main one. Raises Invalid where its way cannot work."""
    _locked(uow, referrer_id)
    _check_practice(data)
    others = [row for row in _practices(uow, referrer_id) if row.id != practice_id]
    said = {name: getattr(data, name) for name in PracticeData.__slots__} | {"is_main": data.is_main or not others}
    uow.touch()
    if practice_id is None:
        row = uow.add(ReferrerPractice(id=new_id(), referrer_id=referrer_id, ended_at=None, **said))
    else:
        row = _practice(uow, referrer_id, practice_id)
        if row.row_version != row_version:
            raise Stale("somebody else has changed this practice in the meantime")
        for name, value in said.items():
            setattr(row, name, value)
    for other in others:
        other.is_main = other.is_main and not row.is_main
    _tell(uow, "referrer.practice_saved", referrer_id, practice_id=row.id)
    return row


@service
def end_practice(uow: UnitOfWork, referrer_id: int, practice_id: int) -> None:
    """Nothing is sent there any more. Raises NotFound."""
    row = _practice(uow, referrer_id, practice_id)
    uow.touch()
    row.ended_at, row.is_main = uow.now, False
    _tell(uow, "referrer.practice_ended", referrer_id, practice_id=row.id)


@service
def join(uow: UnitOfWork, *, survivor_id: int, loser_id: int) -> None:
    """Two entries are one person: numbers and practices go to the survivor, and the other is offered no more.

    Raises Conflict for one with itself, or that was joined before.
    """
    if survivor_id == loser_id:
        raise Conflict("both are the same entry")
    survivor, loser = (_locked(uow, key) for key in (survivor_id, loser_id))
    uow.touch()
    has_main = any(row.is_main for row in _practices(uow, survivor_id))
    for practice in _practices(uow, loser_id):
        practice.referrer_id, practice.is_main = survivor_id, practice.is_main and not has_main
    uow.session.execute(sa.update(ReferrerAlias).where(ReferrerAlias.referrer_id == loser_id).values(referrer_id=survivor_id))
    npi, loser.npi = loser.npi, ""
    uow.session.flush()
    survivor.npi = survivor.npi or npi
    loser.is_active, loser.joined_to_id = False, survivor_id
    _tell(uow, "referrer.joined", survivor_id, loser_id=loser_id)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _add(uow: UnitOfWork, data: ReferrerData, *, is_complete: bool) -> Referrer:
    said = {name: getattr(data, name) for name in ReferrerData.__slots__}
    row = uow.add(
        Referrer(
            id=new_id(), family_key=folded(data.family), given_key=folded(data.given), is_complete=is_complete, joined_to_id=None,
            seen_at=uow.now, **said,
        )
    )  # fmt: skip
    uow.session.flush()
    _tell(uow, "referrer.added", row.id)
    return row


def _call(uow: UnitOfWork, referrer: Referrer, named: Named) -> None:
    referrer_id = referrer.joined_to_id or referrer.id
    uow.add(
        ReferrerAlias(
            id=new_id(), referrer_id=referrer_id, partner_id=named.partner_id, key=named.key, number=named.number, name=named.name
        )
    )  # fmt: skip


def _check(uow: UnitOfWork, data: ReferrerData, referrer_id: int | None) -> None:
    if not data.family.strip():
        raise Invalid("a referrer needs a family name", error_code="101")
    if data.npi and not is_npi(data.npi):
        raise Invalid("the NPI has ten digits, and its last one does not fit the others")
    if data.npi and uow.session.scalar(sa.select(Referrer.id).where(Referrer.npi == data.npi, Referrer.id != (referrer_id or 0))):
        raise Duplicate("another referrer has this NPI: join the two entries")


def _check_practice(data: PracticeData) -> None:
    if not data.name.strip():
        raise Invalid("a practice needs a name", error_code="101")
    if data.email and not is_address(data.email):
        raise Invalid("this is no e-mail address")
    if data.folder and not is_folder(data.folder):
        raise Invalid("a folder is named with letters, digits, dots and hyphens only")
    needed = {Delivery.email: data.email, Delivery.fax: data.fax, Delivery.folder: data.folder}
    if not needed.get(data.delivery, "-"):
        raise Invalid(f"results cannot go by {data.delivery.value}: nothing is said where to")


def _locked(uow: UnitOfWork, referrer_id: int) -> Referrer:
    uow.session.flush()  # what is read anew must not take back what this unit of work has changed
    row = uow.session.get(Referrer, referrer_id, populate_existing=True, with_for_update=True)
    if row is None or row.joined_to_id is not None:
        raise NotFound("there is no such referrer, or it was joined to another entry")
    return row


def _practice(uow: UnitOfWork, referrer_id: int, practice_id: int) -> ReferrerPractice:
    row = uow.session.get(ReferrerPractice, practice_id, populate_existing=True, with_for_update=True)
    if row is None or row.referrer_id != referrer_id or row.ended_at is not None:
        raise NotFound("the referrer has no such practice")
    return row


def _practices(uow: UnitOfWork, referrer_id: int) -> list[ReferrerPractice]:
    where = (ReferrerPractice.referrer_id == referrer_id, ReferrerPractice.ended_at.is_(None))
    return list(uow.session.scalars(sa.select(ReferrerPractice).where(*where).order_by(ReferrerPractice.id)))


def _tell(uow: UnitOfWork, name: str, referrer_id: int, **facts: object) -> None:
    uow.emit(Event(name, Ref("referrer", referrer_id), facts=facts))
