"""Every route, every role, at the own site and at another: what is not granted is a 404 and an entry in the trail."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.routing import Rule

from ris.audit.model import AuditEntry, Outcome
from ris.base.ref import Ref
from ris.base.uow import UnitOfWork
from ris.billing.model import Charge, ChargeStatus, Component
from ris.bootstrap import Ris
from ris.distribution.model import Dispatch, Recipient, RecipientRole
from ris.distribution.status import Channel, DispatchState
from ris.notice.model import Notice, NoticeKind
from ris.notice.status import NoticeState
from ris.order import documents
from ris.order.model import DocumentKind, Order, RequestedProcedure
from ris.patient import contacts, coverage, naming
from ris.patient import service as patients
from ris.patient.alerts import raise_alert
from ris.patient.contacts import ContactData
from ris.patient.coverage import AuthorizationData, CoverageData
from ris.patient.model import AlertKind
from ris.patient.naming import NameKind, OtherName, PatientName
from ris.questionnaire import filling
from ris.referrer import service as referrers
from ris.referrer.service import ReferrerData
from ris.report import versions
from ris.report.model import Report, ReportProcedure
from ris.report.status import ReportStatus, VersionKind
from ris.scheduling import service as scheduling
from ris.scheduling.model import ScheduledProcedureStep
from ris.staff import service as staff
from ris.staff.model import Role
from ris.staff.permission import ROLES, Permission
from ris.task import service as tasks
from ris.web.access import PUBLIC, SIGNED_IN, needed
from tests.factories.critical import critical_result
from tests.factories.hospital import Hospital, build_hospital
from tests.factories.orders import MONDAY, make_order, make_patient
from tests.questionnaire.forms import published
from tests.web.visitor import Visitor

P = Permission
ROUTES: dict[str, P | str] = {
    "account.change_password": SIGNED_IN,
    "account.check_login": PUBLIC,
    "account.choose_site": SIGNED_IN,
    "account.csp": PUBLIC,
    "account.home": SIGNED_IN,
    "account.log_in": PUBLIC,
    "account.log_out": SIGNED_IN,
    "account.password": SIGNED_IN,
    "account.stay": SIGNED_IN,
    "audit.export": P.AUDIT_READ,
    "audit.index": P.AUDIT_READ,
    "catalog.add": P.CATALOG_MANAGE,
    "catalog.change": P.CATALOG_MANAGE,
    "catalog.export": P.CATALOG_MANAGE,
    "catalog.index": P.CATALOG_MANAGE,
    "catalog.new": P.CATALOG_MANAGE,
    "catalog.one": P.CATALOG_MANAGE,
    "catalog.show": P.CATALOG_MANAGE,
    "catalog.undo": P.CATALOG_MANAGE,
    "charges.index": P.CHARGE_READ,
    "charges.release": P.CHARGE_RELEASE,
    "imports.apply": P.IMPORT_RUN,
    "imports.bring": P.IMPORT_RUN,
    "imports.findings": P.IMPORT_RUN,
    "imports.index": P.IMPORT_RUN,
    "imports.new": P.IMPORT_RUN,
    "imports.show": P.IMPORT_RUN,
    "imports.throw_away": P.IMPORT_RUN,
    "distribution.drop": P.RESULT_SEND,
    "distribution.end": P.RESULT_SEND,
    "distribution.follow": P.REPORT_READ,
    "distribution.letter": P.REPORT_READ,
    "distribution.one": P.REPORT_READ,
    "distribution.send_again": P.RESULT_SEND,
    "distribution.send_copy": P.RESULT_SEND,
    "distribution.show": P.REPORT_READ,
    "printing.index": P.RESULT_SEND,
    "printing.letters": P.RESULT_SEND,
    "printing.mark": P.RESULT_SEND,
    "printing.undo": P.RESULT_SEND,
    "verify.show": PUBLIC,
    "contacts.end": P.PATIENT_EDIT,
    "contacts.save": P.PATIENT_EDIT,
    "contacts.show": P.PATIENT_READ,
    "coverage.authorize": P.PATIENT_EDIT,
    "coverage.end": P.PATIENT_EDIT,
    "coverage.end_authorization": P.PATIENT_EDIT,
    "coverage.save": P.PATIENT_EDIT,
    "coverage.show": P.PATIENT_READ,
    "consent.give": P.PATIENT_SCREEN,
    "consent.show": P.PATIENT_SCREEN,
    "consent.withdraw": P.PATIENT_SCREEN,
    "critical.flag": P.REPORT_WRITE,
    "critical.index": P.REPORT_READ,
    "critical.one": P.REPORT_READ,
    "critical.show": P.REPORT_READ,
    "critical.tell": P.CRITICAL_TELL,
    "critical.withdraw": P.REPORT_WRITE,
    "exam.cancel": P.ORDER_CANCEL,
    "exam.show": P.EXAM_READ,
    "exam_rules.answer": P.RULE_OVERRIDE,
    "exam_rules.show": P.RULE_OVERRIDE,
    "forms.begin": P.PATIENT_SCREEN,
    "forms.clear": P.PATIENT_SCREEN,
    "forms.close_tablet": P.PATIENT_SCREEN,
    "forms.correct": P.PATIENT_SCREEN,
    "forms.desk": P.PATIENT_SCREEN,
    "forms.fill": P.PATIENT_SCREEN,
    "forms.keep": P.PATIENT_SCREEN,
    "forms.make_code": P.PATIENT_SCREEN,
    "forms.paper": P.PATIENT_SCREEN,
    "forms.show": P.PATIENT_SCREEN,
    "forms.stop": P.PATIENT_SCREEN,
    "health.alive": PUBLIC,
    "health.metrics": PUBLIC,
    "health.ready": PUBLIC,
    "interfaces.bench": P.INTERFACE_MANAGE,
    "interfaces.begin_replays": P.INTERFACE_MANAGE,
    "interfaces.correct": P.INTERFACE_MANAGE,
    "interfaces.correct_form": P.INTERFACE_MANAGE,
    "interfaces.decide": P.INTERFACE_MANAGE,
    "interfaces.decide_many": P.INTERFACE_MANAGE,
    "interfaces.deliveries": P.INTERFACE_READ,
    "interfaces.delivery": P.INTERFACE_READ,
    "interfaces.export": P.INTERFACE_READ,
    "interfaces.go_on": P.INTERFACE_MANAGE,
    "interfaces.hold": P.INTERFACE_MANAGE,
    "interfaces.index": P.INTERFACE_READ,
    "interfaces.message": P.INTERFACE_READ,
    "interfaces.messages": P.INTERFACE_READ,
    "interfaces.raw": P.INTERFACE_READ,
    "interfaces.release": P.INTERFACE_MANAGE,
    "interfaces.replay_form": P.INTERFACE_MANAGE,
    "interfaces.replay_many": P.INTERFACE_MANAGE,
    "interfaces.replay_message": P.INTERFACE_MANAGE,
    "interfaces.replays": P.INTERFACE_READ,
    "interfaces.try_out": P.INTERFACE_MANAGE,
    "labels.pdf": P.EXAM_READ,
    "labels.show": P.EXAM_READ,
    "labels.zpl": P.EXAM_READ,
    "mail.change_site": P.RULE_MANAGE,
    "mail.change_text": P.RULE_MANAGE,
    "mail.find_text": P.RULE_MANAGE,
    "mail.index": P.RULE_MANAGE,
    "mail.site": P.RULE_MANAGE,
    "mail.text": P.RULE_MANAGE,
    "merges.index": P.PATIENT_MERGE,
    "merges.merge": P.PATIENT_MERGE,
    "merges.preview": P.PATIENT_MERGE,
    "mine.approval": P.REPORT_WRITE,
    "mine.approve": P.REPORT_SIGN,
    "mine.index": P.REPORT_WRITE,
    "missing.index": P.ORDER_ENTER,
    "missing.mend": P.ORDER_ENTER,
    "on_call.add": P.PLACE_MANAGE,
    "on_call.index": SIGNED_IN,
    "on_call.remove": P.PLACE_MANAGE,
    "orders.attach": P.ORDER_ENTER,
    "orders.authorize": P.ORDER_ENTER,
    "orders.cancel": P.ORDER_CANCEL,
    "orders.correct": P.ORDER_ENTER,
    "orders.document": P.EXAM_READ,
    "orders.enter": P.ORDER_ENTER,
    "orders.hold": P.ORDER_ENTER,
    "orders.new": P.ORDER_ENTER,
    "orders.combine": P.ORDER_CANCEL,
    "orders.exchange": P.ORDER_ENTER,
    "orders.put_back": P.ORDER_ENTER,
    "orders.rejoin": P.ORDER_ENTER,
    "orders.release": P.ORDER_ENTER,
    "orders.remove": P.ORDER_ENTER,
    "orders.replace": P.ORDER_CANCEL,
    "orders.revise": P.ORDER_ENTER,
    "orders.split_exam": P.ORDER_ENTER,
    "orders.separate": P.ORDER_CANCEL,
    "orders.unreplace": P.ORDER_CANCEL,
    "orders.split_off": P.ORDER_ENTER,
    "orders.show": P.EXAM_READ,
    "partners.add": P.INTERFACE_MANAGE,
    "partners.change": P.INTERFACE_MANAGE,
    "partners.index": P.INTERFACE_MANAGE,
    "partners.map_code": P.INTERFACE_MANAGE,
    "partners.show": P.INTERFACE_MANAGE,
    "partners.unmap_code": P.INTERFACE_MANAGE,
    "patient.add_name": P.PATIENT_EDIT,
    "patient.end_alert": P.PATIENT_EDIT,
    "patient.end_name": P.PATIENT_EDIT,
    "patient.raise_alert": P.PATIENT_EDIT,
    "patient.restore_alert": P.PATIENT_EDIT,
    "patient.restore_name": P.PATIENT_EDIT,
    "patient.show": P.PATIENT_READ,
    "patient.undo_merge": P.PATIENT_MERGE,
    "patient_mail.come_back": P.PATIENT_EDIT,
    "patient_mail.lift": P.PATIENT_EDIT,
    "patient_mail.message": P.PATIENT_READ,
    "patient_mail.say": P.PATIENT_EDIT,
    "patient_mail.send_again": P.PATIENT_EDIT,
    "patient_mail.show": P.PATIENT_READ,
    "patient_mail.works": P.PATIENT_EDIT,
    "patient_mail.stop": P.PATIENT_EDIT,
    "reading.choose_columns": P.REPORT_WRITE,
    "reading.open_with": P.REPORT_WRITE,
    "reading.read_next": P.REPORT_WRITE,
    "reading.remove_filter": P.REPORT_WRITE,
    "reading.save_filter": P.REPORT_WRITE,
    "reading_rules.change_levels": P.RULE_MANAGE,
    "reading_rules.index": P.RULE_MANAGE,
    "registration.correct": P.PATIENT_EDIT,
    "registration.edit": P.PATIENT_EDIT,
    "registration.new": P.PATIENT_EDIT,
    "registration.register": P.PATIENT_EDIT,
    "registration.register_unknown": P.PATIENT_EDIT,
    "perform.also": P.EXAM_PERFORM,
    "perform.check": P.EXAM_PERFORM,
    "perform.complete": P.EXAM_PERFORM,
    "perform.discontinue": P.EXAM_PERFORM,
    "perform.give": P.EXAM_PERFORM,
    "perform.instead": P.EXAM_PERFORM,
    "perform.measure": P.EXAM_PERFORM,
    "perform.note": P.EXAM_PERFORM,
    "perform.pause": P.EXAM_PERFORM,
    "perform.react": P.EXAM_PERFORM,
    "perform.resume": P.EXAM_PERFORM,
    "perform.show": P.EXAM_PERFORM,
    "perform.start": P.EXAM_PERFORM,
    "perform.take_back": P.EXAM_PERFORM,
    "perform.undo": P.EXAM_PERFORM,
    "places.add": P.PLACE_MANAGE,
    "places.change": P.PLACE_MANAGE,
    "places.file": P.PLACE_MANAGE,
    "places.index": P.PLACE_MANAGE,
    "places.new": P.PLACE_MANAGE,
    "places.remove": P.PLACE_MANAGE,
    "places.show": P.PLACE_MANAGE,
    "places.undo": P.PLACE_MANAGE,
    "proposals.index": P.PATIENT_MERGE,
    "proposals.look_now": P.PATIENT_MERGE,
    "proposals.propose_again": P.PATIENT_MERGE,
    "proposals.tell_apart": P.PATIENT_MERGE,
    "protocol.approve": P.PROTOCOL_APPROVE,
    "protocol.propose": P.PROTOCOL_PROPOSE,
    "protocol.reject": P.PROTOCOL_PROPOSE,
    "protocol.reopen": P.PROTOCOL_APPROVE,
    "protocol.resubmit": P.SCHEDULE_BOOK,
    "protocol.send_back": P.PROTOCOL_APPROVE,
    "protocol.show": P.EXAM_READ,
    "questionnaires.add": P.FORM_MANAGE,
    "questionnaires.bring": P.FORM_MANAGE,
    "questionnaires.change": P.FORM_MANAGE,
    "questionnaires.discard": P.FORM_MANAGE,
    "questionnaires.export_csv": P.FORM_MANAGE,
    "questionnaires.export_json": P.FORM_MANAGE,
    "questionnaires.index": P.FORM_MANAGE,
    "questionnaires.keep_question": P.FORM_MANAGE,
    "questionnaires.move_question": P.FORM_MANAGE,
    "questionnaires.preview": P.FORM_MANAGE,
    "questionnaires.publish": P.FORM_MANAGE,
    "questionnaires.question": P.FORM_MANAGE,
    "questionnaires.retire": P.FORM_MANAGE,
    "questionnaires.show": P.FORM_MANAGE,
    "referrers.add": P.ORDER_ENTER,
    "referrers.end_practice": P.ORDER_ENTER,
    "referrers.index": P.ORDER_ENTER,
    "referrers.join": P.ORDER_ENTER,
    "referrers.save": P.ORDER_ENTER,
    "referrers.save_practice": P.ORDER_ENTER,
    "referrers.show": P.ORDER_ENTER,
    "images.show": P.REPORT_READ,
    "grouping.group": P.REPORT_WRITE,
    "grouping.ungroup": P.REPORT_WRITE,
    "report_search.index": P.REPORT_READ,
    **dict.fromkeys(("macros.index", "macros.new", "macros.add", "macros.one", "macros.change", "macros.undo"), P.REPORT_WRITE),
    "texts.show": P.REPORT_WRITE,
    "report.addend": P.REPORT_ADDEND,
    "report.claim": P.REPORT_WRITE,
    "report.paper": P.REPORT_READ,
    "report.release": P.REPORT_WRITE,
    "report.recall": P.REPORT_WRITE,
    "report.retract": P.REPORT_RETRACT,
    "report.save": P.REPORT_WRITE,
    "report.show": P.REPORT_READ,
    "report.send_back": P.REPORT_SIGN,
    "report.sign": P.REPORT_SIGN,
    "report.submit": P.REPORT_WRITE,
    "report.take_back": P.REPORT_SIGN,
    "rules.add": P.RULE_MANAGE,
    "rules.change": P.RULE_MANAGE,
    "rules.index": P.RULE_MANAGE,
    "rules.new": P.RULE_MANAGE,
    "rules.show": P.RULE_MANAGE,
    "schedule.accept": P.SCHEDULE_BOOK,
    "schedule.appointment_of": P.SCHEDULE_BOOK,
    "scan.read": P.EXAM_READ,
    "schedule.book": P.SCHEDULE_BOOK,
    "schedule.book_held": P.SCHEDULE_BOOK,
    "schedule.cancel": P.SCHEDULE_BOOK,
    "schedule.decline": P.SCHEDULE_BOOK,
    "schedule.day": P.SCHEDULE_READ,
    "schedule.events": P.SCHEDULE_READ,
    "schedule.find": P.SCHEDULE_BOOK,
    "schedule.hand_back": P.SCHEDULE_BOOK,
    "schedule.held": P.SCHEDULE_BOOK,
    "schedule.hold": P.SCHEDULE_BOOK,
    "schedule.keep_held": P.SCHEDULE_BOOK,
    "schedule.move": P.SCHEDULE_BOOK,
    "schedule.move_all": P.SCHEDULE_BOOK,
    "schedule.plan": P.SCHEDULE_BOOK,
    "schedule.release_held": P.SCHEDULE_BOOK,
    "schedule.show": P.SCHEDULE_READ,
    "schedule.wait": P.SCHEDULE_BOOK,
    "schedule.waitlist_index": P.SCHEDULE_BOOK,
    "schedule.withdraw": P.SCHEDULE_BOOK,
    "screening.answer": P.PATIENT_SCREEN,
    "screening.show": P.PATIENT_SCREEN,
    "search.index": P.PATIENT_READ,
    "sheet.pdf": P.SCHEDULE_READ,
    "sheet.show": P.SCHEDULE_READ,
    "static": PUBLIC,
    "stop.show": PUBLIC,
    "stop.stop": PUBLIC,
    "tablet.answer": PUBLIC,
    "tablet.ask": PUBLIC,
    "tablet.choose_language": PUBLIC,
    "tablet.confirm": PUBLIC,
    "tablet.enter": PUBLIC,
    "tablet.go_on": PUBLIC,
    "tablet.open_with": PUBLIC,
    "tablet.review": PUBLIC,
    "tablet.send": PUBLIC,
    "tablet.start": PUBLIC,
    "tablet.stay": PUBLIC,
    "tablet.thanks": PUBLIC,
    "tasks.close": P.TASK_CLOSE,
    "tasks.index": P.TASK_READ,
    "tasks.map_code_of": P.INTERFACE_MANAGE,
    "users.add": P.USER_MANAGE,
    "users.assign": P.USER_MANAGE,
    "users.index": P.USER_MANAGE,
    "users.limit": P.USER_MANAGE,
    "users.reset": P.USER_MANAGE,
    "users.revoke": P.USER_MANAGE,
    "users.set_email": P.USER_MANAGE,
    "users.set_active": P.USER_MANAGE,
    "users.show": P.USER_MANAGE,
    "walkin.come": P.RECEPTION_ARRIVE,
    "walkin.show": P.RECEPTION_ARRIVE,
    "wet.show": P.REPORT_WRITE,
    "wet.tell": P.REPORT_WRITE,
    "worklist.act": SIGNED_IN,
    "worklist.ask": SIGNED_IN,
    "worklist.show": SIGNED_IN,
}
"""What each page needs, said a second time: a page that is not here, or that changed its mind, fails."""

WORKLISTS = {
    "arrivals": P.RECEPTION_ARRIVE,
    "unscheduled": P.SCHEDULE_BOOK,
    "to-move": P.SCHEDULE_BOOK,
    "queue": P.RECEPTION_ARRIVE,
    "technologist": P.EXAM_PERFORM,
    "protocol": P.PROTOCOL_PROPOSE,
    "reading": P.REPORT_WRITE,
}
DEEDS = {
    "arrivals": "arrive", "unscheduled": "no-answer", "to-move": "stays", "queue": "undo",
    "technologist": "start", "protocol": "open", "reading": "read",
}  # fmt: skip
ENDS_SESSIONS = ("account.", "users.")
"""Pages after which a person may have to log in again."""
FORMS = {"on_call.add", "users.assign", "users.revoke"}
"""Whose site is in the form, not in the address."""
AT_A_SITE = {
    "charge_id",
    "critical_id",
    "dispatch_id",
    "notice_id",
    "order_id",
    "patient_id",
    "procedure_id",
    "response_id",
    "step_id",
    "task_id",
    "user_id",
}
"""What belongs to one site; a patient to those of the exams. Messages and destinations belong to the whole hospital."""
NOT_THERE = 10**18


@dataclass(frozen=True, slots=True)
class House:
    ris: Ris
    app: Flask
    ids: dict[str, dict[str, int]]
    """Site code to the name of a route's variable to a thing of that site."""
    site_ids: dict[str, int]
    role_id: int
    people: dict[str, int]
    """Role to a user who has it at WEST only."""


