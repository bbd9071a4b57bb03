"""Tables of reference data, each row versioned."""

import enum
from datetime import datetime, time

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, references


class Modality(enum.StrEnum):
    """DICOM PS3.3 C.7.3.1.1.1, as far as the catalogue uses it."""

    CT = "CT"
    MR = "MR"
    US = "US"
    XR = "DX"
    MG = "MG"
    NM = "NM"


class Site(Versioned, Base):
    __tablename__ = "site"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    zone: Mapped[str]
    """IANA zone of its wall clock."""
    currency: Mapped[str] = mapped_column(default="USD")


class Room(Versioned, Base):
    __tablename__ = "room"

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(references("site.id"), index=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    modality: Mapped[Modality]
    station_ae_title: Mapped[str] = mapped_column(default="")
    """(0040,0001)."""
    active: Mapped[bool] = mapped_column(default=True)


class OpeningHours(Base):
    """When a room takes bookings on a weekday (0 = Monday), by the site's wall clock."""

    __tablename__ = "opening_hours"
    __table_args__ = (sa.CheckConstraint("opens < closes", "opens_before_closes"),)

    id: Mapped[Key]
    room_id: Mapped[int] = mapped_column(references("room.id"), index=True)
    weekday: Mapped[int] = mapped_column(sa.Integer)
    opens: Mapped[time]
    closes: Mapped[time]


class Closure(Versioned, Base):
    """A span in which a room (or, without one, the whole site) takes no bookings."""

    __tablename__ = "closure"
    __table_args__ = (sa.CheckConstraint("starts_at < ends_at", "starts_before_ends"),)

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(references("site.id"), index=True)
    room_id: Mapped[int | None] = mapped_column(references("room.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    reason: Mapped[str]


class Procedure(Versioned, Base):
    """A kind of exam that the department offers."""

    __tablename__ = "procedure"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    modality: Mapped[Modality]
    region: Mapped[str] = mapped_column(default="")
    minutes: Mapped[int] = mapped_column(sa.Integer)
    """Duration in a room that names none of its own."""
    contrast: Mapped[bool] = mapped_column(default=False)
    preparation: Mapped[str] = mapped_column(default="")
    template: Mapped[str] = mapped_column(default="")
    """Report text with fields in square brackets."""
    technical_code: Mapped[str] = mapped_column(default="")
    technical_amount: Mapped[int | None]
    """Minor units of the site's currency; without one the charge is held."""
    professional_code: Mapped[str] = mapped_column(default="")
    professional_amount: Mapped[int | None]
    active: Mapped[bool] = mapped_column(default=True)


class RoomProcedure(Base):
    """That a procedure can be done in a room, and how many minutes it takes there."""

    __tablename__ = "room_procedure"

    room_id: Mapped[int] = mapped_column(references("room.id"), primary_key=True)
    procedure_id: Mapped[int] = mapped_column(references("procedure.id"), primary_key=True)
    minutes: Mapped[int] = mapped_column(sa.Integer)


class CodeMap(Versioned, Base):
    """A partner's code for something of ours."""

    __tablename__ = "code_map"
    __table_args__ = (sa.UniqueConstraint("partner_id", "kind", "their_code"),)

    id: Mapped[Key]
    partner_id: Mapped[int] = mapped_column(references("partner.id"))
    kind: Mapped[str]
    """A key of `ris.catalog.service.MAPPED_KINDS`."""
    their_code: Mapped[str]
    our_code: Mapped[str]
