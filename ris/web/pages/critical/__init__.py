"""Pages of critical results and of who is on call."""
