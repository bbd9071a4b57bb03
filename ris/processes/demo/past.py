"""Lives the plan: every order, booking, exam, report and charge is made by the services, at the time when it happened."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from ris.base.ref import Coded
from ris.base.uow import Actor, UnitOfWork
from ris.exam import service as exams
from ris.order import service as orders
from ris.order.model import RequestedProcedure
from ris.order.status import Priority
from ris.patient import service as patients
from ris.processes.demo import people
from ris.processes.demo.catalog import Hospital
from ris.processes.demo.plan import Planned
from ris.report import publication
from ris.report import service as reports
from ris.scheduling import service as scheduling

CODING_SYSTEM = "L"
UNKNOWN_CODES = (("FOOTXRAYOLD", "Foot, old code"), ("SPECT9", "Cardiac perfusion"))
WAITING = 24
"""Orders without an appointment."""


class Past:
    """Tells the plan to the services; `now` is when the telling ends: nothing later happens."""

    def __init__(self, hospital: Hospital, chance: random.Random, now: datetime) -> None:
        self.hospital = hospital
        self.chance = chance
        self.now = now
        self.patient_ids: list[int] = []

    def register(self, uow: UnitOfWork, count: int) -> None:
        uow.now = self.now - timedelta(days=30)
        uow.actor = self._who("front_desk")
        self.patient_ids = [patients.upsert(uow, people.patient(self.chance, number))[0].id for number in range(1, count + 1)]

    def live(self, uow: UnitOfWork, planned: Planned) -> None:
        """As much of an exam's life as has happened by now."""
        procedure = self._order(uow, planned)
        step = self._book(uow, planned, procedure)
        if planned.ending == "cancelled":
            self._cancel(uow, planned, procedure)
        elif self._arrive(uow, planned, step) and self._perform(uow, planned, procedure):
            self._read(uow, planned, procedure)

    def leave_waiting(self, uow: UnitOfWork) -> None:
        """Orders that nobody has given an appointment yet, two of them with codes that nobody knows."""
        known = list(self.hospital.procedures.values())
        for number in range(WAITING):
            uow.now = self.now - timedelta(hours=self.chance.uniform(0.5, 48))
            procedure = self.chance.choice(known)
            site = self.chance.choice(list(self.hospital.sites.values()))
            code = Coded(procedure.code, procedure.name, CODING_SYSTEM)
            priority = Priority.stat if number < 2 else self.chance.choice((Priority.routine, Priority.routine, Priority.asap))
            self._place(uow, site.id, code, procedure.id, self.chance.choice(self.patient_ids), priority, procedure.modality)
        for number, (unknown, text) in enumerate(UNKNOWN_CODES):
            self._place_unknown(uow, number, Coded(unknown, text, "99OLD"))

    def _order(self, uow: UnitOfWork, planned: Planned) -> RequestedProcedure:
        wished = planned.starts_at - timedelta(hours=self.chance.uniform(26, 140))
        self._at(uow, "front_desk", min(wished, self.now - timedelta(hours=3)))
        code = Coded(planned.procedure.code, planned.procedure.name, CODING_SYSTEM)
        patient_id = self.patient_ids[planned.patient]
        return self._place(uow, planned.site.id, code, planned.procedure.id, patient_id, planned.priority, planned.room.modality)

    def _place(
        self, uow: UnitOfWork, site_id: int, code: Coded, procedure_id: int | None, patient_id: int, priority: Priority, modality: str
    ) -> RequestedProcedure:
        number, name = self.chance.choice(people.ORDERERS)
        request = orders.OrderRequest(
            patient_id=patient_id, site_id=site_id, procedures=(orders.ProcedureRequest(code, procedure_id),), priority=priority,
            orderer_number=number, orderer_name=name, reason=self.chance.choice(people.REASONS[modality]),
        )  # fmt: skip
        return orders.place(uow, request).procedures[0]

    def _place_unknown(self, uow: UnitOfWork, number: int, code: Coded) -> None:
        """Of the partner, so that a person can map its code."""
        if self.hospital.partner_id is None:
            return
        request = orders.OrderRequest(
            patient_id=self.patient_ids[number], site_id=next(iter(self.hospital.sites.values())).id, priority=Priority.routine,
            procedures=(orders.ProcedureRequest(code, None),), partner_id=self.hospital.partner_id, placer_number=f"DEMO{number + 1}",
            placer_namespace="DEMO", orderer_number="2001", orderer_name="Linden, Mara", reason="Pain",
        )  # fmt: skip
        orders.place(uow, request)

    def _book(self, uow: UnitOfWork, planned: Planned, procedure: RequestedProcedure) -> int:
        self._at(uow, "scheduler", min(uow.now + timedelta(hours=self.chance.uniform(0.2, 8)), self.now - timedelta(hours=1)))
        step = scheduling.book(
            uow, procedure_id=procedure.id, room_id=planned.room.id, starts_at=planned.starts_at, minutes=planned.minutes
        )
        return step.id

    def _cancel(self, uow: UnitOfWork, planned: Planned, procedure: RequestedProcedure) -> None:
        if planned.starts_at < self.now:
            self._at(uow, "front_desk", planned.starts_at - timedelta(minutes=40))
            orders.cancel_procedure(uow, procedure.id, "The patient called: cannot come")

    def _arrive(self, uow: UnitOfWork, planned: Planned, step_id: int) -> bool:
        at = planned.starts_at - timedelta(minutes=self.chance.randint(5, 25))
        if at > self.now:
            return False
        self._at(uow, "front_desk", at)
        exams.arrive(uow, step_id=step_id)
        return True

    def _perform(self, uow: UnitOfWork, planned: Planned, procedure: RequestedProcedure) -> bool:
        """Whether there are images to be read now."""
        starts = planned.starts_at + timedelta(minutes=self.chance.randint(0, 4))
        ends = planned.starts_at + timedelta(minutes=planned.minutes)
        if starts > self.now:
            return False
        technologist = self._at(uow, "technologist", starts)
        exams.start(uow, procedure_id=procedure.id)
        if ends > self.now:
            return False
        self._at(uow, technologist, ends)
        if planned.ending == "discontinued":
            exams.discontinue(uow, procedure_id=procedure.id, reason="The patient could not lie still")
            return False
        exams.complete(uow, procedure_id=procedure.id)
        return True

    def _read(self, uow: UnitOfWork, planned: Planned, procedure: RequestedProcedure) -> None:
        signs = uow.now + timedelta(hours=planned.reading_hours)
        if signs > self.now:
            return
        radiologist = self._at(uow, "radiologist", signs - timedelta(minutes=5))
        report = reports.open_for(uow, procedure.id)
        reports.claim(uow, report.id)
        self._at(uow, radiologist, signs)
        text = people.report_text(self.chance)
        if planned.ending == "preliminary":
            reports.sign_preliminary(uow, report_id=report.id, text=text, row_version=report.row_version)
            return
        reports.sign_final(uow, report_id=report.id, text=text, row_version=report.row_version, password_checked=True)
        self._publish(uow)
        later = signs + timedelta(hours=3)
        if planned.ending == "addended" and later < self.now:
            self._at(uow, radiologist, later)
            reports.addend(uow, report_id=report.id, text="The prior images have been compared: no change.", password_checked=True)
            self._publish(uow)

    def _publish(self, uow: UnitOfWork) -> None:
        """When the delay has ended; what is signed too lately for that is left to the running program."""
        delay = timedelta(seconds=uow.session.info["settings"].reports.publication_delay_seconds)
        if uow.now + delay <= self.now:
            self._at(uow, Actor("system", 0, "RIS"), uow.now + delay)
            publication.publish_due(uow)

    def _at(self, uow: UnitOfWork, who: str | Actor, moment: datetime) -> Actor:
        """Ends what was done before, and goes to another person at another time."""
        uow.flush()
        uow.now = moment
        uow.actor = who if isinstance(who, Actor) else self._who(who)
        return uow.actor

    def _who(self, role: str) -> Actor:
        return self.chance.choice(self._people(role))

    def _people(self, role: str) -> Sequence[Actor]:
        return self.hospital.people[role]
