"""The wet read: a first look in a few words for whoever cannot wait, told at once, while the report goes on being written."""

from ris.base.errors import Invalid
from ris.base.uow import UnitOfWork, service
from ris.report import held, publication, signing, versions
from ris.report.model import Report, ReportVersion
from ris.report.status import VersionKind

LONGEST = 2000


@service
def tell(uow: UnitOfWork, *, report_id: int, text: str, displayed: str | None = None) -> ReportVersion:
    """The reader's first look, published at once (OBR-25 `R`); the draft stays as it is, and so does its state.

    Raises Stale when patient or exam are not what stood before the reader, NotAllowedNow for what is missing, Invalid for a long text.
    """
    report = held.locked(uow, report_id)
    signing.refuse_changed(uow, report, displayed=displayed)
    said = text.strip()
    if len(said) > LONGEST:
        raise Invalid(f"a wet read holds at most {LONGEST} characters", error_code="104")
    report.status = held.after(uow, report, "tell_wet_read", said, nothing_better=_is_first(uow, report))
    version = versions.sign(uow, report, VersionKind.wet_read, said, password_checked=False)
    uow.session.flush()
    facts = {"version_id": version.id, "number": version.number, "kind": version.kind, "digest": version.digest}
    uow.emit(held.event(uow, "report.wet_read", report, **facts))
    publication.publish(uow, version)
    return version


def told(uow: UnitOfWork, report: Report) -> ReportVersion | None:
    """The newest wet read, for the comparison with the final reading; None where the newest word is another one."""
    newest = versions.standing(uow, report)
    return newest if newest is not None and newest.kind is VersionKind.wet_read else None


def _is_first(uow: UnitOfWork, report: Report) -> bool:
    """Whether nothing that weighs more than a first look stands already."""
    newest = versions.standing(uow, report)
    return newest is None or newest.kind in (VersionKind.wet_read, VersionKind.retraction)
