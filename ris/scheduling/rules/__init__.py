"""What speaks against an exam in a place at a time: kinds of rule in code, rules and their parameters as rows, answers kept."""
