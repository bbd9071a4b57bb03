"""The signed versions of a report: what a signature covers, which of them stand, and when each may leave."""

import hashlib
from datetime import timedelta
from functools import cache

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from ris.base.errors import Invalid
from ris.base.ids import new_id
from ris.base.uow import UnitOfWork
from ris.order.model import Order, RequestedProcedure
from ris.order.status import Priority
from ris.patient.model import Patient
from ris.patient.mrn import MRN
from ris.report.model import Report, ReportProcedure, ReportVersion
from ris.report.status import VersionKind

LONGEST = 1_000_000
"""Characters of a report."""
MEANING = {
    VersionKind.wet_read: "Wet read: a first look, not an interpretation",
    VersionKind.preliminary: "Preliminary interpretation",
    VersionKind.final: "Final interpretation",
    VersionKind.addendum: "Addendum to the final interpretation",
    VersionKind.retraction: "Retraction: what was said does not hold",
    VersionKind.withdrawal: "Taken back before publication: nobody was told",
}


def digest(version: ReportVersion) -> str:
    """What a signature covers, as SHA-256: which version of which report it is, what it says, of whom and what, and who signed it when."""
    place = ("2", str(version.report_id), str(version.number), version.kind)
    signature = (str(version.signer_id), version.signer_name, version.meaning, version.method, version.signed_at.isoformat())
    return _hash(*place, version.text, version.identifiers, *signature)


def verify(version: ReportVersion) -> bool:
    """Whether a version is still what was signed."""
    return version.digest in (digest(version), _narrow_digest(version))


def displayed(shown_identifiers: str, text: str = "") -> str:
    """What stands before the eyes of who is about to sign, as SHA-256: `identifiers`, and the text below that is not sent back itself."""
    return _hash(shown_identifiers, text)


def identifiers(session: Session, report: Report) -> str:
    """Who and what the signer has before the eyes: two identifiers of the patient, and the accession numbers."""
    patient, number = session.execute(sa.select(Patient, MRN).join(Order).where(Order.id == report.order_id)).one()
    accessions = ",".join(p.accession_number for p in procedures(session, report))
    return f"{patient.name}|{patient.birth_date or ''}|{number or ''}|{accessions}"


def procedures(session: Session, report: Report) -> list[RequestedProcedure]:
    """What the report covers, the oldest first."""
    return list(
        session.scalars(
            sa.select(RequestedProcedure)
            .join(ReportProcedure, ReportProcedure.procedure_id == RequestedProcedure.id)
            .where(ReportProcedure.report_id == report.id)
            .order_by(RequestedProcedure.id)
        )
    )


@cache
def is_withdrawn() -> sa.ColumnElement[bool]:
    """That a `ReportVersion` was taken back before it was published, by its signer or a retraction, or that it is what took it back."""
    retraction = aliased(ReportVersion)
    retracted = sa.exists().where(
        retraction.report_id == ReportVersion.report_id,
        retraction.kind == VersionKind.retraction,
        retraction.number >= ReportVersion.number,
    )
    return sa.and_(ReportVersion.published_at.is_(None), sa.or_(retracted, is_taken_back()))


@cache
def is_taken_back() -> sa.ColumnElement[bool]:
    """That the signer of a `ReportVersion` took it back, or that it is the withdrawal which says so: it stands right behind the other."""
    withdrawal = aliased(ReportVersion)
    return sa.exists().where(
        withdrawal.report_id == ReportVersion.report_id,
        withdrawal.kind == VersionKind.withdrawal,
        withdrawal.number.in_((ReportVersion.number, ReportVersion.number + 1)),
    )


def newest(uow: UnitOfWork, report: Report) -> ReportVersion | None:
    """The last one that was signed, whatever became of it."""
    return uow.session.scalars(_newest_first(report).limit(1)).one_or_none()


def standing(uow: UnitOfWork, report: Report) -> ReportVersion | None:
    """The newest one that was not taken back."""
    return uow.session.scalars(_newest_first(report).where(~is_withdrawn()).limit(1)).one_or_none()


def sign(uow: UnitOfWork, report: Report, kind: VersionKind, text: str, *, password_checked: bool) -> ReportVersion:
    """One more version, signed by the actor now. Raises Invalid for a text that is too long."""
    if len(text) > LONGEST:
        raise Invalid("a report holds at most a million characters", error_code="104")
    before = newest(uow, report)
    version = ReportVersion(
        id=new_id(), report_id=report.id, number=before.number + 1 if before else 1, kind=kind, text=text, signer_id=uow.actor.id,
        signer_name=uow.actor.name, meaning=MEANING[kind], method="password" if password_checked else "session", signed_at=uow.now,
        identifiers=identifiers(uow.session, report), publish_at=uow.now + _delay(uow, report, kind), published_at=None,
    )  # fmt: skip
    version.digest = digest(version)
    return uow.add(version)


def _narrow_digest(version: ReportVersion) -> str:
    """What the first signatures covered: not yet the printed name, the method, and where the version stands."""
    return _hash(version.text, version.identifiers, str(version.signer_id), version.meaning, version.signed_at.isoformat())


def _newest_first(report: Report) -> sa.Select[ReportVersion]:
    return sa.select(ReportVersion).where(ReportVersion.report_id == report.id).order_by(ReportVersion.number.desc())


def _delay(uow: UnitOfWork, report: Report, kind: VersionKind) -> timedelta:
    """None for what is urgent, for a preliminary report, which is there to be seen at once, and for what takes back."""
    urgent = uow.session.scalar(sa.select(Order.priority).where(Order.id == report.order_id)) is Priority.stat
    is_delayed = not urgent and kind in (VersionKind.final, VersionKind.addendum)
    seconds = uow.session.info["settings"].reports.publication_delay_seconds if is_delayed else 0
    return timedelta(seconds=seconds)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1e".join(parts).encode()).hexdigest()
