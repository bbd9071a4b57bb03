"""Plays the other side of the interfaces over real sockets, and shares no code with them so that no fault is shared."""
