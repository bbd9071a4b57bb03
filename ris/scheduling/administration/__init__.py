"""Changing sites, rooms, hours, closures and helpers: each change is checked against what is booked, kept, and can be taken back."""
