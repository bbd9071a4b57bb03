"""The folder of messages that others wrote, a hospital that takes them, and what became of each."""

import itertools
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from ris.bootstrap import Ris
from ris.partner.model import Partner
from ris.processes.database import ROOT
from ris.settings import Data, Mllp, Settings
from tests.factories.hospital import build_hospital

FOLDER = ROOT.parent / "shared/corpus"
OUTPUT = ROOT / "test-output/corpus"
PARTNER = "corpus"
CODES = ("AA", "AE", "AR")


@dataclass(frozen=True, slots=True)
class Sample:
    path: str
    type: str
    is_radiology_order: bool
    raw: bytes

    @property
    def code(self) -> str:
        """ADT, ORM or `other`, by the manifest."""
        return self.type[:3] if self.type[:3] in ("ADT", "ORM") else "other"


class House:
    """A hospital with one partner at a time that everybody unknown is taken for."""

    def __init__(self, folder: Path, template: Path) -> None:
        folder.mkdir()
        shutil.copyfile(template, folder / "ris.db")
        self.ris = Ris(Settings(data=Data(dir=folder), mllp=Mllp(port=0, unknown_partner=PARTNER)))
        self.site_id = build_hospital(self.ris).sites["MAIN"]
        self._numbers = itertools.count(1)
        self.new_partner()

    def new_partner(self, acknowledgement_mode: str = "original") -> None:
        """Who came before is no longer the one; nothing of theirs is known to the new one. Each message gets one answer by default."""
        number = next(self._numbers)
        with self.ris.uow() as uow:
            uow.session.execute(sa.update(Partner).where(Partner.name == PARTNER).values(name=f"{PARTNER} {number - 1}", active=False))
            uow.add(
                Partner(
                    name=PARTNER, application=f"CORPUS{number}", facility="", zone="America/New_York", authority=f"CORPUS{number}",
                    site_id=self.site_id, policies={"acknowledgement_mode": acknowledgement_mode},
                )
            )  # fmt: skip


Outcome = tuple[str, str, str]
"""MSA-1, table 0357 code and place; the last two empty for AA."""


def outcome(answer: bytes) -> Outcome:
    """Reads ERR of 2.5 (ERR-2, ERR-3) and of versions before it (ERR-1), with whatever delimiters the sender has."""
    text = answer.decode("latin-1")
    bar, (hat, _, _, amp) = text[3], text[4:8]
    segments = {line[:3]: line.split(bar) for line in text.split("\r") if line}
    error = segments.get("ERR", [])
    if len(error) > 3:
        return segments["MSA"][1], error[3].split(hat)[0], error[2].replace(hat, "^")
    if len(error) == 2:
        *place, code = error[1].split(hat)
        return segments["MSA"][1], code.split(amp)[0], "^".join(place).rstrip("^")
    return segments["MSA"][1], "", ""


def table(title: str, samples: Sequence[Sample], outcomes: Sequence[Outcome]) -> None:
    """Prints how many had which outcome, and keeps it in test-output."""
    lines = [title, f"{'kind':20} {'MSA-1':6} {'0357':5} {'place':10} count"]
    counted = Counter(
        ("radiology order" if sample.is_radiology_order else sample.code, *result) for sample, result in zip(samples, outcomes, strict=True)
    )
    for (kind, code, error, place), count in sorted(counted.items()):
        lines.append(f"{kind:20} {code:6} {error:5} {place:10} {count}")
    text = "\n".join(lines)
    print(f"\n{text}")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / f"{title.lower().replace(' ', '-')}.txt").write_text(text + "\n")


def states(ris: Ris) -> Mapping[str, int]:
    with ris.read() as session:
        return dict(session.execute(sa.text("SELECT state, count(*) FROM message GROUP BY state")).all())


def answered(answer: bytes) -> str:
    """MSA-2: the message that it answers."""
    bar = answer[3:4]
    msa = next(line for line in answer.split(b"\r") if line.startswith(b"MSA"))
    return msa.split(bar)[2].decode("latin-1")
