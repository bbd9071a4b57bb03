"""AL1, IN1, NK1 and OBX: allergies, who pays, whom to call, findings (HL7 v2.5.1 ch. 3.4.5, 3.4.6, 6.5.6, 7.4.2)."""

from datetime import datetime

from ris.base.uow import UnitOfWork
from ris.hl7.er7 import NULL, Field, Message, Segment
from ris.hl7.inbound import fields
from ris.hl7.inbound.reading import Reading
from ris.partner.queries import PartnerRow
from ris.patient import clinical, contacts, coverage
from ris.patient.clinical import AllergyData, ObservationData
from ris.patient.contacts import ContactData
from ris.patient.coverage import CoverageData
from ris.patient.model import ObservationKind, Patient

K = ObservationKind
LOINC = {
    "29463-7": K.weight, "3141-9": K.weight, "3142-7": K.weight, "8302-2": K.height, "3137-7": K.height, "3138-5": K.height,
    "82810-3": K.pregnancy, "11449-6": K.pregnancy, "2106-3": K.pregnancy, "2118-8": K.pregnancy,
    "2160-0": K.creatinine, "14682-9": K.creatinine, "38483-4": K.creatinine,
    "33914-3": K.egfr, "48642-3": K.egfr, "48643-1": K.egfr, "50044-7": K.egfr, "50210-4": K.egfr, "62238-1": K.egfr, "69405-9": K.egfr,
    "70969-1": K.egfr, "77147-7": K.egfr, "88293-6": K.egfr, "88294-4": K.egfr, "98979-8": K.egfr,
}  # fmt: skip
RELATIONS = {
    "BRO": "brother", "CGV": "care giver", "CHD": "child", "EMC": "emergency contact", "EXF": "extended family", "FCH": "foster child",
    "FTH": "father", "GCH": "grandchild", "GRD": "guardian", "GRP": "grandparent", "MTH": "mother", "NCH": "natural child",
    "OAD": "other adult", "PAR": "parent", "SCH": "stepchild", "SIB": "sibling", "SIS": "sister", "SPO": "spouse", "DOM": "partner",
    "FND": "friend", "EMR": "employer", "EME": "employee", "OTH": "other", "UNK": "",
}  # fmt: skip
"""NK1-3, table 0063, where the sender writes no text."""
NAMES = {
    "weight": K.weight, "body weight": K.weight, "patient weight": K.weight, "height": K.height, "body height": K.height,
    "patient height": K.height, "pregnancy status": K.pregnancy, "pregnancy": K.pregnancy, "pregnant": K.pregnancy,
    "creatinine": K.creatinine, "creat": K.creatinine, "serum creatinine": K.creatinine, "creatinine, serum": K.creatinine,
    "creatinine serum": K.creatinine, "egfr": K.egfr, "gfr": K.egfr, "estimated gfr": K.egfr, "glomerular filtration rate": K.egfr,
}  # fmt: skip
"""What senders without LOINC write in OBX-3.1 or OBX-3.2, compared without regard to case."""


def read(uow: UnitOfWork, reading: Reading, patient: Patient) -> None:
    """Takes what the message says of the patient's body, insurance and people; a message that says nothing costs nothing."""
    allergies = reading.message.all("AL1")
    if allergies:
        clinical.replace_allergies(uow, patient.id, reading.partner.id, [a for al1 in allergies if (a := _allergy(al1))])
    insured = reading.message.all("IN1")
    if insured:
        coverage.replace_coverage(uow, patient.id, reading.partner.id, [c for in1 in insured if (c := _coverage(in1))])
    kin = reading.message.all("NK1")
    if kin:
        contacts.replace_contacts(uow, patient.id, reading.partner.id, [one for nk1 in kin if (one := _contact(nk1))])
    clinical.observe(uow, patient.id, reading.partner.id, reading.observed)


