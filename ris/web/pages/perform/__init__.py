"""The room: the check list, and what a technologist does and writes down while an exam is done."""
