"""The long-running processes and the commands that an operator types."""
