"""Writes reports as PDF files into the folders of those who get them: there whole or not at all, each under a name of its own."""

import logging
from pathlib import Path

from ris.base.files import write_whole
from ris.base.uow import Actor
from ris.distribution import filing
from ris.distribution.filing import Filed
from ris.documents import report_sheet
from ris.outbox import hold
from ris.program import Program

log = logging.getLogger(__name__)

WRITER = Actor("system", 0, "RIS", "files of reports")


def write_due(program: Program) -> int:
    """Writes what is due; how many files these were. To be called by one process at a time.

    What was begun when the program stopped is written again under the same name: the file is there once.
    """
    with program.read() as session:
        due = [] if hold.why_held(session) else filing.due(session, program.clock())
    return sum(_write(program, dispatch_id) for dispatch_id in due)


def _write(program: Program, dispatch_id: int) -> bool:
    with program.uow(WRITER) as uow:
        filed = filing.begin(uow, dispatch_id)
    if filed is None:
        return False
    try:
        _put(program, filed)
    except (ImportError, OSError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        log.warning("report file %d: %s", dispatch_id, reason)
        with program.uow(WRITER) as uow:
            filing.put_off(uow, dispatch_id, reason)
        return False
    with program.uow(WRITER) as uow:
        filing.finish(uow, dispatch_id, filed.name)
    return True


def _put(program: Program, filed: Filed) -> Path:
    with program.read() as session:
        drawn = report_sheet.draw(report_sheet.read(session, filed.version_id))
    folder = program.settings.results_folder / filed.folder
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / filed.name
    write_whole(path, drawn)
    return path
