"""The consent to an exam."""
