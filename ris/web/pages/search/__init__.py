"""Finding a patient or an exam from anywhere."""
