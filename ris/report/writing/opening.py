"""The text that a report begins with, with what is known of the exam already in it."""

from ris.base.uow import UnitOfWork
from ris.report.writing.facts import facts_of
from ris.report.writing.merge import merged
from ris.report.writing.templates import text_for


def text_of(uow: UnitOfWork, procedure_id: int) -> str:
    """Empty where neither a template nor the procedure has one."""
    facts = facts_of(uow.session, procedure_id, uow.now)
    return merged(text_for(uow.session, facts), facts)
