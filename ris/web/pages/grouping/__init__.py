"""Exams that are said together in one report: the panel beside the editor, and what its buttons do."""