@dataclass(frozen=True, slots=True)
class Case:
    endpoint: str
    method: str
    values: dict[str, Any]
    need: P | str
    is_at_a_site: bool


@pytest.fixture
def house(ris: Ris, app: Flask) -> House:
    hospital = build_hospital(ris)
    exams = {"MAIN": _booked(ris, hospital, "MAIN", "CTHEAD", "CT1"), "WEST": _booked(ris, hospital, "WEST", "USABD", "US1")}
    people = {role: _person(ris, f"{role}-west", role, hospital.sites["WEST"]) for role in ROLES}
    others = {
        "MAIN": _person(ris, "other-main", "billing", hospital.sites["MAIN"]),
        "WEST": _person(ris, "other-west", "billing", hospital.sites["WEST"]),
    }
    ids = {site: _things(ris, hospital, site, exams[site], others[site]) for site in exams}
    with ris.read() as session:
        role_id = session.scalars(sa.select(Role.id).where(Role.code == "billing")).one()
    return House(ris, app, ids, hospital.sites, role_id, people)


def _booked(ris: Ris, hospital: Hospital, site: str, code: str, room: str) -> int:
    """Noon in New York is nine o'clock in Los Angeles: the rooms of both sites are open."""
    with ris.uow(hospital.actor("scheduler")) as uow:
        procedure_id = make_order(uow, hospital, code, site=site).procedures[0].id
        uow.session.flush()
        scheduling.book(uow, procedure_id=procedure_id, room_id=hospital.rooms[room], starts_at=MONDAY + timedelta(hours=2))
        return procedure_id


