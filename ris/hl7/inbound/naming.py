"""PID-9 and further repetitions of PID-5: names that a patient is also known by (HL7 v2.5.1 ch. 3.4.2, XPN-7, table 0200)."""

from collections.abc import Iterable, Iterator

from ris.base.uow import UnitOfWork
from ris.hl7.er7 import NULL, Field, Segment
from ris.hl7.inbound import fields
from ris.hl7.inbound.reading import Reading
from ris.patient import naming
from ris.patient.model import Patient
from ris.patient.naming import NameKind, OtherName

KINDS = {"M": NameKind.maiden, "B": NameKind.birth, "A": NameKind.alias, "N": NameKind.nickname}
"""Table 0200; any other type is a name too."""
PARTNERS_NAME = "P"
"""The name of whom the patient lives with."""


def read(uow: UnitOfWork, reading: Reading, patient: Patient) -> None:
    """An empty PID-9, and a PID-5 with one name, make no statement; a message that makes none costs nothing."""
    pid = reading.message.first("PID")
    if pid is not None and (said := tuple(_said(pid))):
        naming.hear(uow, patient, reading.partner.id, said)


def _said(pid: Segment) -> Iterator[tuple[str, list[OtherName]]]:
    if not (alias := pid.field(9)).is_empty:
        yield "PID-9", list(_names(alias.repetitions, NameKind.alias))
    repeated = pid.repetitions(5)
    if len(repeated) > 1:
        first = fields.legal_name(pid)
        yield "PID-5", list(_names((one for one in repeated if first is None or one.raw != first.raw), NameKind.other))


def _names(repetitions: Iterable[Field], otherwise: NameKind) -> Iterator[OtherName]:
    for field in repetitions:
        family, given, kind = (field.component(place).strip() for place in (1, 2, 7))
        if family and family != NULL and kind.upper() != PARTNERS_NAME:
            yield OtherName(KINDS.get(kind.upper(), otherwise), family, "" if given == NULL else given)
