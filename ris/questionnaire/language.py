"""The language that a patient is likely to read, from what is known."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ris.patient import alerts
from ris.patient.alerts import LABELS
from ris.patient.model import AlertKind, Patient
from ris.questionnaire.content import LANGUAGES

_ENGLISH = {
    "spanish": "es", "german": "de", "french": "fr", "italian": "it", "polish": "pl", "portuguese": "pt", "turkish": "tr", "russian": "ru",
    "ukrainian": "uk", "arabic": "ar", "chinese": "zh", "vietnamese": "vi",
}  # fmt: skip


def spoken_by(session: Session, patient_id: int, now: datetime) -> str:
    """What the record says, else what the language alert names in English, by its own name or as a code; en where none does."""
    on_record = session.scalar(sa.select(Patient.language).where(Patient.id == patient_id))
    if on_record in LANGUAGES:
        return on_record
    named = {name.lower(): code for code, name in LANGUAGES.items()} | {code: code for code in LANGUAGES} | _ENGLISH
    for alert in alerts.of_patients(session, [patient_id], now).get(patient_id, ()):
        if alert.label == LABELS[AlertKind.language]:
            for word in alert.text.lower().replace(",", " ").split():
                if word in named:
                    return named[word]
    return "en"
