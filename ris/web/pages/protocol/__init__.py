"""The protocol of one exam: proposed, approved, sent back, rejected to the desk and handed in again."""
