"""Every right that there is, and the roles that a hospital begins with."""

import enum


class Permission(enum.StrEnum):
    """`resource:action`, in order; a person has each at the sites where a role gives it."""

    AUDIT_READ = "audit:read"
    CATALOG_MANAGE = "catalog:manage"
    CHARGE_READ = "charge:read"
    CHARGE_RELEASE = "charge:release"
    CRITICAL_TELL = "critical:tell"
    EXAM_PERFORM = "exam:perform"
    EXAM_READ = "exam:read"
    FORM_MANAGE = "form:manage"
    IMPORT_RUN = "import:run"
    INTERFACE_MANAGE = "interface:manage"
    INTERFACE_READ = "interface:read"
    MACRO_SHARE = "macro:share"
    ORDER_CANCEL = "order:cancel"
    ORDER_ENTER = "order:enter"
    PATIENT_EDIT = "patient:edit"
    PATIENT_IMPORT = "patient:import"
    PATIENT_MERGE = "patient:merge"
    PATIENT_READ = "patient:read"
    PATIENT_SCREEN = "patient:screen"
    PLACE_MANAGE = "place:manage"
    PROTOCOL_APPROVE = "protocol:approve"
    PROTOCOL_PROPOSE = "protocol:propose"
    RECEPTION_ARRIVE = "reception:arrive"
    REPORT_ADDEND = "report:addend"
    REPORT_READ = "report:read"
    REPORT_RETRACT = "report:retract"
    REPORT_SIGN = "report:sign"
    REPORT_WRITE = "report:write"
    RESULT_SEND = "result:send"
    RULE_MANAGE = "rule:manage"
    RULE_OVERRIDE = "rule:override"
    SAFETY_OVERRIDE = "safety:override"
    SCHEDULE_BOOK = "schedule:book"
    SCHEDULE_OVERBOOK = "schedule:overbook"
    SCHEDULE_READ = "schedule:read"
    TASK_CLOSE = "task:close"
    TASK_READ = "task:read"
    USER_MANAGE = "user:manage"


P = Permission
_CLINICAL = (P.EXAM_READ, P.PATIENT_READ, P.REPORT_READ, P.SCHEDULE_READ, P.TASK_READ)
_DESK = (P.ORDER_ENTER, P.PATIENT_EDIT)
_BOOKING = (*_DESK, P.PATIENT_SCREEN, P.SCHEDULE_BOOK, P.ORDER_CANCEL, P.RULE_OVERRIDE, P.RESULT_SEND, P.TASK_CLOSE)
_READING = (
    *_CLINICAL,
    P.CRITICAL_TELL,
    P.PATIENT_SCREEN,
    P.PROTOCOL_APPROVE,
    P.PROTOCOL_PROPOSE,
    P.REPORT_WRITE,
    P.REPORT_SIGN,
    P.REPORT_ADDEND,
    P.REPORT_RETRACT,
    P.RESULT_SEND,
    P.RULE_OVERRIDE,
    P.SAFETY_OVERRIDE,
)

ROLES: dict[str, tuple[str, tuple[Permission, ...]]] = {
    "scheduler": ("Scheduler", (*_CLINICAL, *_BOOKING)),
    "lead_scheduler": ("Lead scheduler", (*_CLINICAL, *_BOOKING, P.PLACE_MANAGE, P.SCHEDULE_OVERBOOK)),
    "front_desk": (
        "Front desk",
        (
            *_CLINICAL,
            *_DESK,
            P.CRITICAL_TELL,
            P.PATIENT_SCREEN,
            P.SCHEDULE_BOOK,
            P.RECEPTION_ARRIVE,
            P.ORDER_CANCEL,
            P.RESULT_SEND,
            P.TASK_CLOSE,
        ),
    ),
    "technologist": ("Technologist", (*_CLINICAL, P.PATIENT_SCREEN, P.RECEPTION_ARRIVE, P.EXAM_PERFORM)),
    "radiologist": ("Radiologist", _READING),
    "lead_radiologist": ("Lead radiologist", (*_READING, P.MACRO_SHARE)),
    "resident": ("Resident", (*_CLINICAL, P.CRITICAL_TELL, P.PATIENT_SCREEN, P.PROTOCOL_PROPOSE, P.REPORT_WRITE)),
    "billing": ("Billing clerk", (P.EXAM_READ, P.PATIENT_READ, P.CHARGE_READ, P.CHARGE_RELEASE)),
    "integration": (
        "Integration analyst",
        (
            P.EXAM_READ,
            P.PATIENT_READ,
            P.INTERFACE_READ,
            P.INTERFACE_MANAGE,
            P.IMPORT_RUN,
            P.PATIENT_IMPORT,
            P.PATIENT_MERGE,
            P.TASK_READ,
            P.TASK_CLOSE,
        ),
    ),
    "privacy_officer": ("Privacy officer", (P.AUDIT_READ,)),
    "administrator": ("Administrator", (P.PLACE_MANAGE, P.USER_MANAGE, P.RULE_MANAGE, P.CATALOG_MANAGE, P.FORM_MANAGE, P.IMPORT_RUN)),
}
"""Code to name and rights. Administrators manage accounts, places, rules, forms and the catalogue, and see no patient."""
