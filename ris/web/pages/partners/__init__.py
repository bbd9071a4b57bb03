"""Partners: who they are, what is agreed with each, and what their codes are here."""
