"""Nightly files for other systems; adding one is a new module and a line in EXPORTS."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path

from ris.exports import charges_csv
from ris.program import Program

Export = Callable[[Program, date, datetime], Path]
"""Program, business date, and the moment up to which things belong to it."""

EXPORTS: Mapping[str, Export] = {
    charges_csv.NAME: charges_csv.write,
}
