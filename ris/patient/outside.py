"""Reports that were written before or elsewhere: shown among the earlier ones, sent to nobody, charged to nobody."""

from dataclasses import asdict, dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.errors import Conflict
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork, service
from ris.patient.model import OutsideReport


@dataclass(frozen=True, slots=True)
class OutsideData:
    """A report as its source has it; `source` and `number` together are its key."""

    patient_id: int
    source: str
    number: str
    study_date: date
    procedure: str
    text: str
    modality: str = ""
    region: str = ""
    author: str = ""
    signed_on: date | None = None
    study_instance_uid: str = ""


@service
def keep(uow: UnitOfWork, data: OutsideData) -> tuple[bool, list[str]]:
    """Whether it is new, and the names of what changed of a known one. Raises Conflict where it is another patient's here."""
    key = f"{data.source}|{data.number}"
    known = uow.session.scalars(sa.select(OutsideReport).where(OutsideReport.key == key)).one_or_none()
    if known is None:
        row = uow.create(OutsideReport, id=new_id(), key=key, kept_at=uow.now, kept_by=uow.actor.name, **asdict(data))
        uow.emit(Event("patient.outside_report_added", Ref("outside_report", row.id), patient_id=data.patient_id))
        return True, []
    if known.patient_id != data.patient_id:
        raise Conflict("patient_number: this report is another patient's here")
    changed = [name for name, value in asdict(data).items() if getattr(known, name) != value]
    if changed:
        uow.touch()
        for name in changed:
            setattr(known, name, getattr(data, name))
        # The names of what changed, never the values.
        uow.emit(
            Event("patient.outside_report_changed", Ref("outside_report", known.id), patient_id=data.patient_id, facts={"changed": changed})
        )
    return False, changed


def outside_reports(session: Session, patient_id: int, limit: int = 50) -> list[OutsideReport]:
    """Newest first."""
    of = OutsideReport
    return list(session.scalars(sa.select(of).where(of.patient_id == patient_id).order_by(of.study_date.desc(), of.id.desc()).limit(limit)))
