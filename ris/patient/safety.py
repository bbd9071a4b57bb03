"""What speaks against contrast medium, of what is known of a patient."""

import re
from collections.abc import Iterable

from ris.patient.model import ObservationKind
from ris.patient.queries import AllergyRow, ObservationRow

LOWEST_EGFR = 30
"""ml/min/1.73 m²: below it contrast is given only after thought (ACR Manual on Contrast Media, post-contrast acute kidney injury)."""
_CONTRAST = re.compile(r"contrast|iod|gadolin|kontrast", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(\.\d+)?")


def against_contrast(allergies: Iterable[AllergyRow], observations: Iterable[ObservationRow]) -> list[str]:
    """One sentence each; also that the kidneys are not known, which is no all-clear."""
    latest = {row.kind: row for row in observations}
    found = [f"Allergy: {row.text}" for row in allergies if _CONTRAST.search(row.text)]
    egfr = latest.get(ObservationKind.egfr)
    number = _NUMBER.search(egfr.value) if egfr else None
    if egfr and number and (float(number[0]) < LOWEST_EGFR or (egfr.value.startswith("<") and float(number[0]) <= LOWEST_EGFR)):
        found.append(f"eGFR {egfr.value} {egfr.unit}: below {LOWEST_EGFR}")
    if egfr is None and ObservationKind.creatinine not in latest:
        found.append("Neither creatinine nor eGFR is known")
    pregnancy = latest.get(ObservationKind.pregnancy)
    if pregnancy and not re.match(r"not?\b|neg", pregnancy.value, re.IGNORECASE):
        found.append(f"Pregnancy: {pregnancy.value}")
    return found
