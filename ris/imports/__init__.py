"""Files that bring a house in: each kind of line in its module, one line here."""

from collections.abc import Mapping

from ris.catalog.kinds import RECORDS
from ris.imports.kind import Kind
from ris.imports.records import kind_of

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (*(kind_of(record) for record in RECORDS),)}