def _person(ris: Ris, login: str, role: str, site_id: int) -> int:
    with ris.uow() as uow:
        user = staff.add_user(uow, login=login, family="Fern", given="Test", password="rain upon a tin roof")
        role_id = uow.session.scalars(sa.select(Role.id).where(Role.code == role)).one()
        staff.assign(uow, user_id=user.id, role_id=role_id, site_id=site_id)
        return user.id


def _things(ris: Ris, hospital: Hospital, site: str, procedure_id: int, user_id: int) -> dict[str, int]:
    with ris.uow() as uow:
        step_id = uow.session.scalars(sa.select(ScheduledProcedureStep.id).where(ScheduledProcedureStep.procedure_id == procedure_id)).one()
        facts = {"partner_id": hospital.partner_id, "code": "XYZ"}
        task = tasks.open(uow, "map_procedure", Ref("procedure", procedure_id), "A test", site_id=hospital.sites[site], facts=facts)
        order = uow.session.get_one(RequestedProcedure, procedure_id).order
        patient_id = order.patient_id
        merge = patients.merge(uow, survivor_id=patient_id, loser_id=make_patient(uow).id)
        charge = uow.add(
            Charge(
                procedure_id=procedure_id, component=Component.technical, code="", quantity=1, amount=None, currency="USD",
                status=ChargeStatus.held, held_reason="the procedure has no price", service_date=MONDAY.date(), captured_at=MONDAY,
            )
        )  # fmt: skip
        contact = contacts.save_contact(uow, patient_id, ContactData("Ida Meadow"))
        covered = coverage.save_coverage(uow, patient_id, CoverageData("Payer"))
        agreed = coverage.authorize(uow, patient_id, AuthorizationData("A1", 2))
        paper = documents.attach(uow, order.id, kind=DocumentKind.other, name="a.pdf", content=b"%PDF-1.7")
        alert = raise_alert(uow, patient_id, AlertKind.isolation, "MRSA")
        naming.add(uow, patient_id, OtherName(NameKind.maiden, "Lake"))
        uow.session.flush()
        name_id = uow.session.scalars(
            sa.select(PatientName.id).where(PatientName.family == "Lake", PatientName.patient_id == patient_id)
        ).one()
        names = ("mr-safety",) if site == "MAIN" else ("pregnancy",)
        response_id = filling.begin(uow, procedure_id=procedure_id, version_id=published(uow, *names)[names[0]]).id
        # Of another exam, so that this one has no report.
        found = critical_result(uow, make_order(uow, hospital, site=site).procedures[0].id, hospital.users["radiologist"])
        told = uow.add(
            Notice(
                step_id=step_id, site_id=hospital.sites[site], kind=NoticeKind.confirmation, cancelled=[], state=NoticeState.sent,
                created_at=MONDAY, due_at=MONDAY,
            )
        )  # fmt: skip
        uow.session.flush()
        recipient_id, dispatch_id = _dispatched(uow, hospital, site, order, procedure_id)
        return {
            "recipient_id": recipient_id, "dispatch_id": dispatch_id, "response_id": response_id, "name_id": name_id,
            "procedure_id": procedure_id, "step_id": step_id, "task_id": task.id, "user_id": user_id, "patient_id": patient_id,
            "critical_id": found.id,
            "merge_id": merge.id, "charge_id": charge.id, "order_id": order.id, "alert_id": alert.id, "coverage_id": covered.id,
            "authorization_id": agreed.id, "document_id": paper.id, "notice_id": told.id, "contact_id": contact.id,
        }  # fmt: skip


