"""ADT^A08, A40 and A37: image managers keep the same patients as we do (IHE RAD TF-2 RAD-12; HL7 v2.5.1 ch. 3.3.8, 3.3.37, 3.3.40)."""

from ris.base.ref import Ref
from ris.hl7 import er7
from ris.hl7.outbound import header
from ris.hl7.outbound.header import Built, Job, Writer
from ris.order.model import Order
from ris.outbox.transport import CannotBuild, NothingToTell
from ris.patient.model import Merge, Patient, PatientIdentifier

UPDATES = ("patient.updated", "patient.identifier_moved")


def update(job: Job) -> Built:
    """A08: the patient as known now. Raises NothingToTell for one for whom nothing was ordered here, CannotBuild."""
    if job.event.name not in UPDATES:
        raise CannotBuild(f"{job.event.name} is nothing that ADT^A08 tells")
    _refuse_an_echo(job)
    patient = header.survivor(job.known, job.event.object_id)
    site_id = _site_of(job, patient)
    if site_id is None:
        raise NothingToTell("nothing was ordered for this patient")
    writer = Writer(job, "ADT_A01", header.version_of(job), trigger="A08", site_id=site_id)
    header.add_event(writer, "A08")
    header.add_pid(writer, patient)
    writer.add("PV1", {1: "1", 2: "U"})
    return writer.built([Ref("patient", patient.id)])


def merge(job: Job) -> Built:
    """A40 on `patient.merged`: the survivor in PID, the identifiers that are void now in MRG. Raises CannotBuild, NothingToTell."""
    if job.event.name != "patient.merged":
        raise CannotBuild(f"{job.event.name} is nothing that ADT^A40 tells")
    _refuse_an_echo(job)
    void = _void_identifiers(job)
    if not void:
        raise NothingToTell("the merged record had no identifier that anybody was sent")
    patient = header.survivor(job.known, job.event.facts["survivor_id"])
    writer = Writer(job, "ADT_A39", header.version_of(job), trigger="A40", site_id=_site_of(job, patient))
    header.add_event(writer, "A40")
    header.add_pid(writer, patient)
    loser = job.known.need(Patient, job.event.facts["loser_id"])
    writer.add("MRG", {1: void, 7: er7.components(loser.family, loser.given, loser.middle)})
    return writer.built([Ref("patient", patient.id), Ref("patient", loser.id)])


def unmerge(job: Job) -> Built:
    """A37 on `patient.unmerged`: the two who were taken for one, each with the identifiers that are their own again.

    Raises CannotBuild, NothingToTell when they were merged again since.
    """
    if job.event.name != "patient.unmerged":
        raise CannotBuild(f"{job.event.name} is nothing that ADT^A37 tells")
    both = [job.known.need(Patient, job.event.facts[name]) for name in ("survivor_id", "loser_id")]
    if any(patient.merged_into_id is not None for patient in both):
        raise NothingToTell("they were merged again since")
    version = header.version_of(job)
    # The tables of 2.3.1 name the structure after the linking of which this is the contrary.
    structure = "ADT_A24" if version == "2.3.1" else "ADT_A37"
    writer = Writer(job, structure, version, trigger="A37", site_id=_site_of(job, both[0]) or _site_of(job, both[1]))
    header.add_event(writer, "A37")
    for patient in both:
        header.add_pid(writer, patient)
    return writer.built([Ref("patient", patient.id) for patient in both])


def _void_identifiers(job: Job) -> list[er7.Repetition]:
    """What the loser was called until this merge."""
    merges = [merge for merge in job.known.all(Merge, Merge.loser_id, job.event.facts["loser_id"]) if merge.at <= job.event.at]
    if not merges:
        raise CannotBuild("there is no record of this merge")
    current = merges[-1].moved["current_identifier"]
    rows = [job.known.need(PatientIdentifier, key) for key in current]
    return [er7.components(row.value, "", "", row.authority, row.type) for row in rows]


def _site_of(job: Job, patient: Patient) -> int | None:
    """Where something was last ordered for the patient."""
    orders = job.known.all(Order, Order.patient_id, patient.id)
    return orders[-1].site_id if orders else None


def _refuse_an_echo(job: Job) -> None:
    if job.event.actor_kind == "partner" and job.event.actor_id == job.partner.id:
        raise NothingToTell("the partner said so itself")
