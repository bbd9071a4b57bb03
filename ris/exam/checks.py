"""The check list before an exam: what is known of the patient, what a person confirms, and what stops it unless somebody says why."""

import enum
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.base.clock import local
from ris.base.errors import NotAllowedNow
from ris.base.ids import new_id
from ris.base.uow import UnitOfWork, service
from ris.catalog.model import Modality, Procedure, Site
from ris.exam import service as exams
from ris.exam.consent import ConsentRow, in_force
from ris.exam.model import CheckOutcome, PerformedProcedureStep, SafetyCheck
from ris.exam.queries import current_step_id
from ris.order import service as orders
from ris.order.model import Order, RequestedProcedure
from ris.patient import queries as patients
from ris.patient import safety
from ris.patient.model import Answer, Patient, Question, Sex, Visit
from ris.patient.queries import AllergyRow, ObservationRow
from ris.patient.screening import ScreenRow, screened
from ris.questionnaire import queries as forms
from ris.questionnaire.queries import Found, Needed
from ris.scheduling import service as scheduling
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.rules.check import hold_to_rules, open_findings
from ris.scheduling.rules.limits import Limits, limits_for
from ris.scheduling.rules.model import Moment

RADIATES = (Modality.CT, Modality.XR, Modality.MG, Modality.NM)


class Verdict(enum.StrEnum):
    known = "known"
    """By what is on record nothing speaks against it."""
    ask = "ask"
    """A person confirms it, or says why it begins all the same."""
    stop = "stop"
    """It begins only with a reason."""


@dataclass(frozen=True, slots=True)
class Point:
    key: str
    text: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Facts:
    """What the points look at; `now` is by the site's wall clock."""

    now: datetime
    modality: Modality | None
    contrast: bool
    birth_date: date | None
    sex: Sex
    ambulatory: tuple[str, ...]
    """PV1-15: codes of table 0009."""
    allergies: tuple[AllergyRow, ...]
    observations: tuple[ObservationRow, ...]
    screening: tuple[ScreenRow, ...]
    needs_consent: bool
    consent: ConsentRow | None
    forms: tuple[Needed, ...]
    findings: tuple[Found, ...]
    """What was positive on forms, and holds."""
    limits: Limits

    @property
    def age(self) -> int | None:
        if self.birth_date is None:
            return None
        today = self.now.date()
        return today.year - self.birth_date.year - ((today.month, today.day) < (self.birth_date.month, self.birth_date.day))

    def day_of(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.now.tzinfo):%d %b %Y}"


def points(session: Session, procedure_id: int, now: datetime) -> list[Point]:
    """The check list of an exam as things stand. Raises NoResultFound when it is not there."""
    step_id = current_step_id(session, procedure_id)
    found = open_findings(session, now, session.get_one(ScheduledProcedureStep, step_id), Moment.start) if step_id else ()
    return _of_the_room(session, procedure_id, now) + [Point(f.key, f"{f.rule}: {f.text}", Verdict.stop) for f in found]


@service
def begin(
    uow: UnitOfWork, *, procedure_id: int, room_id: int | None = None, confirmed: Collection[str], reasons: Mapping[str, str]
) -> PerformedProcedureStep:
    """A person starts an exam. `confirmed` are keys of points, `reasons` say of points why it begins although they are not fine.

    The list is made anew here: what became known since it was shown counts. Raises NotAllowedNow naming every open point,
    AgainstRules with what rules of the house ask for besides, Forbidden for who may not override one that blocks.
    """
    procedure = orders.get_procedure(uow, procedure_id)
    answered = [(point, _outcome(point, confirmed, reasons)) for point in _of_the_room(uow.session, procedure_id, uow.now)]
    missing = tuple(_missing(point) for point, outcome in answered if outcome is None)
    if missing:
        raise NotAllowedNow(f"cannot start the exam: {'; '.join(missing)}", missing=missing)
    step = scheduling.current_step(uow, procedure_id)
    if step is not None:
        hold_to_rules(uow, procedure, step, reasons, Moment.start)
    performed = exams.start(uow, procedure_id=procedure_id, room_id=room_id)
    for point, outcome in answered:
        reason = reasons[point.key].strip() if outcome is CheckOutcome.overridden else ""
        uow.add(SafetyCheck(id=new_id(), performed_id=performed.id, point=point.key, text=point.text, outcome=outcome, reason=reason))
        if outcome is CheckOutcome.overridden:
            uow.emit(orders.procedure_event("exam.check_overridden", procedure, point=point.key, reason=reason))
    return performed


def _outcome(point: Point, confirmed: Collection[str], reasons: Mapping[str, str]) -> CheckOutcome | None:
    """None while it is open."""
    if point.verdict is Verdict.known:
        return CheckOutcome.known
    if point.verdict is Verdict.ask and point.key in confirmed:
        return CheckOutcome.confirmed
    return CheckOutcome.overridden if reasons.get(point.key, "").strip() else None


def _missing(point: Point) -> str:
    if point.verdict is Verdict.stop:
        return f"{point.text}: say why it begins all the same"
    return f"not confirmed: {point.text}"


# ── the points ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_the_room(session: Session, procedure_id: int, now: datetime) -> list[Point]:
    facts = _facts(session, procedure_id, now)
    return [point for find in (_identity, _consent, _forms, _pregnancy, _allergy, _kidneys, _magnet) for point in find(facts)]


def _identity(_facts: Facts) -> Iterator[Point]:
    yield Point("identity", "Right patient: name and birth date said by the patient, or the wristband read", Verdict.ask)


def _consent(facts: Facts) -> Iterator[Point]:
    said = facts.consent
    if said is not None:
        yield Point(
            "consent", f"Consent ({said.form}) by {said.given_by}, {facts.day_of(said.given_at)}, taken by {said.taken_by}", Verdict.known
        )
    elif facts.needs_consent:
        yield Point("consent", "No consent is on record", Verdict.stop)


