"""How the reading list behaves: the times of the priorities."""
