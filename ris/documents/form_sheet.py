"""Empty forms on paper: each question with boxes to tick or lines to write on, for one patient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from ris.documents import pdf
from ris.questionnaire.content import direction
from ris.questionnaire.queries import VersionRow


@dataclass(frozen=True, slots=True)
class Whose:
    patient_name: str
    birth_date: date | None
    mrn: str
    accession_number: str
    procedure_name: str


def draw(versions: Sequence[VersionRow], whose: Whose, language: str, say: Mapping[str, str], made_at: datetime) -> bytes:
    """A file with one form after the other, each from a new page; `say` are the words of the tablet in the language."""
    return pdf.draw("forms.html", made_at, versions=versions, whose=whose, language=language, direction=direction(language), say=say)
