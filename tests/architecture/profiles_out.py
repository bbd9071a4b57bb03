"""Draws the profile of each message that leaves from what its builder makes of a full set of rows, for every event that it tells."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ris.billing.model import Charge, ChargeStatus, Component
from ris.catalog.model import Modality, Procedure, Resource, ResourceKind, Room, Site
from ris.exam.model import PerformedProcedureStep, PerformedStatus
from ris.hl7 import er7
from ris.hl7.outbound import BUILDERS, TELLS, skeleton
from ris.hl7.outbound.header import Job
from ris.hl7.outbound.known import Known
from ris.order.model import Order, RequestedProcedure
from ris.order.status import OrderStatus, Priority, ProcedureStatus
from ris.outbox.model import Delivery, DeliveryState, StoredEvent
from ris.partner.model import Destination, Partner
from ris.patient.model import Merge, Patient, PatientIdentifier, Sex, Visit
from ris.report import versions
from ris.report.model import ReportProcedure, ReportVersion
from ris.report.status import OBR_25, VersionKind
from ris.scheduling.model import ScheduledProcedureStep
from ris.scheduling.status import StepStatus
from ris.settings import Settings
from ris.staff.model import User
from tests.architecture.meanings_out import MEANINGS
from tests.architecture.profile import Line, drawn

NOW = datetime(2026, 11, 30, 15, 30, tzinfo=UTC)
AT = {
    "room_id": 1, "starts_at": NOW.isoformat(), "ends_at": (NOW + timedelta(minutes=30)).isoformat(), "reason": "felt unwell",
    "resource_ids": [1, 2],
    "other_order_id": 2, "other_order": "F2600000002",
}  # fmt: skip
ABOUT = {"scheduling": "step", "exam": "procedure", "report": "report", "charge": "charge", "patient": "patient", "order": "order"}


class Given(Known):
    """The rows of one invented exam instead of a database."""

    def __init__(self, *rows: Any) -> None:
        super().__init__(sa.orm.Session(info={"settings": Settings()}))
        self._rows = rows

    def all(self, model: type[Any], column: Any, key: Any) -> list[Any]:
        return [row for row in self._rows if isinstance(row, model) and getattr(row, column.key) == key]


@dataclass(frozen=True)
class Case:
    """An event in words, and what is in it."""

    name: str
    says: str
    facts: dict[str, Any]


def cases(message: str) -> Iterator[Case]:
    for name in TELLS[message]:
        if name == "report.published":
            for number, kind in enumerate(OBR_25, 1):
                yield Case(name, kind, {"version_id": number, "kind": kind})
        else:
            yield Case(name, name, {**AT, "survivor_id": 1, "loser_id": 2, "was": "ready"})


def job(message: str, case: Case, version: str) -> Job:
    floor = case.name.partition(".")[0]
    event = StoredEvent(
        id=9, name=case.name, at=NOW, object_kind="procedure" if case.name.startswith("order.procedure") else ABOUT[floor], object_id=1,
        patient_id=1, order_id=None if floor == "patient" else 1, procedure_id=1, actor_kind="user", actor_id=1, actor_name="Frances Front",
        facts=case.facts,
    )  # fmt: skip
    destination = Destination(
        id=1, partner_id=1, name="there", version=version, charset="UNICODE UTF-8",
        # Once is enough to say what it looks like: to draw takes time.
        report_pdf=case.says == VersionKind.final,
        study_link="https://viewer.example/?study={study_instance_uid}",
    )  # fmt: skip
    partner = Partner(id=1, name="Partner", application="APP", facility="FAC", zone="America/New_York", policies={})
    delivery = Delivery(id=1, event_id=9, destination_id=1, message=message, control_id="R1A2B3C", state=DeliveryState.waiting)
    return Job(Given(*rows(message, is_merged=case.name != "patient.unmerged")), delivery, event, destination, partner, NOW)


def rows(message: str, *, is_merged: bool) -> Iterator[Any]:
    yield Site(id=1, code="MAIN", name="Main hospital", zone="America/New_York", currency="USD")
    yield Room(id=1, site_id=1, code="CT1", name="CT room 1", modality=Modality.CT, station_ae_title="CT1_AE")
    yield Resource(id=1, site_id=1, code="INJ2", name="Injector 2", kind=ResourceKind.equipment)
    yield Resource(id=2, site_id=1, code="A7", name="Lake, Anna", kind=ResourceKind.person)
    yield Procedure(id=1, code="CTCHESTC", name="CT chest with contrast", modality=Modality.CT)
    yield from _people(is_merged=is_merged)
    yield Order(
        id=1, patient_id=1, visit_id=1, partner_id=1, site_id=1, placer_number="P1001", placer_namespace="EHR", filler_number="F2600000001",
        status=OrderStatus.scheduled, priority=Priority.asap, requested_at=NOW, orderer_number="1234", orderer_name="Grove, Oscar",
        reason="R/O embolism", clinical_information="Cough", danger="Airborne precautions", transport="WHLC",
    )  # fmt: skip
    yield Order(id=2, patient_id=1, site_id=1, placer_number="P1001", placer_namespace="EHR", filler_number="F2600000002", orderer_name="")
    yield RequestedProcedure(
        id=1, order_id=1, sequence=1, site_id=1, accession_number="A2600000001", study_instance_uid="2.25.1", procedure_id=1,
        partner_code="71260", partner_text="CT CHEST W", partner_system="C4", laterality="L", status=ProcedureStatus.completed,
        started_at=NOW,
        ended_at=NOW,
    )  # fmt: skip
    yield ScheduledProcedureStep(
        id=1, procedure_id=1, site_id=1, room_id=1, starts_at=NOW, ends_at=NOW + timedelta(minutes=30), status=StepStatus.booked
    )
    yield PerformedProcedureStep(id=1, procedure_id=1, technologist_id=2, status=PerformedStatus.completed)
    yield from _reports()
    yield Charge(
        id=1, procedure_id=1, component=Component.professional, code="71260", quantity=1, amount=4_500, currency="USD",
        status=ChargeStatus.ready, service_date=date(2026, 11, 30), captured_at=NOW,
    )  # fmt: skip
    yield StoredEvent(id=1, name="scheduling.booked", procedure_id=1, facts={})
    yield Delivery(id=2, event_id=1, destination_id=1, message=message, state=DeliveryState.delivered)


def _people(*, is_merged: bool) -> Iterator[Any]:
    yield Patient(
        id=1, family="Meadow", given="Ännie", middle="B", suffix="Jr", prefix="Dr", birth_date=date(1970, 5, 17), sex=Sex.female,
        street="1 Brook Lane", city="Springfield", region="IL", postal_code="62701", country="USA", phone="555-0100", deceased=True,
    )  # fmt: skip
    yield Patient(id=2, family="Meadow", given="Anne", sex=Sex.female, merged_into_id=1 if is_merged else None)
    yield PatientIdentifier(id=1, patient_id=1, value="M1001", authority="HOSP", type="MR", merged=False)
    yield PatientIdentifier(id=2, patient_id=1 if is_merged else 2, value="M2002", authority="HOSP", type="MR", merged=is_merged)
    yield Merge(id=1, survivor_id=1, loser_id=2, at=NOW, moved={"current_identifier": [2]})
    yield Visit(id=1, patient_id=1, key="HOSP|V77", visit_number="V77", patient_class="I", location="WARD 3 12", ambulatory_status="B6")
    yield User(id=1, login="rita", family="Reader", given="Rita", practitioner_number="R7")
    yield User(id=2, login="tom", family="Tech", given="Tom", practitioner_number="T8")


def _reports() -> Iterator[Any]:
    yield ReportProcedure(procedure_id=1, report_id=1)
    for number, kind in enumerate(OBR_25, 1):
        version = ReportVersion(
            id=number, report_id=1, number=number, kind=kind, text="FINDINGS:\nNo embolus.\n\nIMPRESSION:\nNormal.", signer_id=1,
            signer_name="Rita Reader", meaning="Interpretation", signed_at=NOW, publish_at=NOW, published_at=NOW,
            method="password", identifiers="",
        )  # fmt: skip
        version.digest = versions.digest(version)
        yield version


@dataclass(frozen=True)
class Built:
    case: Case
    version: str
    message: er7.Message


@functools.cache
def built(message: str) -> tuple[Built, ...]:
    """Every event in every version; a message that has one version of its own comes in that one alone."""
    found: dict[tuple[str, str], Built] = {}
    for version in skeleton.VERSIONS:
        for case in cases(message):
            text = BUILDERS[message](job(message, case, version)).text
            parsed = er7.Message.parse(text)
            found[case.says, parsed.value("MSH", 12)] = Built(case, parsed.value("MSH", 12), parsed)
    return tuple(found.values())


def lines(message: str) -> list[Line]:
    """Every field that is filled in one of them, segments as they stand in the messages, fields by number."""
    order: dict[str, None] = {}
    filled: dict[tuple[str, int], dict[int, str]] = {}
    for position, each in enumerate(built(message)):
        for segment in each.message.segments:
            order[segment.name] = None
            for number in range(1, segment.raw.count("|") + 2):
                if raw := segment.field(number).raw:
                    filled.setdefault((segment.name, number), {}).setdefault(position, raw)
    return [
        Line(name, number, _filled(message, name, number, set(found)), next(iter(found.values())))
        for name in order
        for (segment, number), found in sorted(filled.items())
        if segment == name
    ]


def _filled(message: str, segment: str, number: int, found: set[int]) -> str:
    """Always, where the segment stands; else in which version, or for which events."""
    stands = {position for position, each in enumerate(built(message)) if each.message.first(segment)}
    if found == stands:
        return "always"
    versions = {built(message)[position].version for position in stands}
    for version in sorted(versions):
        if found == {position for position in stands if built(message)[position].version == version}:
            return f"in {version}"
    says = dict.fromkeys(built(message)[position].case.says for position in sorted(found))
    return f"for {', '.join(says)}" if len(says) < len(stands) / 2 + 1 and len(says) < 4 else "where it applies"


def page(message: str) -> str:
    all_built = built(message)
    kinds = dict.fromkeys(each.message.first("MSH").field(9).raw for each in all_built)
    versions = " and ".join(sorted({each.version for each in all_built}))
    text = [
        f"# Out: `{message}`",
        "",
        f"{', '.join(f'`{kind}`' for kind in kinds)}, version {versions}, for {', '.join(f'`{name}`' for name in TELLS[message])}.",
        "",
        "Drawn from what the program builds of one full set of rows. *Always*: wherever the segment stands and the value is known.",
        *drawn(lines(message), MEANINGS, message, with_examples=True),
        "",
        "## Example",
        "",
        "```",
        *(re.sub(r"Base64\^[\w+/=]+", "Base64^…", segment.raw) for segment in _example(all_built).message.segments),
        "```",
    ]
    return "\n".join(text) + "\n"


def _example(found: tuple[Built, ...]) -> Built:
    """A final report where there is one, in the newest version."""
    newest = [each for each in found if each.version == found[-1].version]
    return next((each for each in newest if each.case.says == VersionKind.final), newest[0])


def unused() -> set[str]:
    """Meanings of places that no message fills."""
    used = {f"{message} {line.place}" for message in BUILDERS for line in lines(message)}
    used |= {line.place for message in BUILDERS for line in lines(message)}
    return set(MEANINGS) - used


PAGES = {f"docs/interfaces/profiles/out-{message}.md": functools.partial(page, message) for message in BUILDERS}
