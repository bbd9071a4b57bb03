"""Whether the program lives and can work, and its figures, for the machines that watch it."""
