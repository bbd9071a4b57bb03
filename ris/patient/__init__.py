"""Patients, the identifiers that authorities gave them, their visits, and merges that can be taken back."""
