"""Distribution of reports: who gets them, the print queue of the desk, the link of an e-mail, the check of a printed version."""
