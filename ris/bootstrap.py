"""Composition root: the one place that knows every floor, and hangs the outbox, the audit and the reactions on each unit of work."""

from ris.audit import model as audit_model
from ris.audit.service import record_event as audit_event
from ris.base.orm import Base
from ris.billing import model as billing_model
from ris.catalog import model as catalog_model
from ris.critical import model as critical_model
from ris.distribution import model as distribution_model
from ris.exam import model as exam_model
from ris.journal import model as journal_model
from ris.notice import model as notice_model
from ris.order import model as order_model
from ris.outbox import model as outbox_model
from ris.outbox.record import record_event as outbox_event
from ris.outbox.wake import wake_senders
from ris.partner import model as partner_model
from ris.patient import model as patient_model
from ris.program import Program
from ris.protocol import model as protocol_model
from ris.questionnaire import model as questionnaire_model
from ris.reactions import react
from ris.referrer import model as referrer_model
from ris.report import model as report_model
from ris.report.writing import model as writing_model
from ris.scheduling import model as scheduling_model
from ris.scheduling.rules import model as rules_model
from ris.staff import model as staff_model
from ris.task import model as task_model

MODELS = (
    audit_model, billing_model, catalog_model, critical_model, distribution_model, exam_model, journal_model, notice_model, order_model,
    outbox_model,
    partner_model, patient_model, protocol_model, questionnaire_model, referrer_model, report_model, rules_model, scheduling_model,
    staff_model, task_model, writing_model,
)  # fmt: skip
"""Every floor's tables: a foreign key may name a table only once its module is loaded."""

METADATA = Base.metadata


class Ris(Program):
    """The whole program. Its hooks run in this order: what has happened is written before what follows from it."""

    hooks = (audit_event, outbox_event, react, wake_senders)
