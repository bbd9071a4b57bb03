"""ORR^O02, ORG^O20 and ORI^O24: what became of each order of a message (HL7 v2.5.1 ch. 4.4.2, 4.4.4, 4.4.8, table 0119)."""

from ris.base.errors import RisError
from ris.hl7 import er7
from ris.hl7.ack import Response
from ris.hl7.er7 import Segment
from ris.hl7.inbound.controls import CONTROLS
from ris.hl7.inbound.reading import Reading
from ris.order.model import Order

KINDS = {"ORM": ("ORR", "O02"), "OMG": ("ORG", "O20"), "OMI": ("ORI", "O24")}
FILLER = "RIS"
"""The namespace of our filler numbers."""


def order_response(reading: Reading, error: RisError | None) -> Response | None:
    """The response to a message of orders; None for any other. Refused, every order of it is one that we are unable to do."""
    kind = KINDS.get(reading.message.msh.value(9, 1))
    if kind is None:
        return None
    segments: list[str] = []
    if error is None:
        for plan, order in reading.orders:
            segments += _order(reading, plan.asked.segments, plan.control.done, order)
    else:
        for asked in reading.asked:
            segments += _order(reading, asked.segments, CONTROLS[asked.code].unable if asked.code in CONTROLS else "UA", None)
    return Response(*kind, tuple(segments))


def _order(reading: Reading, group: list[Segment], control: str, order: Order | None) -> list[str]:
    """ORC with both numbers, and an OBR for each exam with its accession number."""
    delimiters = reading.message.delimiters
    placer = next((raw for s in group if (raw := s.field(2).raw)), "")
    filler = er7.segment("", {1: er7.components(order.filler_number, FILLER)}, delimiters)[1:] if order else ""
    separator = delimiters.field
    segments = [f"ORC{separator}{control}{separator}{placer}{separator}{filler}"]
    if order is not None:
        asked = [s.field(4).raw for s in group if s.name == "OBR"]
        for number, (procedure, code) in enumerate(zip(order.procedures, asked, strict=False), 1):
            fields = [""] * 18
            fields[0], fields[1], fields[2], fields[3] = str(number), placer, filler, code
            fields[17] = er7.escape(procedure.accession_number, delimiters)
            segments.append(separator.join(["OBR", *fields]))
    return segments
