"""How an exam shall be done: protocol codes, proposed by one person and approved by another."""
