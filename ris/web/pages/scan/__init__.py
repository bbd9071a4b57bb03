"""What a scanner read: the exam that it belongs to, or a stop."""