def _dispatched(uow: UnitOfWork, hospital: Hospital, site: str, order: Order, procedure_id: int) -> tuple[int, int]:
    """A recipient, and a letter that waits at the printer, of a report that was signed here."""
    report = uow.add(Report(order_id=order.id, status=ReportStatus.draft, draft_text=""))
    uow.session.flush()
    uow.add(ReportProcedure(procedure_id=procedure_id, report_id=report.id))
    uow.session.flush()
    uow.actor = hospital.actor("radiologist")
    version = versions.sign(uow, report, VersionKind.final, "Normal.", password_checked=True)
    referrer_id = referrers.add(uow, ReferrerData("Grove")).id
    recipient = uow.add(
        Recipient(order_id=order.id, referrer_id=referrer_id, role=RecipientRole.added, added_at=MONDAY, added_by="Test")
    )  # fmt: skip
    uow.session.flush()
    dispatch = uow.add(
        Dispatch(
            report_id=report.id, version_id=version.id, recipient_id=recipient.id, site_id=hospital.sites[site], channel=Channel.print,
            address="", state=DispatchState.waiting, created_at=MONDAY, not_before=MONDAY,
        )
    )  # fmt: skip
    uow.session.flush()
    return recipient.id, dispatch.id


def cases(app: Flask) -> Iterator[Case]:
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield from _cases(rule, method)


