"""The page of one person who reads: what waits, what leaves, what became of it."""
