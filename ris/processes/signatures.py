"""The nightly look at every signature: in small reads, so that nobody waits, and one change at the end."""

from collections import defaultdict

from ris.bootstrap import Ris
from ris.report import integrity


def verify(ris: Ris) -> str:
    """Looks at all signed versions; says how many there were and how many are broken."""
    looked, last = 0, 0
    broken: dict[int, list[int]] = defaultdict(list)
    while True:
        with ris.read() as session:
            found = integrity.after(session, last)
            for version in integrity.broken(session, found):
                broken[version.report_id].append(version.number)
        if not found:
            break
        looked, last = looked + len(found), found[-1].id
    with ris.uow() as uow:
        integrity.alarm(uow, broken.items())
    return f"{looked} verified, {sum(map(len, broken.values()))} broken"