def observations(message: Message, partner: PartnerRow, now: datetime) -> list[ObservationData]:
    """Every OBX of a kind that is kept, with a value."""
    found: list[ObservationData] = []
    if message.first("OBX") is None:
        return found
    reported_at: datetime | None = None
    kinds: dict[str, ObservationKind | None] = {}
    for segment in message.segments:
        if segment.name == "OBR":
            reported_at = fields.moment(segment.value(7), partner.zone)
        elif segment.name == "OBX" and (kind := _known_kind(kinds, partner, segment)) and (value := _value(segment)):
            at = fields.moment(segment.value(14), partner.zone) or reported_at or now
            found.append(ObservationData(kind, value, segment.value(6), at, segment.value(11).strip().upper() or "F"))
    return found


def _allergy(al1: Segment) -> AllergyData | None:
    """None for the null value, which empties the list (ch. 2.10.4)."""
    code, text = al1.value(3).strip(), al1.value(3, 2).strip()
    if NULL in (code, text) or not (code or text):
        return None
    reaction = ", ".join(part for field in al1.repetitions(5) if (part := field.component(2) or field.component(1)))
    return AllergyData(al1.value(2).strip(), code, text or code, al1.value(4).strip(), reaction)


def _coverage(in1: Segment) -> CoverageData | None:
    """None for an insurance without a payer, and so for the null value, which empties the list (ch. 6.5.6)."""
    payer, code = in1.value(4).strip(), in1.value(3).strip()
    if NULL in (payer, code) or not (payer or code):
        return None
    rank = in1.value(1).strip()
    said = {name: in1.value(field).strip().replace(NULL, "") for name, field in (("member_number", 36), ("group_number", 8))}
    return CoverageData(
        payer=payer or code, payer_code=code, plan=in1.value(2, 2).strip() or in1.value(2).strip(),
        rank=int(rank) if rank.isascii() and rank.isdigit() and 0 < int(rank) < 100 else 1,
        valid_from=fields.day(in1.value(12)), valid_to=fields.day(in1.value(13)), **said,
    )  # fmt: skip


def _contact(nk1: Segment) -> ContactData | None:
    """None for nobody, and so for the null value, which empties the list (ch. 3.4.5); table 0063: GRD, table 0131: C."""
    name = ", ".join(part for i in (1, 2) if (part := nk1.value(2, i).strip()) and part != NULL)
    name = name or ("" if nk1.field(13).is_null else nk1.value(13).strip())
    if not name:
        return None
    relation, role = nk1.value(3).strip().upper(), nk1.value(7).strip().upper()
    first, second = (fields.phone_number(nk1.field(place)) for place in (5, 6))
    return ContactData(
        name=name, relation=nk1.value(3, 2).strip() or RELATIONS.get(relation, relation.lower()), phone=first or second,
        other_phone=second if first else "", is_guardian=relation == "GRD", is_called_first=role == "C",
    )  # fmt: skip


def _known_kind(kinds: dict[str, ObservationKind | None], partner: PartnerRow, obx: Segment) -> ObservationKind | None:
    """A long result repeats few codes often."""
    code = obx.field(3).raw
    if code not in kinds:
        kinds[code] = _kind(partner, obx)
    return kinds[code]


def _kind(partner: PartnerRow, obx: Segment) -> ObservationKind | None:
    """By what is agreed with the partner, by either of the two codes of OBX-3, else by a name."""
    agreed = partner.codes.get(("observation", obx.value(3).strip()))
    if agreed is not None:
        return ObservationKind(agreed)
    named = [obx.value(3, component).strip() for component in (1, 4, 2, 5)]
    return next((LOINC[n] for n in named if n in LOINC), None) or next((NAMES[n.lower()] for n in named if n.lower() in NAMES), None)


def _value(obx: Segment) -> str:
    """OBX-5: a number with its comparator (SN), the text of a code (CE, CWE), else as it stands."""
    field: Field = obx.field(5)
    if field.is_null:
        return ""
    kind = obx.value(2).strip().upper()
    if kind == "SN":
        return "".join(field.component(i) for i in (1, 2, 3, 4)).strip()
    if kind in ("CE", "CWE", "CNE", "CF"):
        return (field.component(2) or field.component(1)).strip()
    return field.text.strip()
