"""What was done: arrivals and performed procedure steps."""
