"""The wet read: a few words that are told at once, beside the report that is still to come."""
