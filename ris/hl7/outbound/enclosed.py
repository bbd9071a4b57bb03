"""What goes with the words of a report where the destination wants it: the report as a PDF file, and a link to the images."""

import base64
import functools
from collections.abc import Sequence
from urllib.parse import quote

from ris.catalog.model import Procedure, Site
from ris.documents import report_sheet
from ris.documents.report_sheet import ReportSheet
from ris.hl7 import er7
from ris.hl7.outbound import header
from ris.hl7.outbound.header import Job
from ris.order.model import Order, RequestedProcedure
from ris.outbox.transport import CannotBuild
from ris.patient.model import PatientIdentifier
from ris.report.model import ReportVersion


def document(job: Job, order: Order, exams: Sequence[RequestedProcedure], version: ReportVersion) -> er7.Components | None:
    """OBX-5 of type ED (HL7 v2.5.1 ch. 2.A.24): the version as it was when the event happened; None where nobody wants it.

    Type and subtype are those of MIME, which receivers look for and which became the rule with version 2.7 (table 0834).

    Raises CannotBuild where this machine can draw no PDF.
    """
    if not job.destination.report_pdf:
        return None
    known = job.known
    patient = header.survivor(known, order.patient_id)
    identifiers = known.all(PatientIdentifier, PatientIdentifier.patient_id, patient.id)
    named = [(exam, known.one(Procedure, exam.procedure_id)) for exam in exams]
    sheet = report_sheet.sheet(
        known.need(Site, order.site_id), patient, identifiers, order, named, version, public_url=known.settings.public_url
    )
    return er7.components(header.APPLICATION, "application", "pdf", "Base64", _encoded(sheet))


@functools.lru_cache(maxsize=32)
def _encoded(sheet: ReportSheet) -> str:
    """Kept for a moment: one report goes to several destinations, and what was prepared too early is built again."""
    try:
        return base64.b64encode(report_sheet.draw(sheet)).decode("ascii")
    except (ImportError, OSError) as error:
        raise CannotBuild("this machine can draw no PDF file: see manage.py doctor") from error


def link(job: Job, exam: RequestedProcedure) -> er7.Components | None:
    """OBX-5 of type RP (HL7 v2.5.1 ch. 2.A.66): where the images of an exam are seen; None where nobody is sent there."""
    template = job.destination.study_link
    if not template:
        return None
    address = template.replace("{study_instance_uid}", quote(exam.study_instance_uid, ""))
    address = address.replace("{accession_number}", quote(exam.accession_number, ""))
    return er7.components(address, header.APPLICATION, "TEXT", "HTML")
