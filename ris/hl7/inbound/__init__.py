"""Messages in: which reader takes which message, by MSH-9.1 and MSH-9.2 alone."""

from ris.hl7.inbound import adt, merging, orm, oru
from ris.hl7.inbound.reading import Reader

READERS: dict[tuple[str, str], Reader] = {
    **{("ADT", trigger): adt.update for trigger in (*adt.VISIT_STATES, "A28", "A31")},
    **{("ADT", trigger): merging.merge for trigger in ("A18", "A34", "A36", "A39", "A40")},
    ("ADT", "A35"): merging.merge_accounts,
    ("ADT", "A41"): merging.merge_accounts,
    ("ADT", "A42"): merging.merge_visits,
    ("ADT", "A43"): merging.move_identifiers,
    ("ADT", "A44"): merging.move_account,
    ("ADT", "A45"): merging.move_visits,
    ("ADT", "A47"): merging.change_identifier,
    ("ORM", "O01"): orm.read,
    ("OMG", "O19"): orm.read,
    ("OMI", "O23"): orm.read,
    ("ORU", "R01"): oru.read,
}
