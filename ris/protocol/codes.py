"""Protocol codes as reference data that people edit."""

from ris.catalog.model import Modality
from ris.catalog.records.field import YES, Choice, Code, Field, Lines, YesNo
from ris.catalog.records.record import Record
from ris.protocol.model import ProtocolCode

PROTOCOL_CODE = Record(
    "protocol_code",
    "protocol code",
    "Protocol codes",
    "The ways of doing exams that a radiologist chooses from before the exam.",
    ProtocolCode,
    (
        Code("code", "Code", "As the machines know it."),
        Field("name", "Name", required=True, longest=64),
        Choice("modality", "Modality", of=Modality),
        Lines("instructions", "Instructions", "What is done, for who has not done it before."),
        YesNo("active", "In use", "A retired one is offered no more; exams that have it keep it.", default=YES),
    ),
    ("code",),
)
