"""Finding reports by their words."""
