"""Invents patients, physicians, procedures and reasons, the same ones for the same seed."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

# fmt: off
_FAMILY = (
    "Abel", "Baker", "Castillo", "Dubois", "Eriksen", "Fontana", "Gruber", "Haddad", "Ibrahim", "Jansen", "Kowalski",
    "Lindqvist", "Moreau", "Novak", "Okafor", "Petrov", "Quintero", "Rossi", "Sandoval", "Tanaka", "Ueda", "Vasquez",
    "Whitfield", "Xu", "Yilmaz", "Zimmer", "O'Neill", "García", "Müller",
)
_GIVEN = {
    "F": (
        "Ada", "Bianca", "Clara", "Dolores", "Emma", "Fatima", "Greta", "Hanna", "Irene", "Julia", "Kirsten", "Leila",
        "Maria", "Nadia", "Olga", "Paula", "Rosa", "Zoë",
    ),
    "M": (
        "Adam", "Bruno", "Carlos", "David", "Emil", "Felix", "Georg", "Hugo", "Ivan", "Jonas", "Karim", "Luis",
        "Milan", "Nils", "Oscar", "Pavel", "Ravi", "Samuel",
    ),
}
# fmt: on
_STREETS = ("Main St", "Oak Ave", "Mill Rd", "Station St", "Church Lane", "River Walk", "Market Sq", "Hill Terrace")
_CITIES = (("Springfield", "IL", "62701"), ("Riverton", "WY", "82501"), ("Fairview", "OR", "97024"), ("Georgetown", "TX", "78626"))
_LOCATIONS = {"O": ("CLINIC1", "CLINIC2", "ORTHO", "ONCO"), "E": ("ER^1", "ER^2", "ER^3"), "I": ("4W^401^A", "4W^402^B", "ICU^3^A")}
_LATEST_BIRTH = date(2008, 1, 1)
"""A fixed day and not today's, so that a seed always gives the same people."""


@dataclass(frozen=True, slots=True)
class Physician:
    number: str
    family: str
    given: str


@dataclass(frozen=True, slots=True)
class Reason:
    """An ICD-10 code with its text, and what the clinician adds in words."""

    code: str
    text: str
    clinical: str


@dataclass(frozen=True, slots=True)
class Procedure:
    code: str
    text: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Patient:
    """A person with the one visit during which everything is ordered."""

    mrn: str
    family: str
    given: str
    birth_date: date
    sex: str
    street: str
    city: str
    state: str
    postal_code: str
    phone: str
    visit_number: str
    patient_class: str
    location: str
    attending: Physician
    referring: Physician


_HEAD = (Reason("R51.9", "Headache, unspecified", "Sudden headache"), Reason("S06.0X0A", "Concussion", "Fall, on anticoagulants"))
_CHEST = (Reason("R06.02", "Shortness of breath", "R/O pulmonary embolism"), Reason("R05.9", "Cough", "Cough & fever for 5 days"))
_ABDOMEN = (
    Reason("R10.9", "Unspecified abdominal pain", "Right lower quadrant pain"),
    Reason("R17", "Jaundice", "R/O biliary obstruction"),
)
_KNEE = (Reason("M25.561", "Pain in right knee", "Twisted during sports"),)
_SPINE = (Reason("M54.50", "Low back pain", "Pain radiating to left leg"),)
_HAND = (Reason("S69.92XA", "Injury of left hand", "Fall on outstretched hand"),)
_SCREENING = (Reason("Z12.31", "Screening mammogram", "Routine screening"),)
_BONE = (Reason("C61", "Malignant neoplasm of prostate", "Staging, rising PSA"),)
_KIDNEY = (Reason("N20.0", "Calculus of kidney", "Flank pain, haematuria"),)
_OTHER = (Reason("R69", "Illness, unspecified", "Please evaluate"),)

PROCEDURES = (
    Procedure("CTHEAD", "CT head without contrast", _HEAD),
    Procedure("CTCHESTC", "CT chest with contrast", _CHEST),
    Procedure("CTABDPELC", "CT abdomen and pelvis with contrast", _ABDOMEN),
    Procedure("MRBRAIN", "MR brain without contrast", _HEAD),
    Procedure("MRKNEER", "MR right knee without contrast", _KNEE),
    Procedure("MRLSPINE", "MR lumbar spine without contrast", _SPINE),
    Procedure("USABD", "US abdomen complete", _ABDOMEN),
    Procedure("USRENAL", "US kidneys and bladder", _KIDNEY),
    Procedure("XRCHEST2", "XR chest 2 views", _CHEST),
    Procedure("XRHANDL", "XR left hand 3 views", _HAND),
    Procedure("MGSCREEN", "Mammography screening bilateral", _SCREENING),
    Procedure("NMBONE", "NM bone scan whole body", _BONE),
)


def procedures_by_code(codes: Iterable[str]) -> tuple[Procedure, ...]:
    """The procedures of these codes; a code that is not among ours gets its code as text."""
    known = {procedure.code: procedure for procedure in PROCEDURES}
    return tuple(known.get(code, Procedure(code, code, _OTHER)) for code in codes)


class Population:
    """Whom and what one seed invents, in the order in which it is asked; medical record numbers begin with the seed."""

    def __init__(self, seed: int, procedures: tuple[Procedure, ...] = PROCEDURES) -> None:
        self._random = random.Random(seed)
        self._prefix = f"{seed % 1_000_000:06d}"
        self.count = 0
        self._procedures = procedures
        self._physicians = tuple(self._new_physician(number) for number in range(1001, 1013))

    def patient(self) -> Patient:
        self.count += 1
        pick = self._random.choice
        sex = pick("FM")
        city, state, postal_code = pick(_CITIES)
        patient_class = pick("OOOEI")
        return Patient(
            mrn=f"{self._prefix}{self.count:05d}",
            family=pick(_FAMILY),
            given=pick(_GIVEN[sex]),
            birth_date=_LATEST_BIRTH - timedelta(days=self._random.randrange(80 * 365)),
            sex=sex,
            street=self._street(),
            city=city,
            state=state,
            postal_code=postal_code,
            phone=self._phone(),
            visit_number=self._visit_number(),
            patient_class=patient_class,
            location=pick(_LOCATIONS[patient_class]),
            attending=pick(self._physicians),
            referring=pick(self._physicians),
        )

    def twin(self, patient: Patient) -> Patient:
        """The same person registered a second time by mistake."""
        self.count += 1
        return replace(patient, mrn=f"{self._prefix}{self.count:05d}", visit_number=self._visit_number())

    def moved(self, patient: Patient) -> Patient:
        """The same person with a new street and telephone."""
        return replace(patient, street=self._street(), phone=self._phone())

    def procedure_for(self, patient: Patient) -> Procedure:
        """One that suits the sex of the patient, unless none on the list does."""
        suitable = [procedure for procedure in self._procedures if patient.sex == "F" or not procedure.code.startswith("MG")]
        return self._random.choice(suitable or self._procedures)

    def reason_for(self, procedure: Procedure) -> Reason:
        return self._random.choice(procedure.reasons)

    def _new_physician(self, number: int) -> Physician:
        given = self._random.choice(_GIVEN[self._random.choice("FM")])
        return Physician(str(number), self._random.choice(_FAMILY), given)

    def _street(self) -> str:
        return f"{self._random.randrange(1, 999)} {self._random.choice(_STREETS)}"

    def _phone(self) -> str:
        return f"(555)555-{self._random.randrange(10_000):04d}"

    def _visit_number(self) -> str:
        return f"V{self._prefix}{self.count:05d}"
