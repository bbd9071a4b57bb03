"""The pages of the navigation bar, in order, each with the permission that shows it."""

from dataclasses import dataclass, field
from typing import Any

from ris.staff.permission import Permission


@dataclass(frozen=True, slots=True)
class Item:
    label: str
    endpoint: str
    permission: Permission | None
    values: dict[str, Any] = field(default_factory=dict)


NAVIGATION = (
    Item("Schedule", "schedule.day", Permission.SCHEDULE_BOOK),
    Item("To schedule", "worklist.show", Permission.SCHEDULE_BOOK, {"name": "unscheduled"}),
    Item("Missing data", "missing.index", Permission.ORDER_ENTER),
    Item("To move", "worklist.show", Permission.SCHEDULE_BOOK, {"name": "to-move"}),
    Item("New patient", "registration.new", Permission.PATIENT_EDIT),
    Item("Referrers", "referrers.index", Permission.ORDER_ENTER),
    Item("Arrivals", "worklist.show", Permission.RECEPTION_ARRIVE, {"name": "arrivals"}),
    Item("Waiting", "worklist.show", Permission.RECEPTION_ARRIVE, {"name": "queue"}),
    Item("Exams", "worklist.show", Permission.EXAM_PERFORM, {"name": "technologist"}),
    Item("Reading", "worklist.show", Permission.REPORT_WRITE, {"name": "reading"}),
    Item("My reports", "mine.index", Permission.REPORT_WRITE),
    Item("Critical", "critical.index", Permission.REPORT_READ),
    Item("To print", "printing.index", Permission.RESULT_SEND),
    Item("Find reports", "report_search.index", Permission.REPORT_READ),
    Item("Macros", "macros.index", Permission.REPORT_WRITE),
    Item("Protocols", "worklist.show", Permission.PROTOCOL_PROPOSE, {"name": "protocol"}),
    Item("Charges", "charges.index", Permission.CHARGE_READ),
    Item("Tasks", "tasks.index", Permission.TASK_READ),
    Item("Merges", "merges.index", Permission.PATIENT_MERGE),
    Item("Interfaces", "interfaces.index", Permission.INTERFACE_READ),
    Item("Partners", "partners.index", Permission.INTERFACE_MANAGE),
    Item("Audit", "audit.index", Permission.AUDIT_READ),
    Item("Users", "users.index", Permission.USER_MANAGE),
    Item("Catalogue", "catalog.index", Permission.CATALOG_MANAGE),
    Item("Files", "imports.index", Permission.IMPORT_RUN),
    Item("Places", "places.index", Permission.PLACE_MANAGE),
    Item("On call", "on_call.index", Permission.PLACE_MANAGE),
    Item("Forms", "questionnaires.index", Permission.FORM_MANAGE),
    Item("Rules", "rules.index", Permission.RULE_MANAGE),
    Item("Reading rules", "reading_rules.index", Permission.RULE_MANAGE),
    Item("E-mails", "mail.index", Permission.RULE_MANAGE),
)
