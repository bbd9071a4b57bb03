"""Messages in: which reader takes which message, by MSH-9.1 and MSH-9.2 alone."""

from ris.hl7.inbound import adt, orm
from ris.hl7.inbound.reading import Reader

READERS: dict[tuple[str, str], Reader] = {
    ("ADT", "A01"): adt.update,
    ("ADT", "A04"): adt.update,
    ("ADT", "A05"): adt.update,
    ("ADT", "A08"): adt.update,
    ("ADT", "A28"): adt.update,
    ("ADT", "A31"): adt.update,
    ("ADT", "A40"): adt.merge,
    ("ORM", "O01"): orm.read,
    ("OMG", "O19"): orm.read,
    ("OMI", "O23"): orm.read,
}
