"""Finding reports by their words: the index that follows each signature, and the one function that asks it."""
