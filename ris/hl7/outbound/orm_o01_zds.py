"""ORM^O01 with ZDS: a study for an image manager that reads version 2.3.1 (IHE RAD TF-2 RAD-4 and RAD-13)."""

from ris.hl7 import er7
from ris.hl7.outbound import header, study
from ris.hl7.outbound.header import Built, Job, Writer
from ris.hl7.outbound.study import Planned
from ris.order.model import Order

VERSION = "2.3.1"
"""RAD-4 defines ZDS for this version alone."""


def build(job: Job) -> Built:
    """One group of ORC, OBR and ZDS for each study. Raises CannotBuild, NothingToTell."""
    return study.built(Writer(job, "ORM_O01", VERSION), _add_study)


def _add_study(writer: Writer, order: Order, number: int, each: Planned) -> None:
    procedure = each.procedure
    timing = er7.components("", "", "", writer.moment(each.starts_at), writer.moment(each.ends_at), order.priority)
    code = header.our_code(writer.job.known, procedure)
    writer.add(
        "ORC",
        {
            1: each.order_control,
            2: header.placer_number(order),
            3: header.filler_number(order),
            5: each.order_status,
            7: timing,
            9: writer.moment(writer.job.event.at),
            12: header.orderer(order),
            18: each.room.station_ae_title if each.room else "",
        },
    )
    writer.add(
        "OBR",
        {
            1: str(number),
            **study.request(writer.job, order, each),
            # The requested service, and as the alternate what the modality calls protocol.
            4: er7.components(*code, *code),
            18: procedure.accession_number,
            19: procedure.accession_number,
            20: each.step_id,
            24: each.modality,
            27: timing,
        },
    )
    writer.add("ZDS", {1: er7.components(procedure.study_instance_uid, header.APPLICATION, "Application", "DICOM")})
