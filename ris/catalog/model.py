"""Tables of reference data, each row versioned."""

import enum
from datetime import date, datetime, time

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.ids import new_id
from ris.base.orm import Base, Key, Versioned, references


class Modality(enum.StrEnum):
    """DICOM PS3.3 C.7.3.1.1.1, as far as the catalogue uses it."""

    CT = "CT"
    MR = "MR"
    US = "US"
    XR = "DX"
    MG = "MG"
    NM = "NM"


UNTIL_MIDNIGHT = "closes < '00:00:01'"
"""A closing time of 00:00 is the midnight that ends the day."""


class HolidayChoice(enum.StrEnum):
    """What a holiday is for a site."""

    open = "open"
    closed = "closed"
    reduced = "reduced"
    """Open between two times, where it would be open at all."""


def _choice(name: str) -> sa.Enum:
    """The type of one of several columns with these values: each has a check of its own name."""
    values = [member.value for member in HolidayChoice]
    return sa.Enum(
        HolidayChoice, name=name, native_enum=False, create_constraint=True, length=32, values_callable=lambda _: values,
        validate_strings=True,
    )  # fmt: skip


class Site(Versioned, Base):
    __tablename__ = "site"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    zone: Mapped[str]
    """IANA zone of its wall clock."""
    currency: Mapped[str] = mapped_column(default="USD")
    address: Mapped[str] = mapped_column(default="")
    """As patients are told it."""
    holiday_country: Mapped[str] = mapped_column(default="")
    """ISO 3166-1 alpha-2, of whose holidays it keeps; empty: it keeps none."""
    holiday_subdivision: Mapped[str] = mapped_column(default="")
    """ISO 3166-2 without the country; empty: those of the whole country."""
    other_holidays: Mapped[HolidayChoice] = mapped_column(_choice("other_holidays"), default=HolidayChoice.closed)
    """Of holidays for which nothing is chosen: open or closed."""


