"""Which exams a person may read, as an administrator has written it down."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import NotFound
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.staff.model import CredentialKind, ReadingCredential, User


@dataclass(frozen=True, slots=True)
class Reads:
    """An empty set is no limit."""

    modalities: frozenset[str] = frozenset()
    subspecialties: frozenset[str] = frozenset()

    @property
    def everything(self) -> bool:
        return not self.modalities and not self.subspecialties

    def covers(self, modality: str, subspecialty: str) -> bool:
        """An exam without a subspecialty is everybody's who may read its modality."""
        is_of_modality = not self.modalities or modality in self.modalities
        return is_of_modality and (not self.subspecialties or subspecialty in ("", *self.subspecialties))


EVERYTHING = Reads()


def of(session: Session, user_id: int) -> Reads:
    return of_many(session, (user_id,)).get(user_id, EVERYTHING)


def of_many(session: Session, user_ids: Collection[int]) -> dict[int, Reads]:
    """Without those whom nothing limits."""
    found: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in session.scalars(sa.select(ReadingCredential).where(ReadingCredential.user_id.in_(user_ids))):
        found[row.user_id][row.kind].add(row.value)
    return {
        user_id: Reads(frozenset(kinds[CredentialKind.modality]), frozenset(kinds[CredentialKind.subspecialty]))
        for user_id, kinds in found.items()
    }


@service
def limit(uow: UnitOfWork, *, user_id: int, reads: Reads) -> None:
    """From now on the person may read this. Raises NotFound."""
    if uow.session.get(User, user_id) is None:
        raise NotFound(f"user {user_id} does not exist")
    before = of(uow.session, user_id)
    if before == reads:
        return
    uow.session.execute(sa.delete(ReadingCredential).where(ReadingCredential.user_id == user_id))
    kinds = ((CredentialKind.modality, reads.modalities), (CredentialKind.subspecialty, reads.subspecialties))
    for kind, values in kinds:
        for value in sorted(values):
            uow.add(ReadingCredential(user_id=user_id, kind=kind, value=value))
    facts = {"modalities": sorted(reads.modalities), "subspecialties": sorted(reads.subspecialties)}
    uow.emit(Event("staff.credentials_changed", Ref("user", user_id), facts=facts))
