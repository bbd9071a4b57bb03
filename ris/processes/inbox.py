"""The folder whose files are taken in as HL7 messages."""

from pathlib import Path

from ris.hl7 import batch
from ris.hl7.batch import Taken
from ris.hl7.intake import Intake
from ris.processes.watched import LOOK_S, SETTLED_S, Watched
from ris.program import Program


class Inbox(Watched):
    """HL7 messages and batches."""

    def __init__(self, program: Program, folder: Path, *, look_s: float = LOOK_S, settled_s: float = SETTLED_S) -> None:
        super().__init__(folder, look_s=look_s, settled_s=settled_s)
        self.intake = Intake(program)

    def take(self, content: bytes, name: str) -> list[str] | None:
        answers = list(batch.take(self.intake, content, f"file {name}"))
        return None if any(answer.is_lost for answer in answers) else listed(answers)


def listed(answers: list[Taken]) -> list[str]:
    """One line a message: control id, type, answer, reason."""
    return [f"{a.control_id or '-'}\t{a.kind}\t{a.code or '-'}\t{a.reason}".rstrip() for a in answers]
