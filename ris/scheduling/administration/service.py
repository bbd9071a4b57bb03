"""Adding, changing, removing and taking back: whatever becomes of booked appointments is shown first, and then on the list to move."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence

import sqlalchemy as sa

from ris.base.errors import Conflict, Invalid, NotAllowedNow, NotFound, Stale
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import CHANGED_MEANWHILE, Event, UnitOfWork, service
from ris.catalog.model import Resource, Room
from ris.scheduling.administration import hits
from ris.scheduling.administration.field import NO, Wrong
from ris.scheduling.administration.hits import Hit
from ris.scheduling.administration.queries import last_change
from ris.scheduling.administration.sheet import Sheet, Texts, needed
from ris.scheduling.administration.sheets import SHEETS
from ris.scheduling.status import TO_MOVE
from ris.staff import service as staff
from ris.staff.model import RoleAssignment, RolePermission
from ris.staff.permission import Permission
from ris.task import service as task

KEPT = {
    "site": (("zone",), hits.of_site),
    "room": (("modality", "active"), hits.of_room),
    "resource": (("capabilities", "sex", "active"), hits.of_resource),
}
"""Kind to fields that stay as they are while appointments are still to come, and which those are."""


class HitsAppointments(Conflict):
    """A change would leave booked appointments in the wrong place: nothing is changed yet."""

    def __init__(self, found: Sequence[Hit], *, may_go_on: bool) -> None:
        count = f"{len(found)} booked appointment{'' if len(found) == 1 else 's'}"
        end = "would have to be moved" if may_go_on else "must be moved or cancelled first"
        super().__init__(f"{count} {end}")
        self.found = tuple(found)
        self.may_go_on = may_go_on
        """Whether somebody who accepts it may go on."""
        self.token = accepted(found)


def accepted(found: Iterable[Hit]) -> str:
    """The token of appointments: the same change that hits other ones has to be accepted anew."""
    return hashlib.blake2b(repr(sorted(hit.step_id for hit in found)).encode(), digest_size=12).hexdigest()


def version(texts: Texts | None) -> str:
    """Of a thing as it is: a save that names another one comes too late."""
    return hashlib.blake2b(json.dumps(texts, sort_keys=True).encode(), digest_size=12).hexdigest()


@service
def add(uow: UnitOfWork, kind: str, texts: Mapping[str, str], *, why: str = "", accepts: str = "") -> int:
    """The key of a new thing. Raises Wrong with what is wrong with it, HitsAppointments until `accepts` is the token of that."""
    sheet, key = SHEETS[kind], new_id()
    whole = sheet.whole(texts)
    site_id = _take_turn(uow, sheet, whole)
    _change(uow, sheet, key, site_id, None, whole, why, accepts)
    return key


@service
def change(uow: UnitOfWork, kind: str, key: int, texts: Mapping[str, str], *, known: str, why: str = "", accepts: str = "") -> bool:
    """Whether anything is different now. `known` is the version on which the change was made.

    Raises as `add`, Stale when somebody else was faster, NotFound.
    """
    sheet = SHEETS[kind]
    site_id, before = _as_known(uow, sheet, key, known)
    fixed = {field.name for field in sheet.fields if field.fixed}
    after = before | {name: text for name, text in sheet.whole(texts).items() if name not in fixed}
    if after == before:
        return False
    _say_why(why)
    _change(uow, sheet, key, site_id, before, after, why, accepts)
    return True


@service
def remove(uow: UnitOfWork, kind: str, key: int, *, known: str, why: str = "", accepts: str = "") -> None:
    """Raises Invalid for what is only switched off, and as `change`."""
    sheet = SHEETS[kind]
    if not sheet.is_removed:
        raise Invalid(f"a {sheet.label.lower()} is never taken away: switch it off")
    site_id, before = _as_known(uow, sheet, key, known)
    _say_why(why)
    _change(uow, sheet, key, site_id, before, None, why, accepts)


@service
def undo(uow: UnitOfWork, kind: str, key: int, *, change_id: int, accepts: str = "") -> None:
    """Takes back the last change of a thing; taken back twice it is there again.

    Raises Stale when it is no longer the last, NotAllowedNow where something stands on what it would take away.
    """
    sheet = SHEETS[kind]
    last = last_change(uow.session, kind, key)
    if last is None:
        raise NotFound("there is no change to take back")
    now = sheet.read(uow.session, key)
    site_id = _take_turn(uow, sheet, now or dict(last.before))
    now = sheet.read(uow.session, key)
    if last != last_change(uow.session, kind, key) or last.id != change_id or _only(now or {}, last.after) != last.after:
        raise Stale(CHANGED_MEANWHILE)
    if not last.before and (user := sheet.needed_by(uow.session, key)):
        raise NotAllowedNow(f"the {sheet.label.lower()} is in use already ({user}): it cannot be taken back")
    before = {**(now or {}), **last.before} if last.before else None
    why = f"takes back the change of {last.at:%Y-%m-%d %H:%M} UTC by {last.who}"
    _change(uow, sheet, key, site_id, now, before, why, accepts)


def _say_why(why: str) -> None:
    if not why.strip():
        raise Wrong({"why": "Why: a change of what was there needs a reason"})


def _as_known(uow: UnitOfWork, sheet: Sheet, key: int, known: str) -> tuple[int | None, Texts]:
    """The site and the sheet of a thing that nobody has changed since. Raises Stale, NotFound."""
    site_id = _take_turn(uow, sheet, needed(sheet, uow.session, key))
    before = needed(sheet, uow.session, key)
    if version(before) != known:
        raise Stale(CHANGED_MEANWHILE)
    return site_id, before


def _change(
    uow: UnitOfWork, sheet: Sheet, key: int, site_id: int | None, before: Texts | None, after: Texts | None, why: str, accepts: str
) -> None:
    """Changes it, and then looks what that has done to the appointments of its site."""
    session = uow.session
    values = sheet.values(session, key, after) if after is not None else None
    _refuse_while_booked(uow, sheet, key, before, after)
    known = hits.misplaced(session, site_id, uow.now) if site_id is not None else {}
    if values is None:
        sheet.remove(uow, key)
    else:
        sheet.write(uow, key, values)
    written = sheet.read(session, key)
    if sheet.name == "site" and before is None:
        site_id = key
        _let_in(uow, key)
    if site_id is not None:
        _list_to_move(uow, site_id, known, accepts)
    _tell(uow, sheet, key, site_id, before, written, why)


def _take_turn(uow: UnitOfWork, sheet: Sheet, texts: Texts) -> int | None:
    """Waits for all who book at the site, and keeps them out until the change is there for them to see. Returns the site."""
    site_id = sheet.site_of(uow.session, texts)
    if site_id is None:
        return None
    rooms = [f"room:{key}" for key in uow.session.scalars(sa.select(Room.id).where(Room.site_id == site_id))]
    helpers = uow.session.execute(sa.select(Resource.kind, Resource.id).where(Resource.site_id == site_id))
    uow.lock(f"site:{site_id}", *rooms, *(f"{kind}:{key}" for kind, key in helpers))
    return site_id


def _refuse_while_booked(uow: UnitOfWork, sheet: Sheet, key: int, before: Texts | None, after: Texts | None) -> None:
    """Raises HitsAppointments for what cannot be otherwise while somebody is still expected."""
    kept, which = KEPT.get(sheet.name, ((), None))
    if before is None or which is None or not any(_harms(name, before[name], (after or {}).get(name, NO)) for name in kept):
        return
    found = hits.to_come(uow.session, uow.now, which(uow.session, key))
    if found:
        raise HitsAppointments(found, may_go_on=False)


def _harms(name: str, before: str, after: str) -> bool:
    """Switching on, or being able to do more, harms nobody."""
    if name == "active":
        return after == NO and before != NO
    if name == "capabilities":
        return not set(before.split()) <= set(after.split())
    return before != after


def _list_to_move(uow: UnitOfWork, site_id: int, known: Mapping[int, Hit], accepts: str) -> None:
    """Appointments that the change has hit come on the list to move, and those that it has put right leave it."""
    now = hits.misplaced(uow.session, site_id, uow.now)
    found = [hit for step_id, hit in now.items() if step_id not in known]
    if found and accepts != accepted(found):
        raise HitsAppointments(found, may_go_on=True)
    for hit in found:
        task.open(uow, TO_MOVE, Ref("step", hit.step_id), hit.why, site_id=site_id, due_at=hit.starts_at)
    for step_id in known.keys() - now.keys():
        task.settle(uow, TO_MOVE, Ref("step", step_id))


def _let_in(uow: UnitOfWork, site_id: int) -> None:
    """Whoever adds a site manages it: with the roles in which they manage places elsewhere."""
    if uow.actor.kind != "user":
        return
    roles = (
        sa.select(RoleAssignment.role_id)
        .join(RolePermission, RolePermission.role_id == RoleAssignment.role_id)
        .where(RoleAssignment.user_id == uow.actor.id, RolePermission.permission == Permission.PLACE_MANAGE)
    )
    for role_id in set(uow.session.scalars(roles)):
        staff.assign(uow, user_id=uow.actor.id, role_id=role_id, site_id=site_id)


def _tell(
    uow: UnitOfWork, sheet: Sheet, key: int, site_id: int | None, before: Texts | None, after: Texts | None, why: str
) -> None:  # fmt: skip
    """The trail is what the history is read from, and what a change is taken back to: what was there before and is now."""
    names = {name for name in (before or {}).keys() | (after or {}).keys() if (before or {}).get(name) != (after or {}).get(name)}
    if not names:
        return
    done = "added" if before is None else "removed" if after is None else "changed"
    facts = {"before": _only(before or {}, names), "after": _only(after or {}, names), "why": why.strip()}
    uow.emit(Event(f"catalog.{sheet.name.replace('-', '_')}_{done}", Ref(sheet.name, key), site_id=site_id, facts=facts))


def _only(texts: Mapping[str, str], names: Collection[str]) -> Texts:
    return {name: text for name, text in texts.items() if name in names}
