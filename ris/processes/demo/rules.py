"""The rules of the demo hospital, what its laboratory has said of some patients, and the protocols of what is planned."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from ris.base.uow import UnitOfWork
from ris.order.status import ProcedureStatus
from ris.patient import clinical
from ris.patient.clinical import AllergyData, ObservationData
from ris.patient.model import ObservationKind
from ris.processes.demo.catalog import Hospital, read
from ris.protocol import queries as protocols
from ris.protocol import service as protocol
from ris.protocol.service import Plan
from ris.protocol.status import Urgency
from ris.scheduling.rules import service as rules
from ris.scheduling.rules.service import RuleData

ALLERGIES = ("Iodinated contrast medium", "Penicillin", "Latex", "Gadobutrol")


def write(uow: UnitOfWork) -> None:
    """They hold from now on: what was booked before was not asked about."""
    for row in read("rules"):
        parameters = dict(part.split("=", 1) for part in row["parameters"].split(";") if part)
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


def protocol_planned(uow: UnitOfWork, hospital: Hospital, chance: random.Random) -> None:
    """What has an appointment is approved, but for a few that wait for an attending or are back at the desk."""
    sites = [site.id for site in hospital.sites.values()]
    for row in protocols.to_protocol(uow.session, sites):
        if row.exam_status is ProcedureStatus.ordered:
            continue
        codes = [code.code for code in protocols.codes_for(uow.session, row.modality)]
        plan = Plan((chance.choice(codes),), "", chance.choice((Urgency.soon, Urgency.elective, Urgency.elective)))
        luck = chance.random()
        uow.actor = chance.choice(hospital.people["resident" if luck < 0.15 else "radiologist"])
        if luck < 0.15:
            protocol.propose(uow, row.procedure_id, plan)
        elif luck < 0.2:
            protocol.reject(uow, row.procedure_id, "Which question? The earlier exam answered this one.")
        else:
            protocol.approve(uow, row.procedure_id, plan)
