"""The page of macros: one's own, and those of all."""
