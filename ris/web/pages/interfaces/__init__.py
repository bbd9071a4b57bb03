"""The interfaces: destinations and their queues, deliveries, every message raw and parsed."""
