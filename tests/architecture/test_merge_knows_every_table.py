"""A merge of patients leaves no row behind: every foreign key to patient is known to it."""

from ris.bootstrap import METADATA
from ris.reactions import REACTIONS

MOVED_BY = {
    "allergy.patient_id": "ris.patient",
    "coverage.patient_id": "ris.patient",
    "coverage_authorization.patient_id": "ris.patient",
    "imaging_order.patient_id": "ris.order.visits",
    "mail_consent.patient_id": "ris.notice.consent",
    "observation.patient_id": "ris.patient",
    "occupancy.patient_id": "ris.scheduling.service",
    "outside_report.patient_id": "ris.patient",
    "patient_alert.patient_id": "ris.patient",
    "patient_contact.patient_id": "ris.patient",
    "patient_identifier.patient_id": "ris.patient",
    "patient_name.patient_id": "ris.patient",
    "questionnaire_response.patient_id": "ris.questionnaire.filling",
    "screening_answer.patient_id": "ris.patient",
    "visit.patient_id": "ris.patient",
    # What proposes a merge and what a merge itself writes: these name survivor and loser for ever.
    "merge_proposal.one_id": None,
    "merge_proposal.other_id": None,
    "merge.survivor_id": None,
    "merge.loser_id": None,
    "patient.merged_into_id": None,
}


def _foreign_keys_to_patient() -> set[str]:
    return {
        f"{table.name}.{column.name}"
        for table in METADATA.tables.values()
        for column in table.columns
        for key in column.foreign_keys
        if key.column.table.name == "patient"
    }


def test_every_foreign_key_to_patient_is_moved_by_a_floor_or_kept_by_the_merge() -> None:
    assert _foreign_keys_to_patient() == set(MOVED_BY)


def test_each_floor_above_the_patient_reacts_to_a_merge_and_to_its_undoing() -> None:
    floors = {module for module in MOVED_BY.values() if module and module != "ris.patient"}
    for event in ("patient.merging", "patient.unmerging"):
        assert {reaction.__module__ for reaction in REACTIONS[event]} == floors
