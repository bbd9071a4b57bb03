"""Where an exam is done: at the site that ordered it, or at another one that it was booked at; the order stays where it is."""

from ris.base.errors import NotAllowedNow
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Site
from ris.order.model import RequestedProcedure
from ris.order.service import get_procedure, procedure_event
from ris.order.status import ProcedureStatus
from ris.task import service as task


def take_to(uow: UnitOfWork, procedure: RequestedProcedure, site_id: int) -> None:
    """The exam is done at a site from now on, and so is what is open about it; again is no change."""
    if procedure.site_id == site_id:
        return
    before = uow.session.get_one(Site, procedure.site_id).name
    uow.touch()
    procedure.site_id = site_id
    task.follow(uow, Ref("procedure", procedure.id), site_id)
    uow.emit(procedure_event("order.relocated", procedure, from_site=before, to_site=uow.session.get_one(Site, site_id).name))


@service
def hand_back(uow: UnitOfWork, procedure_id: int) -> RequestedProcedure:
    """The exam waits again at the site that ordered it. Raises NotAllowedNow for one that has an appointment, or has begun."""
    procedure = get_procedure(uow, procedure_id)
    if procedure.status is not ProcedureStatus.ordered:
        raise NotAllowedNow(f"the exam is {procedure.status.replace('_', ' ')} here: cancel its appointment first")
    take_to(uow, procedure, procedure.order.site_id)
    return procedure
