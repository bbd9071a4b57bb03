"""Tables of the rules that a booking is held to, and of the reasons that were given against them."""

import enum
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key, Versioned, references


class Severity(enum.StrEnum):
    off = "off"
    warn = "warn"
    """Whoever books gives a reason."""
    block = "block"
    """Only who has the right of the rule may go on, with a reason."""


class Moment(enum.StrEnum):
    """When a rule is asked."""

    booking = "booking"
    start = "start"
    both = "both"


class Rule(Versioned, Base):
    """One rule of the house: a kind of `ris.scheduling.rules.kinds` with its parameters."""

    __tablename__ = "scheduling_rule"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    """A key of `ris.scheduling.rules.kinds.KINDS`."""
    site_id: Mapped[int | None] = mapped_column(references("site.id"))
    """None: at every site."""
    severity: Mapped[Severity]
    moment: Mapped[Moment] = mapped_column(default=Moment.booking)
    override: Mapped[str] = mapped_column(default="")
    """The permission that lets somebody go on against it where it blocks; empty: nobody's does."""
    parameters: Mapped[dict[str, Any]]


class RuleAnswer(Base):
    """The reason for which somebody went on although a rule spoke against it; never changed."""

    __tablename__ = "rule_answer"
    __table_args__ = (sa.UniqueConstraint("procedure_id", "key"),)

    id: Mapped[Key]
    procedure_id: Mapped[int] = mapped_column(references("requested_procedure.id"))
    step_id: Mapped[int | None] = mapped_column(references("scheduled_procedure_step.id"))
    """The appointment for which it was given; None for one given before anybody booked."""
    rule_id: Mapped[int] = mapped_column(references("scheduling_rule.id"), index=True)
    rule_version: Mapped[int] = mapped_column(sa.Integer)
    key: Mapped[str]
    """Of the finding: rule, severity and what was found. The same finding is not asked about twice."""
    rule_name: Mapped[str]
    severity: Mapped[Severity]
    found: Mapped[str]
    """What was shown to whoever answered."""
    reason: Mapped[str]
    answered_by: Mapped[str]
    answered_at: Mapped[datetime]
