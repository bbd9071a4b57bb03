"""OMI^O23: a study for an image manager that reads version 2.5.1 (IHE RAD TF-2 RAD-4 and RAD-13; HL7 v2.5.1 ch. 4.4.8)."""

from ris.hl7 import er7
from ris.hl7.outbound import header, study
from ris.hl7.outbound.header import Built, Job, Writer
from ris.hl7.outbound.study import Planned
from ris.order.model import Order

VERSION = "2.5.1"
"""The message came with 2.5."""


def build(job: Job) -> Built:
    """One group of ORC, TQ1, OBR and IPC for each study. Raises CannotBuild, NothingToTell."""
    return study.built(Writer(job, "OMI_O23", VERSION), _add_study)


def _add_study(writer: Writer, order: Order, number: int, each: Planned) -> None:
    writer.add(
        "ORC",
        {
            1: each.order_control,
            2: header.placer_number(order),
            3: header.filler_number(order),
            5: each.order_status,
            9: writer.moment(writer.job.event.at),
            12: header.orderer(order),
        },
    )
    writer.add("TQ1", {1: "1", 7: writer.moment(each.starts_at), 8: writer.moment(each.ends_at), 9: order.priority})
    writer.add("OBR", {1: str(number), **study.request(writer.job, order, each)})
    writer.add("IPC", _imaging(writer, each))


def _imaging(writer: Writer, each: Planned) -> dict[int, er7.Value]:
    """IPC, imaging procedure control (HL7 v2.5.1 ch. 4.5.6)."""
    procedure, room = each.procedure, each.room
    return {
        1: er7.components(procedure.accession_number, header.APPLICATION),
        2: er7.components(procedure.accession_number, header.APPLICATION),
        3: er7.components(procedure.study_instance_uid, header.APPLICATION),
        4: er7.components(each.step_id, header.APPLICATION),
        5: er7.components(each.modality, "", "DCM"),
        6: er7.components(*header.our_code(writer.job.known, procedure)),
        7: er7.components(room.code, room.name) if room else None,
        8: er7.components(room.name) if room else None,
        9: room.station_ae_title if room else "",
    }
