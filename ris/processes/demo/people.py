"""Invented patients, orderers, reasons and findings, the same for the same seed."""

import random
from datetime import date, timedelta

from ris.patient.model import Sex
from ris.patient.service import IdentifierData, PatientData

# fmt: off
FAMILY = (
    "Abbott", "Brandt", "Carver", "Delgado", "Engel", "Farrow", "Greene", "Holm", "Iversen", "Jordan", "Keller", "Lopez",
    "Marsh", "Nakamura", "Osei", "Perrin", "Quist", "Reyes", "Sato", "Torres", "Ullman", "Vance", "Weiss", "Yang", "Zeller",
    "O'Hara", "Núñez", "Šimić", "van der Berg", "Ó Briain",
)
GIVEN = {
    "F": ("Alma", "Beate", "Carla", "Diana", "Elif", "Flora", "Gwen", "Helga", "Iris", "Jana", "Kaja", "Lotte", "Mina", "Nora", "Pia"),
    "M": ("Anton", "Boris", "Clemens", "Dario", "Erik", "Finn", "Gustav", "Henry", "Ismael", "Jakob", "Kurt", "Lars", "Mats", "Noah"),
}
STREETS = ("Maple Street", "Harbour Road", "Quarry Lane", "Orchard Way", "Tower Hill")
CITIES = (("Fairhaven", "NY", "12990"), ("Juniper", "CO", "80990"))
ORDERERS = (
    ("2001", "Linden, Mara"), ("2002", "Sorrel, Dan"), ("2003", "Teasel, Ole"), ("2004", "Fennel, Kate"), ("2005", "Tamarisk, Roy"),
)
REASONS = {
    "CT": ("Headache since yesterday", "Follow-up after treatment", "Flank pain", "Fall from a ladder", "Weight loss"),
    "MR": ("Knee pain after twisting", "Back pain with numb foot", "Dizziness", "Known lesion, follow-up"),
    "US": ("Upper abdominal pain", "Raised liver values", "Swollen leg", "Palpable lump"),
    "DX": ("Cough and fever", "Fall on the outstretched hand", "Pain on walking", "Before surgery"),
    "MG": ("Screening", "Palpable lump"),
    "NM": ("Staging", "Raised calcium"),
}
FINDINGS = (
    ("No acute finding.", "Normal examination."),
    ("Degenerative changes of moderate degree. No acute finding.", "Degenerative changes, no acute finding."),
    ("A small lesion of 6 mm, unchanged since the prior examination.", "Stable small lesion. Control in twelve months."),
    ("Inflammatory changes without abscess.", "Inflammation without abscess."),
)
# fmt: on
AUTHORITY = "HOSP"


def patient(chance: random.Random, number: int) -> PatientData:
    """Number `number` of the demo hospital; its record numbers begin with 9, unlike those of the simulated EHR."""
    sex = chance.choice("FM")
    city, region, postal_code = chance.choice(CITIES)
    return PatientData(
        identifiers=(IdentifierData(f"9{number:06d}", AUTHORITY, "MR"),),
        family=chance.choice(FAMILY),
        given=chance.choice(GIVEN[sex]),
        birth_date=date(1935, 1, 1) + timedelta(days=chance.randrange(75 * 365)),
        sex=Sex(sex),
        street=f"{chance.randrange(1, 200)} {chance.choice(STREETS)}",
        city=city,
        region=region,
        postal_code=postal_code,
        phone=f"555-01{chance.randrange(100):02d}",
    )


def report_text(chance: random.Random) -> str:
    findings, impression = chance.choice(FINDINGS)
    return f"FINDINGS\n{findings}\n\nIMPRESSION\n{impression}"
