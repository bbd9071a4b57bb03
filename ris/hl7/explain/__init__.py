"""A message for people: its fields by the standard's names, what we read in them, and what the standard says against it.

Nothing here decides about a message: it is looked at after it was answered.
"""