def _cases(rule: Rule, method: str) -> Iterator[Case]:
    need = ROUTES[rule.endpoint]
    is_at_a_site = bool(rule.arguments & AT_A_SITE)
    if not rule.endpoint.startswith("worklist."):
        yield Case(rule.endpoint, method, dict.fromkeys(rule.arguments, NOT_THERE), need, is_at_a_site)
        return
    for name, permission in WORKLISTS.items():
        values: dict[str, Any] = {**dict.fromkeys(rule.arguments, NOT_THERE), "name": name}
        if "deed_name" in rule.arguments:
            values["deed_name"] = DEEDS[name]
        yield Case(rule.endpoint, method, values, permission, is_at_a_site)


def test_every_route_says_who_may_use_it(app: Flask) -> None:
    assert {rule.endpoint: needed(app, rule.endpoint) for rule in app.url_map.iter_rules()} == ROUTES


def test_a_view_without_a_permission_is_closed_to_everybody(app: Flask, ris: Ris, visitor: Callable[[], Visitor]) -> None:
    hospital = build_hospital(ris)
    app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    someone = visitor()
    someone.enter(hospital.users["administrator"])
    assert someone.get("/forgotten").status_code == 404


@pytest.mark.parametrize("roles", [tuple(ROLES)[::2], tuple(ROLES)[1::2]], ids=["even", "odd"])
def test_every_route_for_every_role_at_the_own_site_and_at_another(
    house: House, visitor: Callable[[], Visitor], roles: tuple[str, ...]
) -> None:
    wrong = []
    people = {role: visitor() for role in roles}
    seen = dict.fromkeys(roles, 0)
    outside = set(roles)
    for case, role, where in itertools.product(cases(house.app), roles, ("WEST", "MAIN")):
        if case.endpoint == "static" or (where == "MAIN" and not case.is_at_a_site):
            continue
        if role in outside:
            people[role].enter(house.people[role])
            outside.remove(role)
        status = ask(house, people[role], case, where)
        if case.endpoint.startswith(ENDS_SESSIONS):
            outside.add(role)
        recorded = refusals(house.ris, house.people[role]) - seen[role]
        seen[role] += recorded
        if problem := judged(case, role, where, status, recorded):
            wrong.append(f"{case.method} {case.endpoint} {case.values.get('name', '')} as {role} at {where}: {problem}")
    assert wrong == []


