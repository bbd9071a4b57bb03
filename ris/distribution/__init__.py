"""Who gets a published report and by which way: recipients, one record for each of them and version, and what became of it."""
