"""What cannot wait for a report to be read: critical results, who was told of them, and who is fetched when nobody was."""