def judged(case: Case, role: str, where: str, status: int, recorded: int) -> str:
    if case.need == PUBLIC:
        return f"{status}" if status >= 500 or recorded else ""
    is_granted = case.need == SIGNED_IN or case.need in ROLES[role][1]
    if not is_granted or (case.is_at_a_site and where == "MAIN"):
        return "" if (status, recorded) == (404, 1) else f"{status} and {recorded} refusals in the trail, not 404 and one"
    if status >= 500:
        return f"{status}"
    is_nowhere = NOT_THERE in case.values.values() and not case.is_at_a_site
    return "" if status not in (401, 403, 404) or is_nowhere else f"{status} for somebody who may"


def ask(house: House, someone: Visitor, case: Case, where: str) -> int:
    values = {name: house.ids[where].get(name, value) if value == NOT_THERE else value for name, value in case.values.items()}
    with house.app.test_request_context():
        path = house.app.url_for(case.endpoint, **values)
    fields = {"role_id": house.role_id, "site_id": house.site_ids[where]} if case.endpoint in FORMS else {}
    return (someone.get(path) if case.method == "GET" else someone.post(path, **fields)).status_code


def refusals(ris: Ris, user_id: int) -> int:
    wanted = sa.select(sa.func.count()).where(AuditEntry.actor_id == user_id, AuditEntry.outcome == Outcome.refused)
    with ris.read() as session:
        return session.scalars(wanted).one()
