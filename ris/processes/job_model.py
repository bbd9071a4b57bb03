"""The table of job runs: one row per job, site and moment it was due, so that nothing runs twice and nothing is forgotten."""

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ris.base.orm import Base, Key


class RunState(enum.StrEnum):
    started = "started"
    """Someone is at it until the lease runs out; then it may be taken up again."""
    done = "done"
    failed = "failed"
    """It raised; it is taken up again after its lease."""


class JobRun(Base):
    """One run of a job for the moment it was due, whoever ran it and how often it was tried."""

    __tablename__ = "job_run"
    __table_args__ = (sa.UniqueConstraint("job", "site", "due"),)

    id: Mapped[Key]
    job: Mapped[str]
    site: Mapped[str] = mapped_column(default="")
    """Code of the site, for a job that runs for each; else empty."""
    due: Mapped[datetime]
    state: Mapped[RunState]
    holder: Mapped[str]
    lease_until: Mapped[datetime]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(sa.Integer)
    detail: Mapped[str] = mapped_column(default="")
