"""What has happened and who is to be told: events, deliveries, attempts, and the loop that delivers in order."""
