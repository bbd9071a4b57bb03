"""Merges of patients: what each moved, a preview before one is made by hand, and the way back."""
