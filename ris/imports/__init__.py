"""Files that bring a house in: each kind of line in its module, one line here."""

from collections.abc import Mapping

from ris.catalog.kinds import RECORDS as CATALOGUE
from ris.catalog.records.record import Record
from ris.critical.records import RECORDS as CRITICAL
from ris.imports.appointments import APPOINTMENTS
from ris.imports.kind import Kind
from ris.imports.patients import PATIENTS
from ris.imports.places import PLACES
from ris.imports.records import kind_of
from ris.imports.reports import REPORTS
from ris.protocol.codes import PROTOCOL_CODE
from ris.report.writing.findings import FINDING_CODE, PROCEDURE_SCHEME
from ris.report.writing.templates import REPORT_TEMPLATE
from ris.report.writing.viewer import IMAGE_VIEWER

_WRITING = (REPORT_TEMPLATE, FINDING_CODE, PROCEDURE_SCHEME, IMAGE_VIEWER)
RECORDS: Mapping[str, Record] = {record.name: record for record in (*CATALOGUE, PROTOCOL_CODE, *CRITICAL, *_WRITING)}
"""The reference data that is edited one by one too."""

KINDS: Mapping[str, Kind] = {
    kind.name: kind for kind in (*(kind_of(record) for record in RECORDS.values()), *PLACES, PATIENTS, APPOINTMENTS, REPORTS)
}
