"""One patient: identifiers, visits, exams, reports, merges."""
