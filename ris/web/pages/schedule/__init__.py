"""A day of the rooms of a site: book, move, cancel."""
