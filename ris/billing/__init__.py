"""What is charged: one line per component of an exam, held with a reason, or exported once."""
