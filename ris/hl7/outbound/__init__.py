"""Building the messages that leave: one module each, listed in one table by the name that a subscription uses."""

from collections.abc import Callable, Mapping

from ris.hl7.outbound import orm_o01, oru_r01
from ris.hl7.outbound.header import Built, Job

Builder = Callable[[Job], Built]

BUILDERS: Mapping[str, Builder] = {
    "orm_o01": orm_o01.build,
    "oru_r01": oru_r01.build,
}

DEFAULTS: Mapping[str, str] = {
    "order.cancelled": "orm_o01",
    "exam.started": "orm_o01",
    "exam.completed": "orm_o01",
    "exam.discontinued": "orm_o01",
    "report.published": "oru_r01",
}
"""What a placer is told unless a person chooses otherwise: event to message."""
