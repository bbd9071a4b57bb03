"""The rules of the demo hospital, and what its laboratory and its wards have said of some patients."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from ris.base.uow import UnitOfWork
from ris.patient import clinical
from ris.patient.clinical import AllergyData, ObservationData
from ris.patient.model import ObservationKind
from ris.processes.demo.catalog import read
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.service import RuleData

ALLERGIES = ("Iodinated contrast medium", "Penicillin", "Latex", "Gadobutrol")


def write(uow: UnitOfWork) -> None:
    """They hold from now on: what was booked before was not asked about."""
    for row in read("rules"):
        parameters = dict(part.split("=", 1) for part in row["parameters"].split(";"))
        rules.add(uow, RuleData(row["name"], row["kind"], row["severity"], row["override"], parameters, moment=row["moment"]))


def examine(uow: UnitOfWork, partner_id: int, patient_ids: Sequence[int], chance: random.Random, now: datetime) -> None:
    """For two in three the kidneys are known, for some badly or long ago; a few have allergies."""
    for patient_id in patient_ids:
        if chance.random() < 0.66:
            at = now - timedelta(days=chance.choice((1, 3, 8, 20, 60, 140)))
            egfr = chance.choice((24, 38, 55, 71, 88, 94, 102))
            clinical.observe(uow, patient_id, partner_id, [ObservationData(ObservationKind.egfr, str(egfr), "mL/min/1.73m2", at, "F")])
        if chance.random() < 0.08:
            allergy = AllergyData("DA", "", chance.choice(ALLERGIES), chance.choice(("SV", "MO")), "Hives")
            clinical.replace_allergies(uow, patient_id, partner_id, [allergy])
