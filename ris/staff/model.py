"""Tables of users, their roles at sites, and their sessions."""

import enum
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, references


class User(Versioned, Base):
    __tablename__ = "user_account"

    id: Mapped[Key]
    login: Mapped[str] = mapped_column(unique=True)
    family: Mapped[str]
    given: Mapped[str]
    practitioner_number: Mapped[str] = mapped_column(default="")
    """XCN.1 in messages."""
    email: Mapped[str] = mapped_column(default="", server_default="")
    """Where the program writes to this person; empty: it does not."""
    password_hash: Mapped[str]
    """argon2id."""
    is_demo: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    must_change_password: Mapped[bool] = mapped_column(default=False)
    working_site_id: Mapped[int | None] = mapped_column(references("site.id"))
    """The site that was chosen last: the next session begins there."""
    created_at: Mapped[datetime]

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}"


class Role(Versioned, Base):
    __tablename__ = "role"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]


class RolePermission(Base):
    """`permission` is a value of `ris.staff.permission.Permission`."""

    __tablename__ = "role_permission"

    role_id: Mapped[int] = mapped_column(references("role.id"), primary_key=True)
    permission: Mapped[str] = mapped_column(primary_key=True)


class RoleAssignment(Base):
    """That a user has a role at a site."""

    __tablename__ = "role_assignment"

    user_id: Mapped[int] = mapped_column(references("user_account.id"), primary_key=True)
    role_id: Mapped[int] = mapped_column(references("role.id"), primary_key=True)
    site_id: Mapped[int] = mapped_column(references("site.id"), primary_key=True)


class CredentialKind(enum.StrEnum):
    modality = "modality"
    subspecialty = "subspecialty"


class ReadingCredential(Base):
    """That a user may read exams of a modality or a subspecialty. Without any row of a kind: of every one."""

    __tablename__ = "reading_credential"

    user_id: Mapped[int] = mapped_column(references("user_account.id"), primary_key=True)
    kind: Mapped[CredentialKind] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    """As the catalogue spells it."""


class SavedFilter(Versioned, Base):
    """The filters of a worklist under a name."""

    __tablename__ = "saved_filter"
    __table_args__ = (sa.UniqueConstraint("worklist", "owner_id", "name"),)

    id: Mapped[Key]
    worklist: Mapped[str]
    name: Mapped[str]
    owner_id: Mapped[int] = mapped_column(references("user_account.id"), index=True)
    """Who may change it."""
    role_id: Mapped[int | None] = mapped_column(references("role.id"))
    """Everybody with this role sees it too."""
    is_shared: Mapped[bool]
    """Everybody sees it."""
    filters: Mapped[dict[str, Any]]
    """As they stand in the address of the list."""


class ListChoice(Base):
    """How a person wants to see a worklist."""

    __tablename__ = "list_choice"

    user_id: Mapped[int] = mapped_column(references("user_account.id"), primary_key=True)
    worklist: Mapped[str] = mapped_column(primary_key=True)
    columns: Mapped[list[str]]
    """In their order; empty: as the list has them."""
    filter_id: Mapped[int | None] = mapped_column(references("saved_filter.id"))
    """What the list opens with."""


class WebSession(Base):
    """A person at a browser. The cookie holds a random token; only its hash is here."""

    __tablename__ = "web_session"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(references("user_account.id"), index=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    """Polls of live lists do not count as use."""
    password_at: Mapped[datetime | None]
    """When the password was last given."""
    csrf_secret: Mapped[str]
    place: Mapped[str]
    site_id: Mapped[int | None] = mapped_column(references("site.id"))
    """The site that lists are filtered by."""


class LoginFailure(Base):
    """A refused login, so that guessing slows down by account and by address."""

    __tablename__ = "login_failure"
    __table_args__ = (sa.Index("ix_login_failure_key_at", "key", "at"),)

    id: Mapped[Key]
    key: Mapped[str]
    at: Mapped[datetime]


class UsedKey(Base):
    """A form's one-use key that was used, and where its first use led: a second click books once."""

    __tablename__ = "used_key"

    key: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    location: Mapped[str]