class Room(Versioned, Base):
    __tablename__ = "room"

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(references("site.id"), index=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    modality: Mapped[Modality]
    station_ae_title: Mapped[str] = mapped_column(default="")
    """(0040,0001)."""
    weight_limit_kg: Mapped[int | None] = mapped_column(sa.Integer)
    """What its table carries; None where nobody need ask."""
    gives_contrast: Mapped[bool] = mapped_column(default=True)
    has_anaesthesia: Mapped[bool] = mapped_column(default=False)
    keeps_holidays: Mapped[bool] = mapped_column(default=True)
    """Whether the site's holidays and special days hold for it; not for the room of an emergency department."""
    active: Mapped[bool] = mapped_column(default=True)


class OpeningHours(Base):
    """When a room takes bookings on a weekday (0 = Monday), by the site's wall clock."""

    __tablename__ = "opening_hours"
    __table_args__ = (sa.CheckConstraint(f"opens < closes OR {UNTIL_MIDNIGHT}", "opens_before_closes"),)

    id: Mapped[Key]
    room_id: Mapped[int] = mapped_column(references("room.id"), index=True)
    weekday: Mapped[int] = mapped_column(sa.Integer)
    opens: Mapped[time]
    closes: Mapped[time]


class ReservedFor(enum.StrEnum):
    emergency = "emergency"
    inpatient = "inpatient"


class ReservedBlock(Versioned, Base):
    """A part of a weekday, by the site's wall clock, that a room keeps for some patients until it is released to all."""

    __tablename__ = "reserved_block"
    __table_args__ = (sa.CheckConstraint("begins < ends OR ends < '00:00:01'", "begins_before_ends"),)

    id: Mapped[Key]
    room_id: Mapped[int] = mapped_column(references("room.id"), index=True)
    weekday: Mapped[int] = mapped_column(sa.Integer)
    begins: Mapped[time]
    ends: Mapped[time]
    reserved_for: Mapped[ReservedFor]
    release_minutes: Mapped[int | None] = mapped_column(sa.Integer)
    """So long before it begins everybody may book it; None: never."""


class Closure(Versioned, Base):
    """A span in which a room, a machine or a person (or, with neither, the whole site) takes no bookings."""

    __tablename__ = "closure"
    __table_args__ = (sa.CheckConstraint("starts_at < ends_at", "starts_before_ends"),)

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(references("site.id"), index=True)
    room_id: Mapped[int | None] = mapped_column(references("room.id"))
    resource_id: Mapped[int | None] = mapped_column(references("resource.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    reason: Mapped[str]


class SpecialHours(Versioned, Base):
    """When a room (or, without one, every room of the site that keeps its holidays) is open on one date, instead of its usual hours."""

    __tablename__ = "special_hours"
    __table_args__ = (
        sa.CheckConstraint("(opens IS NULL) = (closes IS NULL)", "both_or_none"),
        sa.CheckConstraint(f"opens IS NULL OR opens < closes OR {UNTIL_MIDNIGHT}", "opens_before_closes"),
        sa.Index("ix_special_hours_site_id_day", "site_id", "day"),
    )

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(references("site.id"))
    room_id: Mapped[int | None] = mapped_column(references("room.id"))
    day: Mapped[date]
    opens: Mapped[time | None]
    """None: closed the whole day."""
    closes: Mapped[time | None]
    reason: Mapped[str]


class SiteHoliday(Base):
    """What a site has chosen for a holiday of its country."""

    __tablename__ = "site_holiday"
    __table_args__ = (
        sa.CheckConstraint("(choice = 'reduced') = (opens IS NOT NULL AND closes IS NOT NULL)", "hours_when_reduced"),
        sa.CheckConstraint(f"opens IS NULL OR opens < closes OR {UNTIL_MIDNIGHT}", "opens_before_closes"),
    )

    site_id: Mapped[int] = mapped_column(references("site.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    """As the calendar of the country has it."""
    choice: Mapped[HolidayChoice] = mapped_column(_choice("choice"))
    opens: Mapped[time | None]
    closes: Mapped[time | None]


class Procedure(Versioned, Base):
    """A kind of exam that the department offers."""

    __tablename__ = "procedure"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    modality: Mapped[Modality]
    region: Mapped[str] = mapped_column(default="")
    subspecialty: Mapped[str] = mapped_column(default="", server_default="")
    """Whose field it is among those who read: one word. Empty: everybody's."""
    sided: Mapped[bool] = mapped_column(default=False)
    """Whether an order says left, right or both."""
    minutes: Mapped[int] = mapped_column(sa.Integer)
    """Duration in a room that names none of its own."""
    contrast: Mapped[bool] = mapped_column(default=False)
    needs_protocol: Mapped[bool] = mapped_column(default=False)
    """Whether a radiologist says before the exam how it is done."""
    needs_consent: Mapped[bool] = mapped_column(default=False)
    """Whether it begins only once the patient's consent is on record."""
    preparation: Mapped[str] = mapped_column(default="")
    """In the language of the house; others are in `preparation_text`."""
    template: Mapped[str] = mapped_column(default="")
    """Report text with fields in square brackets."""
    technical_code: Mapped[str] = mapped_column(default="")
    technical_amount: Mapped[int | None]
    """Minor units of the site's currency; without one the charge is held."""
    professional_code: Mapped[str] = mapped_column(default="")
    professional_amount: Mapped[int | None]
    active: Mapped[bool] = mapped_column(default=True)


class PreparationText(Versioned, Base):
    """How a patient prepares for a procedure, in a language other than that of the house."""

    __tablename__ = "preparation_text"
    __table_args__ = (sa.UniqueConstraint("procedure_id", "language"),)

    id: Mapped[Key]
    procedure_id: Mapped[int] = mapped_column(references("procedure.id"))
    language: Mapped[str]
    """ISO 639-1."""
    text: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)


class StepPlan(Versioned, Base):
    """One of several steps of a procedure, such as the injection before the images; a procedure of one step has none."""

    __tablename__ = "step_plan"
    __table_args__ = (
        sa.CheckConstraint("0 <= gap_min_minutes AND gap_min_minutes <= gap_max_minutes", "gap_in_order"),
        sa.CheckConstraint("step >= 1", "counted_from_one"),
    )

    procedure_id: Mapped[int] = mapped_column(references("procedure.id"), primary_key=True)
    step: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    id: Mapped[int] = mapped_column(unique=True, default=new_id)
    name: Mapped[str]
    gap_min_minutes: Mapped[int] = mapped_column(sa.Integer, default=0)
    """From the end of the step before to the start of this one; of no meaning for the first."""
    gap_max_minutes: Mapped[int] = mapped_column(sa.Integer, default=0)
    active: Mapped[bool] = mapped_column(default=True)


class RoomProcedure(Versioned, Base):
    """That a step of a procedure can be done in a room, and how many minutes it takes there."""

    __tablename__ = "room_procedure"

    room_id: Mapped[int] = mapped_column(references("room.id"), primary_key=True)
    procedure_id: Mapped[int] = mapped_column(references("procedure.id"), primary_key=True)
    step: Mapped[int] = mapped_column(sa.Integer, primary_key=True, default=1)
    id: Mapped[int] = mapped_column(unique=True, default=new_id)
    set_up_minutes: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Before the exam, in the room and within the appointment."""
    minutes: Mapped[int] = mapped_column(sa.Integer)
    clean_up_minutes: Mapped[int] = mapped_column(sa.Integer, default=0)
    """After the exam, in the room and within the appointment."""
    active: Mapped[bool] = mapped_column(default=True)

    @property
    def taken(self) -> int:
        """Minutes of the room that an appointment takes."""
        return self.set_up_minutes + self.minutes + self.clean_up_minutes


class ResourceKind(enum.StrEnum):
    equipment = "equipment"
    person = "person"


class Resource(Versioned, Base):
    """What an exam may need besides its room: a machine on wheels, an anaesthetist, a technologist for mammograms."""

    __tablename__ = "resource"

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(references("site.id"), index=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    kind: Mapped[ResourceKind]
    sex: Mapped[str] = mapped_column(default="")
    """Of a person, F or M (table 0001), for patients who ask."""
    capabilities: Mapped[list[str]]
    """What it can stand in for: words of `procedure_need`, and modalities."""
    keeps_holidays: Mapped[bool] = mapped_column(default=True)
    """Whether it is away on the holidays and special days of the site."""
    active: Mapped[bool] = mapped_column(default=True)


class ResourceHours(Base):
    """When a resource is there on a weekday (0 = Monday), by the site's wall clock; one without any is always there."""

    __tablename__ = "resource_hours"
    __table_args__ = (sa.CheckConstraint(f"opens < closes OR {UNTIL_MIDNIGHT}", "opens_before_closes"),)

    id: Mapped[Key]
    resource_id: Mapped[int] = mapped_column(references("resource.id"), index=True)
    weekday: Mapped[int] = mapped_column(sa.Integer)
    opens: Mapped[time]
    closes: Mapped[time]


class ProcedureNeed(Versioned, Base):
    """That a step of a procedure needs a resource with a capability for its whole length."""

    __tablename__ = "procedure_need"

    procedure_id: Mapped[int] = mapped_column(references("procedure.id"), primary_key=True)
    step: Mapped[int] = mapped_column(sa.Integer, primary_key=True, default=1)
    capability: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(unique=True, default=new_id)
    active: Mapped[bool] = mapped_column(default=True)


class OrderSet(Versioned, Base):
    """Procedures that are ordered together under one name."""

    __tablename__ = "order_set"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    procedures: Mapped[list[str]]
    """Codes, in the order in which they are done."""
    active: Mapped[bool] = mapped_column(default=True)


class ReasonKind(enum.StrEnum):
    """What somebody gives a reason for."""

    cancel = "cancel"
    no_show = "no_show"
    hold = "hold"
    discontinue = "discontinue"
    override = "override"
    overbook = "overbook"


class Reason(Versioned, Base):
    """A reason that is offered where one must be given."""

    __tablename__ = "reason"
    __table_args__ = (sa.UniqueConstraint("kind", "code"),)

    id: Mapped[Key]
    kind: Mapped[ReasonKind]
    code: Mapped[str]
    text: Mapped[str]
    position: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Rising down the list."""
    needs_text: Mapped[bool] = mapped_column(default=False)
    """Whether it says too little without words of one's own."""
    active: Mapped[bool] = mapped_column(default=True)


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


class MaterialKind(enum.StrEnum):
    contrast = "contrast"
    medication = "medication"
    tracer = "tracer"
    supply = "supply"


class Material(Versioned, Base):
    """What may be given to a patient or used up in an exam."""

    __tablename__ = "material"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    kind: Mapped[MaterialKind]
    unit: Mapped[str]
    charge_code: Mapped[str] = mapped_column(default="")
    """Empty for what is not charged by itself."""
    charge_amount: Mapped[int | None]
    """Minor units of the site's currency for one unit; without one the charge is held."""
    active: Mapped[bool] = mapped_column(default=True)
