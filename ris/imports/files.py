"""Files that the browser brings: kept, taken in, thrown away."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, load_only

from ris.base.errors import Conflict, Invalid, NotFound
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.imports.kind import Kind
from ris.imports.model import ImportFile
from ris.imports.run import Result

MOST_BYTES = 32 * 1024 * 1024
_KEPT = timedelta(days=7)
_SHOWN = 20


@service
def bring(uow: UnitOfWork, kind: Kind, name: str, content: bytes) -> ImportFile:
    """Keeps a file until somebody has looked at what it would do. Raises Invalid for an empty one and one that is too large."""
    if not content.strip():
        raise Invalid("choose a file that has something in it")
    if len(content) > MOST_BYTES:
        raise Invalid(f"the file has more than {MOST_BYTES // 1024 // 1024} MB: bring it in parts, or with manage.py import-csv")
    old = sa.update(ImportFile).where(ImportFile.brought_at < uow.now - _KEPT, ImportFile.size > 0)
    uow.session.execute(old.values(content=b""), execution_options={"synchronize_session": False})
    file = uow.add(
        ImportFile(
            id=new_id(), kind=kind.name, name=name[:200], content=content, size=len(content), brought_at=uow.now,
            brought_by=uow.actor.name, applied_at=None, counts={},
        )
    )  # fmt: skip
    uow.emit(Event("import.file_added", Ref("import", file.id), facts={"kind": kind.name, "size": file.size}))
    return file


def applied(uow: UnitOfWork, file_id: int, result: Result, *, told: bool) -> None:
    """Notes that a file is taken in, and lets go of what was in it. Raises Conflict where somebody was faster."""
    file = uow.session.get_one(ImportFile, file_id, with_for_update=True, populate_existing=True)
    if file.applied_at is not None:
        raise Conflict("this file was taken in a moment ago")
    file.applied_at, file.applied_by, file.told, file.content = uow.now, uow.actor.name, told, b""
    file.counts = result.became


@service
def throw_away(uow: UnitOfWork, file_id: int) -> None:
    """Raises NotFound, and Conflict for a file that was taken in."""
    file = uow.session.get(ImportFile, file_id, with_for_update=True)
    if file is None:
        raise NotFound("there is no such file")
    if file.applied_at is not None:
        raise Conflict("this file was taken in: change what is wrong with it one by one, or with another file")
    uow.touch()
    uow.session.delete(file)
    uow.emit(Event("import.file_removed", Ref("import", file_id), facts={"kind": file.kind}))


def recent(session: Session, kinds: list[str]) -> list[ImportFile]:
    """The newest files of some kinds, without what is in them."""
    columns = [getattr(ImportFile, c.key) for c in ImportFile.__table__.columns if c.key != "content"]
    wanted = sa.select(ImportFile).options(load_only(*columns)).where(ImportFile.kind.in_(kinds))
    return list(session.scalars(wanted.order_by(ImportFile.id.desc()).limit(_SHOWN)))
