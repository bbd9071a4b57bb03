"""Files of the catalogue and of going live: looked at, taken in, written again."""
