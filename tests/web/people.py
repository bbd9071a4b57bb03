"""People with a role at one site only."""

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.staff import service as staff
from ris.staff.model import Role
from tests.factories.hospital import Hospital

OWN_PASSWORD = "rain upon a tin roof"


def role_id(ris: Ris, code: str) -> int:
    with ris.read() as session:
        return session.scalars(sa.select(Role.id).where(Role.code == code)).one()


def somebody(ris: Ris, hospital: Hospital, login: str, **roles: str) -> int:
    """A new account; `front_desk="WEST"` gives it that role there."""
    with ris.uow() as uow:
        user = staff.add_user(uow, login=login, family=login.capitalize(), given="Test", password=OWN_PASSWORD)
        for code, site in roles.items():
            staff.assign(uow, user_id=user.id, role_id=role_id(ris, code), site_id=hospital.sites[site])
        return user.id
