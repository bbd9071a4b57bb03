"""The safety screen of a patient: what was asked before exams, and what was said."""
