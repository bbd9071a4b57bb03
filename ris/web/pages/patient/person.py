"""The form about a person: what is read from it, and how a known patient fills it."""

from datetime import date

from ris.patient.email import is_address, is_language
from ris.patient.keys import phone_key
from ris.patient.model import Patient, ReachedBy, Sex
from ris.patient.service import IdentifierData, PatientData
from ris.web.form import Form

FIRST_DAY = date(1850, 1, 1)
TEXTS = {
    "family": "The family name", "given": "The given name", "middle": "The middle name", "street": "The street", "city": "The city",
    "region": "The state or region", "postal_code": "The postal code", "country": "The country", "phone": "The telephone number",
    "other_phone": "The other number", "email": "The e-mail address", "language": "The language",
}  # fmt: skip
WAYS = tuple((way.value, label) for way, label in zip(ReachedBy, ("telephone", "other number", "e-mail", "letter"), strict=True))
SEXES = ((Sex.female.value, "female"), (Sex.male.value, "male"), (Sex.other.value, "other"), (Sex.unknown.value, "unknown"))
_LONGEST = 100


def person(form: Form, today: date) -> PatientData:
    """What the form says; what is wrong stands in `form.errors`."""
    said = {name: form.text(name, label, required=name == "family", longest=_LONGEST) for name, label in TEXTS.items()}
    if said["phone"] and len(phone_key(said["phone"])) < 3:
        form.errors["phone"] = "The telephone number has no digits."
    if said["email"] and not is_address(said["email"]):
        form.errors["email"] = "The e-mail address is written like anna@example.org."
    if said["language"] and not is_language(said["language"].lower()):
        form.errors["language"] = "The language is a code of two letters, such as en or es."
    reached_by = form.choice("reached_by", "The preferred way", ReachedBy) if form.value("reached_by") else None
    if reached_by in (ReachedBy.phone, ReachedBy.other_phone, ReachedBy.email) and not said[reached_by]:
        form.errors["reached_by"] = "The preferred way is not filled in."
    sex = form.choice("sex", "The sex", Sex, default=Sex.unknown)
    born = form.day("birth_date", "The birth date", first=FIRST_DAY, last=today)
    return PatientData(
        _identifiers(form), family=said["family"], given=said["given"], middle=said["middle"], birth_date=born, sex=sex,
        street=said["street"], city=said["city"], region=said["region"], postal_code=said["postal_code"], country=said["country"],
        phone=said["phone"], other_phone=said["other_phone"], reached_by=reached_by, email=said["email"].lower(),
        language=said["language"].lower(),
    )  # fmt: skip


def filled(patient: Patient) -> Form:
    """The form as the patient is known."""
    said = {name: str(getattr(patient, name)) for name in TEXTS}
    born = patient.birth_date.isoformat() if patient.birth_date else ""
    way = patient.reached_by.value if patient.reached_by else ""
    return Form({**said, "reached_by": way, "birth_date": born, "sex": patient.sex.value, "row_version": str(patient.row_version)})


def _identifiers(form: Form) -> tuple[IdentifierData, ...]:
    """A number that another authority gave, both or neither."""
    value = form.text("other_number", "The number", longest=_LONGEST)
    authority = form.text("other_authority", "Who gave the number", longest=_LONGEST)
    if bool(value) != bool(authority):
        form.errors["other_number" if authority else "other_authority"] = "A number and who gave it belong together."
    return (IdentifierData(value, authority, "MR"),) if value and authority else ()