def _forms(facts: Facts) -> Iterator[Point]:
    """What the safety screen says too has a point of its own."""
    for form in facts.forms:
        key = f"form-{form.version.code}"
        if form.is_valid and form.response is not None and form.response.completed_at is not None:
            yield Point(key, f"{form.name}: filled on {facts.day_of(form.response.completed_at)}", Verdict.known)
        elif form.version.content.must:
            yield Point(key, f"{form.name} is not filled", Verdict.stop)
        else:
            yield Point(key, f"{form.name} is not filled: the same was asked in person", Verdict.ask)
    for found in facts.findings:
        if not found.has_point:
            yield Point(
                f"finding-{found.response_id}-{found.key}", f"From a form: {found.text}", Verdict.stop if found.stops else Verdict.ask
            )


def _pregnancy(facts: Facts) -> Iterator[Point]:
    if facts.sex is Sex.male or not (facts.modality in RADIATES or facts.contrast):
        return
    said = safety.pregnancy(facts.observations, facts.ambulatory, facts.screening)
    if said is not None and said.is_pregnant:
        yield Point("pregnancy", f"Pregnant: {said.text}", Verdict.stop)
    elif facts.age is not None and not facts.limits.asked_from <= facts.age <= facts.limits.asked_to:
        return
    elif said is not None and said.at is not None and facts.now - said.at <= timedelta(days=facts.limits.pregnancy_days):
        yield Point("pregnancy", f"Not pregnant, said on {facts.day_of(said.at)}", Verdict.known)
    else:
        yield Point("pregnancy", "Not pregnant, as the patient says now", Verdict.ask)


def _allergy(facts: Facts) -> Iterator[Point]:
    if not facts.contrast:
        return
    known = [f"{row.text} ({row.reaction})" if row.reaction else row.text for row in facts.allergies if safety.is_to_contrast(row)]
    said = safety.answer_to(Question.contrast_reaction, facts.screening)
    if known:
        yield Point("allergy", f"Allergy to {', '.join(known)}", Verdict.stop)
    elif said is not None and said.answer is not Answer.no:
        yield Point("allergy", f"{said.text} (said on {facts.day_of(said.answered_at)})", Verdict.stop)
    elif said is not None:
        yield Point("allergy", f"{said.text}, said on {facts.day_of(said.answered_at)}", Verdict.known)
    else:
        yield Point("allergy", "No reaction to contrast medium before, as the patient says", Verdict.ask)


def _kidneys(facts: Facts) -> Iterator[Point]:
    """Ultrasound contrast does not leave by the kidneys."""
    if not facts.contrast or facts.modality is Modality.US:
        return
    found = safety.kidneys(facts.observations, facts.age, facts.sex)
    said = safety.answer_to(Question.kidney_disease, facts.screening)
    if found is None and said is not None:
        text = f"{said.text}, said on {facts.day_of(said.answered_at)}; neither eGFR nor creatinine is known here"
        yield Point("kidneys", text, Verdict.known if said.answer is Answer.no else Verdict.stop)
    elif found is None:
        yield Point("kidneys", "No kidney disease: neither eGFR nor creatinine is known here", Verdict.ask)
    elif found.is_below(facts.limits.lowest_egfr):
        yield Point("kidneys", f"{found.text} on {facts.day_of(found.at)}: below {facts.limits.lowest_egfr}", Verdict.stop)
    elif facts.now - found.at > timedelta(days=facts.limits.kidney_days):
        yield Point("kidneys", f"{found.text}, but of {facts.day_of(found.at)}: no kidney disease since", Verdict.ask)
    else:
        yield Point("kidneys", f"{found.text} on {facts.day_of(found.at)}", Verdict.known)


def _magnet(facts: Facts) -> Iterator[Point]:
    """What was said of implants is years old perhaps; what is in the pockets is new each time."""
    if facts.modality is not Modality.MR:
        return
    said = safety.answer_to(Question.implant, facts.screening)
    if said is None:
        yield Point("magnet", "No pacemaker, implant or metal in the body; pockets empty, wheelchair and bed outside", Verdict.ask)
    elif said.answer is Answer.no:
        yield Point("magnet", f"{said.text}, said on {facts.day_of(said.answered_at)}, and none since; pockets empty", Verdict.ask)
    else:
        yield Point("magnet", f"{said.text} (said on {facts.day_of(said.answered_at)})", Verdict.stop)


def _facts(session: Session, procedure_id: int, now: datetime) -> Facts:
    site, kind, patient, ambulatory = session.execute(
        sa.select(Site, Procedure, Patient, Visit.ambulatory_status)
        .select_from(RequestedProcedure)
        .join(Order, Order.id == RequestedProcedure.order_id)
        .join(Patient, Patient.id == Order.patient_id)
        .join(Site, Site.id == RequestedProcedure.site_id)
        .outerjoin(Procedure, Procedure.id == RequestedProcedure.procedure_id)
        .outerjoin(Visit, Visit.id == Order.visit_id)
        .where(RequestedProcedure.id == procedure_id)
    ).one()
    return Facts(
        local(now, site.zone), kind.modality if kind else None, bool(kind and kind.contrast), patient.birth_date, patient.sex,
        tuple((ambulatory or "").split()), tuple(patients.allergies(session, patient.id)),
        tuple(patients.observations(session, patient.id)), screened(session, patient.id, now), bool(kind and kind.needs_consent),
        in_force(session, procedure_id), tuple(forms.needed(session, procedure_id, now)),
        tuple(forms.findings(session, patient.id, now)), limits_for(session, procedure_id),
    )  # fmt: skip
