"""Reading the segments that many messages share: PID, PV1, MRG, and the datatypes CX, XPN, XAD, XCN, DTM."""

import functools
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from ris.hl7.er7 import NULL, Field, Message, Segment
from ris.partner.queries import PartnerRow
from ris.patient.email import is_address
from ris.patient.languages import code_of
from ris.patient.model import Sex
from ris.patient.service import IdentifierData, PatientData, VisitData

RECORD_NUMBERS = frozenset({"", "MR", "PI", "MRN", "MEDREC", "PT"})
"""Identifier types (table 0203 and what senders write) that all mean the medical record number."""
_DTM = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\.\d{1,6})?([+-]\d{4})?")


@functools.lru_cache(maxsize=1024)  # a message says one moment in several places, and its neighbours the same again
def moment(text: str, zone: str) -> datetime | None:
    """A DTM as a UTC moment: an offset in the text wins, else the partner's zone; None for what is no time (v2.5.1 ch. 2.A.22).

    What is missing after the year is taken as the first of its kind. MSH-7's offset is not applied.
    """
    match = _DTM.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        said = datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0),
            int(float(fraction or 0) * 1_000_000), tzinfo=_offset(offset) if offset else ZoneInfo(zone),
        )  # fmt: skip
        return said.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _offset(text: str) -> timezone:
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def day(text: str) -> date | None:
    """The date of a DTM, never shifted by a zone; None for what is no full date."""
    digits = text.strip()[:8]
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


def identifiers(field: Field, partner: PartnerRow) -> tuple[IdentifierData, ...]:
    """Every CX with a value; the types of record numbers are one."""
    found = {}
    for cx in field.repetitions:
        value = cx.component(1).strip()
        if value and value != NULL:
            kind = partner.our("identifier_type", cx.component(5).strip()).upper()
            data = IdentifierData(value, authority(cx, partner), "MR" if kind in RECORD_NUMBERS else kind)
            found[data.key] = data
    return tuple(found.values())


def authority(cx: Field, partner: PartnerRow) -> str:
    """CX-4, data type HD: its name, else its universal id, else the partner's own."""
    named = cx.component(4).strip() or cx.component(4, 2).strip()
    return partner.our("authority", named) if named else partner.default_authority


def patient(message: Message, partner: PartnerRow, pid: Segment | None = None) -> PatientData:
    """PID. PID-2 and PID-4, withdrawn but used, count where PID-3 is empty."""
    pid = pid or message.first("PID")
    if pid is None:
        return PatientData(())
    own = identifiers(pid.field(3), partner) or identifiers(pid.field(2), partner) or identifiers(pid.field(4), partner)
    name = legal_name(pid)
    address = pid.field(11)
    phone, other_phone, email = _reach(pid)
    return PatientData(
        identifiers=own,
        family=_said(name.component(1)) if name else None,
        given=_said(name.component(2)) if name else None,
        middle=_said(name.component(3)) if name else None,
        suffix=_said(name.component(4)) if name else None,
        prefix=_said(name.component(5)) if name else None,
        birth_date=day(pid.value(7)) if pid.value(7) else None,
        sex=_sex(partner.our("sex", pid.value(8))),
        street=_said(address.component(1)),
        city=_said(address.component(3)),
        region=_said(address.component(4)),
        postal_code=_said(address.component(5)),
        country=_said(address.component(6)),
        language=_written_in(pid.field(15), partner) if pid.value(15) else None,
        phone=phone,
        other_phone=other_phone,
        email=email,
        deceased={"Y": True, "N": False}.get(pid.value(30).upper()),
    )


def legal_name(pid: Segment) -> Field | None:
    """PID-5: the legal name, else the one for display, else the first (table 0200)."""
    names = [name for name in pid.repetitions(5) if not name.is_empty]
    for wanted in ("L", "D"):
        for name in names:
            if name.component(7).upper() == wanted:
                return name
    return names[0] if names else None


def _said(text: str) -> str | None:
    """None makes no statement, the HL7 null clears."""
    if text == NULL:
        return ""
    return text.strip() or None


def _sex(text: str) -> Sex | None:
    """Table 0001; what is beyond female, male and unknown is other."""
    code = text.strip().upper()[:1]
    if not code:
        return None
    if text == NULL:
        return Sex.unknown
    return Sex(code) if code in ("F", "M", "U") else Sex.other


def _reach(pid: Segment) -> tuple[str | None, str | None, str | None]:
    """PID-13 and PID-14: the first number, a second one, and an e-mail address (XTN-4); what is no address makes no statement."""
    said = pid.repetitions(13)
    numbers = [text for field in said if (text := phone_number(field))]
    return (
        numbers[0] if numbers else "" if pid.field(13).is_null else None,
        numbers[1] if len(numbers) > 1 else (phone_number(pid.field(14)) or None),
        next((text.lower() for field in said if is_address(text := field.component(4).strip())), None),
    )


def phone_number(field: Field) -> str:
    """XTN: the whole number, or its parts; empty for the null value."""
    if field.is_empty or field.is_null:
        return ""
    parts = "-".join(part for part in (field.component(6), field.component(7)) if part)
    return field.component(1).strip() or field.component(12).strip() or parts


def language(field: Field, partner: PartnerRow) -> str:
    """PID-15 as an ISO 639 code, by the code, else by its text; empty for what is none."""
    return code_of(partner.our("language", field.component(1).strip())) or code_of(field.component(2))


def _written_in(field: Field, partner: PartnerRow) -> str | None:
    """A language that messages to patients can be in has a code of two letters."""
    code = language(field, partner)
    return code if len(code) == 2 else None


def person(field: Field) -> tuple[str, str]:
    """XCN: number and name as `Family, Given`."""
    family, given = field.component(2).strip(), field.component(3).strip()
    return field.component(1).strip(), ", ".join(part for part in (family, given) if part)


def visit_number(cx: Field, partner: PartnerRow) -> VisitData | None:
    """A visit or account that is named and no more."""
    number = cx.component(1).strip()
    return VisitData(number, authority(cx, partner)) if number and number != NULL else None


def visits_named(segment: Segment, partner: PartnerRow) -> Iterator[str]:
    """Keys of the visits and accounts in PID-18, MRG-3, MRG-5 and PV1-19."""
    for field in {"PID": (18,), "MRG": (3, 5), "PV1": (19,)}[segment.name]:
        if (named := visit_number(segment.field(field), partner)) is not None:
            yield named.key


def visit(message: Message, partner: PartnerRow) -> VisitData | None:
    """PV1 with its number from PV1-19, else the account of PID-18; None without either."""
    pv1 = message.first("PV1")
    if pv1 is None:
        return None
    pid = message.first("PID")
    account = visit_number(pid.field(18), partner) if pid else None
    named = visit_number(pv1.field(19), partner) or account
    if named is None:
        return None
    ward = partner.our("location", pv1.value(3).strip())
    location = " ".join(part for part in (ward, pv1.value(3, 2).strip(), pv1.value(3, 3).strip()) if part)
    return VisitData(
        visit_number=named.visit_number,
        authority=named.authority,
        account_key=account.key if account else None,
        patient_class=_said(partner.our("class", pv1.value(2))),
        location=location or None,
        attending=person(pv1.field(7))[1] or None,
        ambulatory_status=" ".join(code for field in pv1.repetitions(15) if (code := field.component(1).strip())) or None,
        started_at=moment(pv1.value(44), partner.zone),
        ended_at=moment(pv1.value(45), partner.zone),
    )
