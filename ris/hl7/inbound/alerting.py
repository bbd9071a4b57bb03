"""PID-15, PV1-16, PV2-41 and OBR-12: the fields that alerts follow from (HL7 v2.5.1 ch. 3.4.2, 3.4.3, 3.4.4, 4.5.3)."""

from collections.abc import Iterable, Iterator

from ris.base.uow import UnitOfWork
from ris.hl7.er7 import NULL, Field
from ris.hl7.inbound import fields
from ris.hl7.inbound.reading import Reading
from ris.partner.queries import PartnerRow
from ris.patient import heard
from ris.patient.heard import LANGUAGE, Said
from ris.patient.languages import NAMES, code_of
from ris.patient.model import AlertKind, Patient

NO_VIP = frozenset(("N", "NO", "0", "F", "FALSE"))
VIP = frozenset(("Y", "YES", "1", "T", "TRUE", "VIP"))
"""What says no more than that; any other code is shown."""
PRECAUTIONS = {"A": "aerosol", "C": "contact", "D": "droplet", "O": "other precautions"}
"""Table 0433; N is none."""
_ISOLATING = (
    "isolat", "mrsa", "vre", "esbl", "tubercul", "tbc", "covid", "sars", "clostrid", "c. diff", "c diff", "noro", "airborne", "droplet",
    "contact prec", "infectious", "measles", "influenza",
)  # fmt: skip
_ALERTING = frozenset((AlertKind.isolation.value, AlertKind.fall_risk.value))
_FALLING = ("fall risk", "falls", "risk of fall")


def read(uow: UnitOfWork, reading: Reading, patient: Patient) -> None:
    """An empty field makes no statement; a message that makes none costs nothing."""
    said = tuple(_said(reading, uow))
    if said:
        heard.hear(uow, patient, reading.partner.id, said)


def _said(reading: Reading, uow: UnitOfWork) -> Iterator[Said]:
    message, partner = reading.message, reading.partner
    pid, pv1, pv2 = message.first("PID"), message.first("PV1"), message.first("PV2")
    if pid is not None and pid.value(15):
        yield Said(LANGUAGE, AlertKind.language, _language(pid.field(15), partner, uow.session.info["settings"].patients.language))
    if pv1 is not None and (vip := pv1.value(16).strip()):
        yield Said("PV1-16", AlertKind.vip, _vip(partner.our("vip", vip)))
    if pv2 is not None and not (precautions := pv2.field(41)).is_empty:
        yield Said("PV2-41", AlertKind.isolation, tuple(_precautions(precautions.repetitions)))
    for asked in reading.asked:
        for obr in asked.segments:
            if obr.name == "OBR" and not (danger := obr.field(12)).is_empty and not danger.is_null:
                yield from _danger(danger, partner)


def _language(field: Field, partner: PartnerRow, spoken_here: str) -> tuple[str, ...]:
    """By its English name, where the code or the text is known; empty for the language that is spoken here."""
    if field.is_null:
        return ()
    known = fields.language(field, partner)
    if known == code_of(spoken_here):
        return ()
    return (NAMES.get(known) or field.component(2).strip() or field.component(1).strip(),)


def _vip(code: str) -> tuple[str, ...]:
    if code == NULL or code.upper() in NO_VIP:
        return ()
    return ("" if code.upper() in VIP else code,)


def _precautions(repetitions: Iterable[Field]) -> Iterator[str]:
    for field in repetitions:
        code = field.component(1).strip()
        if code not in (NULL, "N") and (text := field.component(2).strip() or PRECAUTIONS.get(code, code)):
            yield text


def _danger(field: Field, partner: PartnerRow) -> Iterator[Said]:
    """What it is by the partner's map, else by its words; any other danger is the exam's alone."""
    code = field.component(1).strip()
    text = field.component(2).strip() or code
    known = partner.codes.get(("danger", code)) or _meant(text.lower())
    if known in _ALERTING:
        yield Said("OBR-12", AlertKind(known), (text,))


def _meant(text: str) -> str:
    if any(word in text for word in _ISOLATING):
        return AlertKind.isolation
    return AlertKind.fall_risk if any(word in text for word in _FALLING) else ""
