"""What of a patient's findings and allergies matters to an exam: kidneys, pregnancy, what speaks against contrast medium."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from ris.patient.model import Answer, ObservationKind, Question, Sex
from ris.patient.queries import AllergyRow, ObservationRow
from ris.patient.screening import ScreenRow

LOWEST_EGFR = 30
"""ml/min/1.73 m²: below it contrast is given only after thought (ACR Manual on Contrast Media, post-contrast acute kidney injury)."""
UMOL_OF_A_MG = 88.42
"""µmol/l of creatinine in 1 mg/dl."""
KILOGRAMS = {"kg": 1.0, "g": 0.001, "lb": 0.4536, "[lb_av]": 0.4536}
"""UCUM and what senders write."""
PREGNANT = "B6"
"""PV1-15, table 0009."""
_CONTRAST = re.compile(r"contrast|iod|gadolin|kontrast", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(\.\d+)?")
_NO = re.compile(r"n\b|not?\b|neg", re.IGNORECASE)
_NOBODY_KNOWS = re.compile(r"u\b|unk|not known|indeterm", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kidneys:
    """The glomerular filtration rate in ml/min/1.73 m²."""

    egfr: float
    is_upper_bound: bool
    """The laboratory said "less than"."""
    text: str
    """As a person reads it, with the word eGFR or creatinine."""
    at: datetime

    def is_below(self, limit: float) -> bool:
        return self.egfr < limit or (self.is_upper_bound and self.egfr <= limit)


@dataclass(frozen=True, slots=True)
class Pregnancy:
    is_pregnant: bool
    text: str
    at: datetime | None
    """None for what a visit says, which holds while it lasts."""


def kidneys(observations: Iterable[ObservationRow], age: int | None, sex: Sex) -> Kidneys | None:
    """From the newer of eGFR and creatinine; None where neither is a number, or creatinine comes without age or a known unit."""
    latest = {row.kind: row for row in observations}
    found = (_from_egfr(latest.get(ObservationKind.egfr)), _from_creatinine(latest.get(ObservationKind.creatinine), age, sex))
    return max((one for one in found if one is not None), key=lambda one: one.at, default=None)


def weight_kg(observations: Iterable[ObservationRow]) -> float | None:
    """The newest weight; None where none is known, or none that is a number in a known unit."""
    row = next((row for row in observations if row.kind is ObservationKind.weight), None)
    if row is None:
        return None
    try:
        return float(row.value) * KILOGRAMS[row.unit.strip().lower() or "kg"]
    except (KeyError, ValueError):
        return None


def pregnancy(observations: Iterable[ObservationRow], ambulatory: Collection[str], screening: Iterable[ScreenRow] = ()) -> Pregnancy | None:
    """The newest that is known; None when nobody has said anything, or that it is not known. `ambulatory` are codes of table 0009."""
    if PREGNANT in ambulatory:
        return Pregnancy(True, "said with the visit", None)
    found = [
        (row.observed_at, Pregnancy(not _NO.match(row.value), row.value, row.observed_at))
        for row in observations
        if row.kind is ObservationKind.pregnancy and not _NOBODY_KNOWS.match(row.value)
    ]
    found += [
        (row.answered_at, Pregnancy(row.answer is not Answer.no, row.text, row.answered_at))
        for row in screening
        if row.question is Question.pregnancy
    ]
    return max(found, key=lambda one: one[0])[1] if found else None


def answer_to(question: Question, screening: Iterable[ScreenRow]) -> ScreenRow | None:
    """What was said last; None where nobody has asked."""
    return next((row for row in screening if row.question is question), None)


def is_to_contrast(allergy: AllergyRow) -> bool:
    return _CONTRAST.search(allergy.text) is not None


def against_contrast(allergies: Iterable[AllergyRow], observations: Iterable[ObservationRow], lowest: int = LOWEST_EGFR) -> list[str]:
    """One sentence each; also that the kidneys are not known, which is no all-clear. `lowest` is an eGFR."""
    latest = {row.kind: row for row in observations}
    found = [f"Allergy: {row.text}" for row in allergies if is_to_contrast(row)]
    filtration = _from_egfr(latest.get(ObservationKind.egfr))
    if filtration and filtration.is_below(lowest):
        found.append(f"{filtration.text}: below {lowest}")
    if ObservationKind.egfr not in latest and ObservationKind.creatinine not in latest:
        found.append("Neither creatinine nor eGFR is known")
    said = pregnancy(latest.values(), ())
    if said and said.is_pregnant:
        found.append(f"Pregnancy: {said.text}")
    return found


def ckd_epi_2021(creatinine_mg_dl: float, age: int, is_female: bool) -> float:
    """ml/min/1.73 m² from serum creatinine (CKD-EPI 2021, without race: Inker et al., N Engl J Med 385:1737, table S10)."""
    kappa, alpha, factor = (0.7, -0.241, 1.012) if is_female else (0.9, -0.302, 1.0)
    ratio = creatinine_mg_dl / kappa
    return float(142 * min(ratio, 1) ** alpha * max(ratio, 1) ** -1.2 * 0.9938**age * factor)


def _from_egfr(row: ObservationRow | None) -> Kidneys | None:
    number = _NUMBER.search(row.value) if row else None
    if row is None or number is None:
        return None
    return Kidneys(float(number[0]), row.value.startswith("<"), f"eGFR {row.value} {row.unit}".strip(), row.observed_at)


def _from_creatinine(row: ObservationRow | None, age: int | None, sex: Sex) -> Kidneys | None:
    """Where the sex is not known the lower of the two values counts."""
    number = _NUMBER.search(row.value) if row else None
    if row is None or number is None or age is None:
        return None
    unit = row.unit.lower().replace("μ", "u").replace("µ", "u")
    scale = {"mg/dl": 1.0, "umol/l": 1 / UMOL_OF_A_MG}.get(unit)
    if scale is None or float(number[0]) == 0:
        return None
    women = {Sex.female: (True,), Sex.male: (False,)}.get(sex, (True, False))
    egfr = min(ckd_epi_2021(float(number[0]) * scale, age, is_female) for is_female in women)
    text = f"Creatinine {row.value} {row.unit} (eGFR {egfr:.0f} by CKD-EPI 2021)"
    return Kidneys(egfr, row.value.startswith(">"), text, row.observed_at)
