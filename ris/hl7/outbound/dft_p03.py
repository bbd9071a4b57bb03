"""DFT^P03: a charge for whoever bills, and its credit (IHE RAD TF-2 RAD-35; HL7 v2.5.1 ch. 6.4.1)."""

from collections.abc import Mapping

from ris.base.money import Money
from ris.base.ref import Ref
from ris.billing.model import Charge, ChargeStatus, Component
from ris.catalog.model import Site
from ris.exam.model import PerformedProcedureStep, PerformedStatus
from ris.hl7 import er7
from ris.hl7.outbound import header
from ris.hl7.outbound.header import Built, Job, Writer
from ris.order.model import Order, RequestedProcedure
from ris.outbox.transport import CannotBuild, NothingToTell
from ris.report.model import ReportProcedure, ReportVersion
from ris.report.status import VersionKind
from ris.staff.model import User

EVENTS = ("charge.captured", "charge.released", "charge.voided")
CHARGE, CREDIT = "CG", "CD"
"""FT1-6, table 0017."""
MODIFIER: Mapping[Component, str] = {Component.technical: "TC", Component.professional: "26", Component.supply: ""}
"""FT1-26, table 0340."""


def build(job: Job) -> Built:
    """One FT1 for one charge line. Raises NothingToTell for a charge that is still held, CannotBuild."""
    if job.event.name not in EVENTS:
        raise CannotBuild(f"{job.event.name} is nothing that DFT^P03 tells")
    order = header.order_of(job)
    charge = job.known.need(Charge, job.event.object_id)
    if job.event.facts.get("held_reason"):
        raise NothingToTell("the charge is held: it is told when a person releases it")
    if job.event.facts.get("was") == ChargeStatus.held:
        raise NothingToTell("the charge was held and never told")
    procedure = job.known.need(RequestedProcedure, charge.procedure_id)
    writer = Writer(job, "DFT_P03", header.version_of(job))
    header.add_event(writer, "P03")
    patient = header.add_patient(writer, order)
    _add_charge(writer, order, procedure, charge)
    return writer.built(header.links(patient, order, [procedure], Ref("charge", charge.id)))


def _add_charge(writer: Writer, order: Order, procedure: RequestedProcedure, charge: Charge) -> None:
    """FT1 (HL7 v2.5.1 ch. 6.5.1). FT1-2 is the charge's own key, also in its credit: a receiver knows which one that takes back."""
    job = writer.job
    amount = _money(charge.amount, charge.currency)
    writer.add(
        "FT1",
        {
            1: "1",
            2: str(charge.id),
            4: f"{charge.service_date:%Y%m%d}",
            5: writer.moment(job.event.at),
            6: CREDIT if job.event.name == "charge.voided" else CHARGE,
            7: er7.components(charge.code, charge.item or header.our_code(job.known, procedure)[1]),
            10: str(charge.quantity),
            11: amount,
            12: amount,
            16: er7.components("", "", "", job.known.need(Site, procedure.site_id).code),
            20: _performer(job, procedure, charge),
            21: header.orderer(order),
            23: header.filler_number(order),
            25: er7.components(charge.code),
            26: MODIFIER[charge.component],
        },
    )


def _money(amount: int | None, currency: str) -> er7.Components | None:
    """CP: the amount in the currency's main unit, from minor ones."""
    return er7.components(er7.subcomponents(*str(Money(amount, currency)).split())) if amount is not None else None


def _performer(job: Job, procedure: RequestedProcedure, charge: Charge) -> er7.Components | None:
    """Who did what is charged: the technologist, or whoever signed the report."""
    user_id = _reader(job, charge) if charge.component is Component.professional else _technologist(job, procedure)
    user = job.known.one(User, user_id)
    return er7.components(user.practitioner_number, user.family, user.given) if user else None


def _technologist(job: Job, procedure: RequestedProcedure) -> int | None:
    steps = job.known.all(PerformedProcedureStep, PerformedProcedureStep.procedure_id, procedure.id)
    return next((step.technologist_id for step in reversed(steps) if step.status is PerformedStatus.completed), None)


def _reader(job: Job, charge: Charge) -> int | None:
    """Who signed the reading that was charged: an exam whose report was retracted has been read more than once."""
    covered = job.known.all(ReportProcedure, ReportProcedure.procedure_id, charge.procedure_id)
    versions = [version for each in covered for version in job.known.all(ReportVersion, ReportVersion.report_id, each.report_id)]
    finals = [v for v in versions if v.kind is VersionKind.final and v.published_at and v.published_at <= charge.captured_at]
    return finals[-1].signer_id if finals else None
