"""ONE table: which event makes which other part act, in the same transaction.

A reaction may call services and so cause further events; event → reaction → event has no cycle. It may veto by raising.
"""

from collections.abc import Callable, Mapping

from ris.base.uow import Event, UnitOfWork
from ris.billing import service as billing
from ris.critical import signing as critical
from ris.distribution import service as distribution
from ris.exam import consent
from ris.notice import consent as mail_consent
from ris.notice import plan
from ris.order import mapping, visits
from ris.protocol import service as protocol
from ris.questionnaire import filling
from ris.report import undone, unread
from ris.report.finding import index
from ris.scheduling import service as scheduling
from ris.scheduling import waitlist
from ris.task import delivery, message

Reaction = Callable[[UnitOfWork, Event], None]

REACTIONS: Mapping[str, tuple[Reaction, ...]] = {
    "catalog.code_mapped": (mapping.resolve_mapped_code,),
    "patient.merging": (visits.move_patient, filling.move_patient, scheduling.move_patient, mail_consent.move_patient),
    "patient.unmerging": (visits.return_patient, filling.return_patient, scheduling.return_patient, mail_consent.return_patient),
    "patient.visit_moved": (visits.follow_visit, scheduling.follow_visit),
    "patient.visit_merged": (visits.join_visit,),
    "patient.visit_cancelled": (visits.ask_about_cancelled,),
    "order.changed": (unread.follow_priority,),
    "order.procedure_cancelled": (
        protocol.end_with_exam, scheduling.free_cancelled, waitlist.propose_of_cancelled_exam, plan.tell_cancelled_exam,
    ),
    "order.relocated": (waitlist.follow_site,),
    "order.procedure_restored": (protocol.restore_with_exam,),
    "order.procedure_changed": (protocol.think_again, consent.ask_again),
    "scheduling.booked": (plan.tell_booked,),
    "scheduling.cancelled": (waitlist.propose_given_up, plan.tell_cancelled),
    "scheduling.missed": (waitlist.propose_given_up,),
    "scheduling.moved": (waitlist.propose_left, plan.tell_moved),
    "exam.started": (filling.settle_begun,),
    "exam.discontinued": (scheduling.free_cancelled, waitlist.propose_of_cancelled_exam, plan.tell_cancelled_exam),
    "delivery.parked": (delivery.open_for_parked,),
    "delivery.resent": (delivery.settle_decided,),
    "delivery.corrected": (delivery.settle_decided,),
    "delivery.skipped": (delivery.settle_decided,),
    "message.replayed": (message.settle_replayed,),
    "message.let_in": (message.settle_let_in,),
    "exam.completed": (unread.await_reading, billing.capture_technical, billing.capture_supplies),
    "exam.completion_undone": (undone.stop_awaiting, billing.void_technical),
    "report.signed": (critical.require_told, index.follow),
    "report.taken_back": (critical.hold_taken_back, index.follow),
    "report.grouped": (index.follow,),
    "report.ungrouped": (index.follow,),
    "report.published": (billing.capture_professional, distribution.distribute),
    "report.retracted": (critical.withdraw_with_report, index.follow, billing.void_professional),
}  # fmt: skip


def react(uow: UnitOfWork, event: Event) -> None:
    """The hook that runs the table."""
    for reaction in REACTIONS.get(event.name, ()):
        reaction(uow, event)
